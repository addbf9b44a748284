"""What one writer stores, over its connection."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeAlias, TypeVar

import asyncpg
from ionet.codec import ProgramCodec
from solders.pubkey import Pubkey

from ionet_indexer.core import queries, rows
from ionet_indexer.core.amounts import use_integers
from ionet_indexer.core.connection import NoDatabase, StoreError
from ionet_indexer.core.decode import Event, Unread, first_position, read_event, slot_of
from ionet_indexer.core.rows import Fact, State
from ionet_indexer.core.view import Changes
from ionet_indexer.lookups import Encoded, Link, Lookups, Records
from ionet_indexer.migrate import migrate
from ionet_indexer.second import Second
from ionet_indexer.topics import FACTS, STATES
from ionet_indexer.topics.price_index import IndexLease, IndexValue, Paid, Value

S = TypeVar("S", bound=State)
WRITER_LOCK = 0x10E7_0002  # arbitrary, ours alone; its holder is the one writer of this database
SQL = queries.load()
_SUMS = ("totals", "owed_balances", "account_totals", "node_days", "lease_sums", "reputation_days")
KEPT = (*_SUMS, "series", "standings", "offered", "offers")
"""Derived tables that triggers keep in step with the others."""


class WrongChain(StoreError):
    """this database holds the history of another chain or program"""


class Checkpoint(NamedTuple):
    """How far the tables go. Both are slots, −1 before the first."""

    indexed: int
    finalized: int


Placed: TypeAlias = tuple[str, int, int, int | None]
"""Signature, slot, place in it and block time of a transaction."""
_TRANSACTION = ("signature", "slot", "tx_index", "block_time")
_EVENT = ("position", "signature", "outer_ix", "inner_ix", "block_time", "name", "data")


class Writer(Lookups):
    """The single writer's connection. Calls between `transaction()`'s ends take effect together or not at all."""

    def __init__(self, connection: asyncpg.Connection, beside: asyncpg.Connection, migrated: list[str]) -> None:
        super().__init__(connection)
        self.beside = Lookups(beside)
        """Asks while this one saves, and sees what is committed."""
        self.migrated = migrated
        """Migrations that were applied when this writer connected."""
        self.second = Second(connection, [*(kind.table for kind in (*STATES, *FACTS)), *KEPT])

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> AsyncIterator[Writer]:
        """Connect and bring the schema up to date. Raises NoDatabase when the server does not answer."""
        async with _connected(dsn) as connection, _connected(dsn) as beside:
            yield cls(connection, beside, await migrate(connection))

    async def take_lock(self) -> bool:
        """Become the one writer; False while another process is. Ends with the connection."""
        taken = bool(await self._connection.fetchval(SQL["writer_lock"], WRITER_LOCK))
        if taken:
            await self.second.discard()
        return taken

    async def start(self, genesis: str, program: str) -> Checkpoint:
        """Where to continue. Raises WrongChain when the tables were filled from another chain or program."""
        await self._connection.execute(SQL["checkpoint_start"], genesis, program)
        row = await self._connection.fetchrow(SQL["checkpoint"])
        if (row["genesis"], row["program"]) != (genesis, program):
            raise WrongChain(
                f"chain {row['genesis']}, program {row['program']}, not {genesis} and {program}; use another database"
            )
        return Checkpoint(row["indexed_slot"], row["finalized_slot"])

    async def make_durable(self) -> str | None:
        """Let commits wait for the disk; the name of the setting that keeps the server from it, None without one."""
        await self._connection.execute("SET synchronous_commit = on")
        found = await self._connection.fetch(SQL["settings_off"])
        return found[0]["name"] if found else None

    async def refold_due(self) -> bool:
        """Whether a migration changed derived tables that were filled before, or folding all again was begun."""
        return bool(await self._connection.fetchval(SQL["refold_due"]))

    async def set_refold(self, *, due: bool) -> None:
        """Note whether the derived tables have to be folded again."""
        await self._connection.execute(SQL["refold_set"], due)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """One database transaction."""
        async with self._connection.transaction():
            yield

    async def advance(self, checkpoint: Checkpoint) -> bool:
        """Set the checkpoint; whether any event became final by that."""
        moved = SQL["checkpoint_advance"]
        return bool(await self._connection.fetchval(moved, checkpoint.indexed, checkpoint.finalized))

    async def finalize_work(self) -> bool:
        """Finalize the launcher's rows that the checkpoint covers; whether there were any."""
        return bool(await self._connection.fetch(SQL["work_finalize"]))

    async def report(self, node_slot: int, problem: str | None) -> None:
        """Record the outcome of a pass for /health."""
        await self._connection.execute(SQL["status_set"], time.time(), node_slot, problem)

    async def tell(self, problem: str | None) -> None:
        """What `/health` says until the next pass."""
        await self._connection.execute(SQL["status_tell"], time.time(), problem)

    async def heads(self) -> list[tuple[int, str]]:
        """(slot, blockhash) of heads that are not final yet and of the newest one that is, newest first."""
        return [(row["slot"], row["blockhash"]) for row in await self._connection.fetch(SQL["heads"])]

    async def add_head(self, slot: int, blockhash: str, *, final: int) -> None:
        """Remember a head; of those that are final at slot `final`, only the newest."""
        await self._connection.execute(SQL["heads_add"], slot, blockhash)
        await self._connection.execute(SQL["heads_drop_before"], final)

    async def drop_heads(self, slots: Sequence[int]) -> None:
        """Forget the heads in these slots."""
        await self._connection.execute(SQL["heads_drop"], list(slots))

    async def known(self, signatures: Sequence[str]) -> set[str]:
        """Those of the signatures that are stored."""
        found = await self._connection.fetch(SQL["transactions_known"], list(signatures))
        return {row["signature"] for row in found}

    async def stored_after(self, slot: int) -> dict[str, int]:
        """Slots of the transactions stored after `slot`, by signature."""
        return {row["signature"]: row["slot"] for row in await self._connection.fetch(SQL["transactions_after"], slot)}

    async def newest_until(self, slot: int) -> tuple[str, int] | None:
        """Signature and slot of a newest transaction stored in slots up to `slot`; None when there is none."""
        row = await self._connection.fetchrow(SQL["transaction_before"], slot)
        return (row["signature"], row["slot"]) if row is not None else None

    async def has_events(self, until: int) -> bool:
        """Whether an event of slots up to `until` is stored."""
        return bool(await self._connection.fetchval(SQL["events_begun"], first_position(until + 1)))

    async def count_events(self) -> int:
        """How many events are stored."""
        return int(await self._connection.fetchval(SQL["events_count"]))

    async def last_position(self) -> int:
        """Position of the last stored event, −1 without any."""
        found = await self._connection.fetchval(SQL["events_end"])
        return -1 if found is None else int(found)

    async def add_undo(self, slot: int) -> None:
        """Tell followers of the events that what comes after `slot` is no longer what they were sent."""
        await self._connection.execute(SQL["undos_add"], slot)

    async def undo_after(self, slot: int) -> list[str]:
        """Remove everything after `slot` from the chain tables and the facts; returns the entities it concerned."""
        first = first_position(slot + 1)
        undone = await self._connection.fetch(SQL["links_drop_from"], first)
        await self._connection.execute(SQL["times_drop_from"], first)
        await self._connection.execute(SQL["events_drop_from"], first)
        await self._connection.execute(SQL["transactions_drop_after"], slot)
        await self._connection.execute(SQL["heads_drop_after"], slot)
        await self.add_undo(slot)
        for kind in FACTS:
            await self._connection.execute(f"DELETE FROM {kind.table} WHERE position >= $1", first)
        return sorted({row["entity"] for row in undone})

    async def add(self, transactions: Iterable[Placed], events: Iterable[Event]) -> list[Event]:
        """Store (signature, slot, tx_index, block_time) and events; returns the events that were not there before."""
        placed = {item[0]: item for item in transactions}
        new = placed.keys() - await self.known(list(placed))
        fresh = sorted((event for event in events if event.signature in new), key=lambda event: event.position)
        await self.add_new([placed[signature] for signature in new], records_of(fresh))
        return fresh

    async def add_new(self, transactions: Sequence[Placed], events: Records) -> None:
        """Store transactions, and events as `records_of` has them, that are not stored yet."""
        await self._copy("transactions", _TRANSACTION, transactions)
        await self._copy("events", _EVENT, events)

    async def newest_slot(self) -> int:
        """Slot of the newest stored transaction, −1 without any."""
        found = await self._connection.fetchval(SQL["transactions_end"])
        return -1 if found is None else int(found)

    async def _copy(self, table: str, columns: tuple[str, ...], records: Sequence[Sequence[Any]]) -> None:
        """Add rows; half of what an INSERT of the same rows as JSON costs the server."""
        if records:
            await self._connection.copy_records_to_table(table, columns=columns, records=records)

    async def add_links(self, found: list[Link]) -> None:
        """Store which entities the events belong to."""
        await self._copy("event_entities", Link._fields, found)

    async def count_unread(self, entity: str, after: int, before: int) -> int:
        """How many events between two positions name this entity and are not known to the version that stored them."""
        key = bytes(Pubkey.from_string(entity))
        return int(await self._connection.fetchval(SQL["unread_count"], Unread.__name__, after, before, key))

    async def is_unread(self, entity: str, before: int) -> bool:
        """Whether an event before a position names this entity and is in no table: unknown, or held back."""
        key = bytes(Pubkey.from_string(entity))
        return bool(await self._connection.fetchval(SQL["unread_names"], Unread.__name__, -1, before, key))

    async def unread(self, codec: ProgramCodec) -> list[Event]:
        """All stored events that the version that stored them did not know, in order; read again."""
        found = await self._connection.fetch(SQL["events_named"], Unread.__name__)
        return [_event(row, codec) for row in found]

    async def rename(self, events: Sequence[Event]) -> None:
        """Store the names of events that are known by now."""
        names = [type(event.value).__name__ for event in events]
        await self._connection.execute(SQL["events_rename"], [event.position for event in events], names)

    async def events_of(self, entities: Sequence[str], codec: ProgramCodec) -> list[Event]:
        """All stored events of these entities, in order."""
        return [_event(row, codec) for row in await self._connection.fetch(SQL["events_of"], list(entities))]

    async def events_after(self, position: int, limit: int, codec: ProgramCodec) -> list[Event]:
        """The next `limit` stored events after `position`, in order."""
        return [_event(row, codec) for row in await self._connection.fetch(SQL["events_after"], position, limit)]

    async def has_named(self, names: Sequence[str], after: int) -> bool:
        """Whether an event with one of these names is stored after a position."""
        return bool(await self._connection.fetchval(SQL["events_named_after"], list(names), after))

    async def forget(self, entities: Sequence[str]) -> None:
        """Remove the states of these entities."""
        for kind in STATES:
            await self._connection.execute(rows.delete_sql(kind), list(entities))

    async def save(self, changes: Changes) -> None:
        """Write what the folds changed."""
        await self.save_encoded(await self.encode(changes))

    async def save_encoded(self, encoded: Encoded) -> None:
        """Facts first, by which triggers of states go."""
        await self._save_records(encoded.facts)
        for state, text in encoded.states.items():
            await self._connection.execute(rows.insert_sql(state), text)

    async def save_facts(self, facts: Sequence[Fact]) -> None:
        """Write rows of facts."""
        await self._save_records(await self.encode_facts(facts))

    async def _save_records(self, made: Mapping[type[Fact], Records]) -> None:
        for kind in FACTS:  # triggers rely on their order
            if kind in made:
                await self._copy(kind.table, rows.columns(kind), made[kind])

    async def last_index_day(self) -> int | None:
        """The newest day that has an index, unix seconds."""
        found: int | None = await self._connection.fetchval(SQL["index_last"])
        return found

    async def settled_days(self, since: int, until: int) -> list[int]:
        """The days from `since` on and before `until` in which anything was settled."""
        return [row["day"] for row in await self._connection.fetch(SQL["index_settled_days"], since, until)]

    async def settled(self, since: int, until: int) -> list[Paid]:
        """What was settled of each lease from `since` on and before `until`."""
        return [Paid(*row) for row in await self._connection.fetch(SQL["index_settled"], since, until)]

    async def index_before(self, day: int) -> dict[int, Value]:
        """The newest value of each model's index before a day."""
        found = await self._connection.fetch(SQL["index_before"], day)
        return {row["model"]: Value(row["day"], row["value"]) for row in found}

    async def drop_index_after(self, position: int) -> None:
        """Remove what was made of days that ended after an event."""
        for kind in (IndexValue, IndexLease):
            await self._connection.execute(f"DELETE FROM {kind.table} WHERE position > $1", position)

    async def first_position_at(self, time_: int) -> int:
        """Position of the first event from a time on; one is stored."""
        return int(await self._connection.fetchval(SQL["events_from"], time_))

    async def last_time(self) -> int | None:
        """Block time of the newest event that has one."""
        found: int | None = await self._connection.fetchval(SQL["events_last_time"])
        return found

    async def notify(self, channel: str, payload: str) -> None:
        """Tell listeners, when the transaction commits."""
        await self._connection.execute(SQL["notify"], channel, payload)


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(dsn)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NoDatabase(str(error)) from error
    try:
        await use_integers(connection)
        yield connection
    finally:
        await connection.close(timeout=5)


def records_of(events: Iterable[Event]) -> Records:
    """What is stored of events."""
    return [
        (e.position, e.signature, e.outer_ix, e.inner_ix, e.block_time, type(e.value).__name__, e.data) for e in events
    ]


def _event(row: Any, codec: ProgramCodec) -> Event:
    return Event(
        position=row["position"],
        signature=row["signature"],
        outer_ix=row["outer_ix"],
        inner_ix=row["inner_ix"],
        slot=slot_of(row["position"]),
        block_time=row["block_time"],
        data=row["data"],
        value=read_event(row["data"], codec),
    )

"""An audit of a chain that does not stand still: each account is compared with the events up to its own slot.

Accounts are read a hundred at a time, which a node does at one slot and says at which. Once the tables have come to
that slot the books are taken to exactly there, and no further before these accounts are compared.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from ionet.codec import ProgramCodec
from solders.pubkey import Pubkey

from ionet_indexer.audit.books import Books
from ionet_indexer.audit.rules import Rules, Verdict
from ionet_indexer.core import queries
from ionet_indexer.core.decode import first_position, read_event
from ionet_indexer.core.reader import Reader
from ionet_indexer.source.base import SourceError

_SQL = queries.load()
_BATCH = 2_000  # events
_AT_ONE_SLOT = 100  # accounts
_AT_ONCE = 4  # requests; those of one round are compared in the order of their slots
_TRIES, _PAUSE = 10, 0.5  # when the chain takes another fork, and seconds before each
_PATIENCE = 10.0  # seconds in which the tables do not move

Moment = tuple[int, dict[str, bytes | None]]


class ChainSource(Protocol):
    """What an audit asks a node for."""

    async def accounts(self, keys: Sequence[str], least: int) -> Moment:
        """Data of the program's accounts and their slot, which is `least` or later."""

    async def token_data(self, keys: Sequence[str], least: int) -> Moment:
        """Data of token accounts and mints, likewise."""


class _Undone(Exception):
    """Events that the books have were taken back."""


async def verify(reader: Reader, source: ChainSource, codec: ProgramCodec) -> list[Verdict]:
    """Add all stored events up and compare with the chain, however busy it is.

    What is created after the beginning is not compared. Raises SourceError when nobody keeps the tables, or when the
    chain takes another fork again and again.
    """
    for _ in range(_TRIES):
        try:
            return await _audit(reader, source, codec)
        except _Undone:
            await asyncio.sleep(_PAUSE)
    raise SourceError(f"the chain took another fork while the accounts were read, {_TRIES} times; try again")


async def _audit(reader: Reader, source: ChainSource, codec: ProgramCodec) -> list[Verdict]:
    ledger = _Ledger(reader, codec)
    slot = await ledger.begin()
    rules = Rules(ledger.books, codec)
    for keys, read, compare in (
        (rules.token_accounts(), source.token_data, rules.compare_token),
        (rules.program_accounts(), source.accounts, rules.compare_account),
    ):
        chunks = [list(map(str, keys[at : at + _AT_ONE_SLOT])) for at in range(0, len(keys), _AT_ONE_SLOT)]
        for at in range(0, len(chunks), _AT_ONCE):
            moments = await asyncio.gather(*(read(chunk, max(slot, 0)) for chunk in chunks[at : at + _AT_ONCE]))
            for read_at, found in sorted(moments, key=lambda moment: moment[0]):
                if read_at < slot:
                    raise SourceError(f"the node answers at slot {read_at}, asked for {slot} or later")
                slot = await ledger.reach(read_at)
                for key, data in found.items():
                    compare(Pubkey.from_string(key), data)
    return list(rules.verdicts())


class _Ledger:
    """The books, and how far they are. Each part of the events is read in a snapshot of its own: none lasts."""

    def __init__(self, reader: Reader, codec: ProgramCodec) -> None:
        self._reader = reader
        self._codec = codec
        self._position = -1
        self._undo = 0
        self.books = Books(codec.id)

    async def begin(self) -> int:
        """To where the tables are; returns that slot."""
        state = await self._reader.state()
        self._undo = state.undo
        return await self.reach(state.slot)

    async def reach(self, slot: int) -> int:
        """To the end of a slot, once the tables have come there; returns it. Raises _Undone, or SourceError."""
        newest, moved = -2, time.monotonic()
        while (state := await self._reader.state()).slot < slot:
            if state.slot != newest:
                newest, moved = state.slot, time.monotonic()
            if time.monotonic() - moved > _PATIENCE:
                raise SourceError(f"the tables do not reach slot {slot}: is an indexer running?")
            await asyncio.sleep(0.1)
        end, more = first_position(slot + 1), True
        while more:
            async with self._reader.snapshot() as snapshot:
                if snapshot.state.undo != self._undo:
                    raise _Undone
                rows = await snapshot.fetch(_SQL["events_after"], self._position, _BATCH)
            inside = [row for row in rows if row["position"] < end]
            for row in inside:
                self.books.take(read_event(row["data"], self._codec))
                self._position = row["position"]
            more = len(inside) == _BATCH
        return slot

"""One batch of transactions into the database: events, derived tables and checkpoint in one transaction.

The chain's own numbering is the check: an event whose `seq` does not follow its entity's last one stops everything,
because a table that went on without a lost event would be wrong for good.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ionet.codec import ProgramCodec
from ionet.errors import IonetError

from ionet_indexer.ahead import Ahead, Folded, LookedUp, links_of, placed_of
from ionet_indexer.closing import close_days
from ionet_indexer.core.days import DAY, start_of
from ionet_indexer.core.decode import Event, Transaction, Unread, decode, slot_of
from ionet_indexer.core.garbage import rarely_collected
from ionet_indexer.folding import Folding
from ionet_indexer.lookups import Link
from ionet_indexer.store import Checkpoint, Writer
from ionet_indexer.topics.leases import LeaseWork
from ionet_indexer.topics.standing import RULES

log = logging.getLogger(__name__)
CHANNEL_EVENTS = "ionet_events"
CHANNEL_WORK = "lease_work"
_REBUILD_BATCH = 4_000  # events
_LOGGED = 20  # lines of progress in the log


class SeqHole(IonetError):
    """an entity's events do not follow each other

    Something was lost, or belongs to an abandoned fork.
    """

    def __init__(self, entity: str, expected: int = 0, got: int = 0, last_slot: int = -1) -> None:
        super().__init__(f"{entity}: expected event {expected}, got {got}")
        self.entity = entity
        self.expected = expected
        self.got = got
        self.last_slot = last_slot  # slot of the last event that is in order, −1 when there is none


class _Taken(NamedTuple):
    """What came in. `work`: the launcher's rows changed. `late`: it comes before others that were stored; `all_again`:
    so that everything was folded again.
    """

    fresh: list[Event]
    work: bool
    late: bool = False
    all_again: bool = False


class Pipeline:
    """Applies batches through one Writer."""

    def __init__(self, writer: Writer, codec: ProgramCodec) -> None:
        self._writer = writer
        self._codec = codec
        self._folding = Folding(writer, codec)
        self._ahead = Ahead(writer, self._folding)
        self._today: int | None = None
        """The day whose predecessors have their index; None where that has to be looked up."""

    def decode(self, transactions: Iterable[Transaction]) -> list[Event]:
        """The events of transactions, in order. Raises BadTransaction."""
        return [event for transaction in transactions for event in decode(transaction, self._codec)]

    async def look_up(
        self, transactions: Sequence[Transaction], events: Sequence[Event], before: Folded | None = None
    ) -> LookedUp | None:
        """See `Ahead.look_up`."""
        return await self._ahead.look_up(transactions, events, before)

    async def fold(self, batch: LookedUp | None) -> Folded | None:
        """See `Ahead.fold`."""
        return None if batch is None else await self._ahead.fold(batch)

    async def commit(
        self,
        transactions: Sequence[Transaction],
        events: Sequence[Event],
        checkpoint: Checkpoint,
        *,
        head: tuple[int, str] | None = None,
        undo_after: int | None = None,
        refold: Sequence[str] = (),
        problem: str | None = None,
        folded: Folded | None = None,
    ) -> list[Event]:
        """Store a batch and move the checkpoint; returns the events that were new.

        With `undo_after`, everything after that slot is first taken back, in the same transaction: no reader sees a
        state between the forks. Events that come late, before others that are stored, are the last of their entities,
        or their numbering would show it: they are folded as they come, and followers are sent back to them.
        refold: entities whose rows are made again first. problem: what `/health` goes on to say. folded: these
        transactions, if they were folded ahead. Raises SeqHole, and then nothing has changed.
        """
        writer = self._writer
        today, self._today = self._today, None  # until all of this is in
        async with writer.transaction():
            if folded is None and undo_after is None and not refold:
                folded = await self.fold(await self.look_up(transactions, events))
            if folded is None:
                taken = await self._take_in(transactions, events, undo_after, refold)
            else:
                taken = await self._add(folded)
            fresh = taken.fresh
            if taken.late:
                await writer.drop_index_after(fresh[0].position)
            times = [event.block_time for event in fresh if event.block_time is not None]
            if taken.late or undo_after is not None or today is None or (times and max(times) >= today + DAY):
                today = await self._close_days()
            if head is not None:
                await writer.add_head(*head, final=checkpoint.finalized)
            settled = await writer.advance(checkpoint)
            await writer.report(checkpoint.indexed, problem)
            finalized = await writer.finalize_work()
            if fresh or undo_after is not None or settled:
                await writer.notify(CHANNEL_EVENTS, str(checkpoint.indexed))
            if taken.work or finalized:
                await writer.notify(CHANNEL_WORK, str(checkpoint.indexed))
            if taken.all_again:
                await writer.second.swap()
        if taken.all_again:
            await writer.second.discard()
        self._today = today
        return fresh

    async def _add(self, folded: Folded) -> _Taken:
        """Store a batch that continues what is stored."""
        batch = folded.batch
        await self._writer.add_new(batch.placed, folded.records)
        await self._writer.add_links(batch.links)
        await self._writer.save_encoded(folded.encoded)
        return _Taken(batch.events, work=folded.shows_work)

    async def _take_in(
        self,
        transactions: Sequence[Transaction],
        events: Sequence[Event],
        undo_after: int | None,
        refold: Sequence[str],
    ) -> _Taken:
        """Store a batch that may come late, be there already, undo or refuse."""
        writer = self._writer
        if undo_after is not None or refold:
            await writer.second.keep_parameters()
        undone: list[str] = [] if undo_after is None else await writer.undo_after(undo_after)
        again = sorted({*undone, *refold})
        end = await writer.last_position()
        fresh = await writer.add(placed_of(transactions), events) if transactions else []
        await self._link(fresh)
        late = bool(fresh) and fresh[0].position < end
        all_again = late and await self._is_ruled_later(fresh)
        if late:
            await writer.add_undo(fresh[0].slot - 1)
        work = bool(again) or all_again
        if all_again:
            await self._fill_second()
        else:
            view = await self._folding.fold(fresh, again)
            await writer.save(view.changes())
            work = work or LeaseWork in view.changed()
        return _Taken(fresh, work=work, late=late, all_again=all_again)

    async def _close_days(self) -> int | None:
        """Days that are over get their index; returns the one that is not. None before the first event."""
        now = await self._writer.last_time()
        if now is None:
            return None
        await close_days(self._writer, now)
        return start_of(now)

    async def _link(self, fresh: Sequence[Event]) -> None:
        """Check that every entity's numbering goes on without a hole, and record it."""
        found = links_of(fresh)
        if not found:
            return
        last = await self._writer.last_links({link.entity for link in found})
        for link in found:
            before = last.get(link.entity)
            expected = before.seq + 1 if before else 1
            in_order = before is None or before.position < link.position
            if not in_order or (link.seq != expected and not await self._is_unread(link, before, expected)):
                raise SeqHole(link.entity, expected, link.seq, slot_of(before.position) if before else -1)
            last[link.entity] = link
        await self._writer.add_links(found)

    async def _is_unread(self, link: Link, before: Link | None, expected: int) -> bool:
        """Whether the events that are missing before this one are stored, and only unknown to this version."""
        after = before.position if before else -1
        return 0 < link.seq - expected <= await self._writer.count_unread(link.entity, after, link.position)

    async def _is_ruled_later(self, fresh: Sequence[Event]) -> bool:
        """Whether late events are rules, or come before rules that are stored: then parts of others changed too."""
        if any(isinstance(event.value, RULES) for event in fresh):
            return True
        return await self._writer.has_named([kind.__name__ for kind in RULES], fresh[0].position)

    async def is_due(self) -> bool:
        """Whether the tables have to be rebuilt: a migration changed them, or this version knows more of the events."""
        return await self._writer.refold_due() or bool(await self._newly_known())

    async def _newly_known(self) -> list[Event]:
        return [event for event in await self._writer.unread(self._codec) if not isinstance(event.value, Unread)]

    async def rebuild(self) -> int:
        """Fold all stored events again, into second tables that then take the others' place; returns their number.

        Readers go on with the others meanwhile, and a rebuild that is killed leaves them. Events that an earlier
        version could not read are taken in where this one can. Raises NotSwappable.
        """
        writer = self._writer
        await writer.set_refold(due=True)
        await writer.second.begin()
        total, done = await writer.count_events(), 0
        position: int | None = -1
        with rarely_collected():
            while position is not None:
                async with writer.transaction():
                    await writer.second.use()
                    position, count = await self._fold_more(position)
                done += count
                await self._tell(done, done - count, total)
        async with writer.transaction():
            await writer.second.use()
            await self._close_days()
        await writer.second.analyze()
        async with writer.transaction():
            await writer.second.keep_parameters()
            await writer.second.use()
            if known := await self._newly_known():
                await writer.rename(known)
                await writer.add_links(links_of(known))
            await writer.finalize_work()
            await writer.set_refold(due=False)
            await writer.tell(None)
            await writer.notify(CHANNEL_WORK, "rebuild")
            await writer.second.swap()
        await writer.second.discard()
        return done

    async def _tell(self, done: int, before: int, total: int) -> None:
        """How far folding all again is: in `/health`, and in the log at every twentieth of it."""
        text = f"folding all again: {done} of {total} events"
        await self._writer.tell(text)
        if done * _LOGGED // max(total, 1) > before * _LOGGED // max(total, 1):
            log.info("%s", text, extra={"action": "refold", "events": done})

    async def _fill_second(self) -> None:
        """Make second tables of all stored events, within a transaction; what it goes on to write belongs to these."""
        log.info("a rule came late: folding all again", extra={"action": "refold"})
        await self._writer.second.keep_parameters()
        await self._writer.second.begin()
        await self._writer.second.use()
        position: int | None = -1
        while position is not None:
            position, _ = await self._fold_more(position)
        await self._writer.second.analyze()

    async def _fold_more(self, after: int) -> tuple[int | None, int]:
        """Fold the next stored events; returns the position of the last one, None at the end, and their number."""
        events = await self._writer.events_after(after, _REBUILD_BATCH, self._codec)
        await self._writer.save((await self._folding.fold(events)).changes())
        return events[-1].position if events else None, len(events)

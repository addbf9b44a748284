"""One batch of transactions into the database: events, derived tables and checkpoint in one transaction.

The chain's own numbering is the check: an event whose `seq` does not follow its entity's last one stops everything,
because a table that went on without a lost event would be wrong for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ionet.codec import ProgramCodec
from ionet.errors import IonetError

from ionet_indexer.core.decode import Event, Transaction, Unread, decode, slot_of
from ionet_indexer.core.rows import State
from ionet_indexer.core.view import View
from ionet_indexer.store import Checkpoint, Link, Writer
from ionet_indexer.topics.fold import apply, links, needs
from ionet_indexer.topics.leases import LeaseWork

CHANNEL_EVENTS = "ionet_events"
CHANNEL_WORK = "lease_work"
_REBUILD_BATCH = 2_000  # events


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


class Pipeline:
    """Applies batches through one Writer."""

    def __init__(self, writer: Writer, codec: ProgramCodec) -> None:
        self._writer = writer
        self._codec = codec

    def decode(self, transactions: Iterable[Transaction]) -> list[Event]:
        """The events of transactions, in order. Raises BadTransaction."""
        return [event for transaction in transactions for event in decode(transaction, self._codec)]

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
    ) -> list[Event]:
        """Store a batch and move the checkpoint; returns the events that were new.

        With `undo_after`, everything after that slot is first taken back, in the same transaction: no reader sees a
        state between the forks. Events that come late, before others that are stored, are the last of their entities,
        or their numbering would show it: they are folded as they come, and followers are sent back to them.
        refold: entities whose rows are made again first. problem: what `/health` goes on to say. Raises SeqHole, and
        then nothing has changed.
        """
        writer = self._writer
        async with writer.transaction():
            view = View(self._codec)
            undone: list[str] = [] if undo_after is None else await writer.undo_after(undo_after)
            if again := sorted({*undone, *refold}):
                await self._refold(view, again)
            end = await writer.last_position()
            placed = [(t.signature, t.slot, t.transaction_index or 0, t.block_time) for t in transactions]
            fresh = await writer.add(placed, events) if placed else []
            await self._link(fresh)
            await self._load(view, fresh)
            for event in fresh:
                apply(view, event)
            await writer.save(view)
            late = bool(fresh) and fresh[0].position < end
            if late:
                await writer.add_undo(fresh[0].slot - 1)
            if head is not None:
                await writer.add_head(*head, final=checkpoint.finalized)
            settled = await writer.advance(checkpoint)
            await writer.report(checkpoint.indexed, problem)
            finalized = await writer.finalize_work()
            if fresh or undo_after is not None or settled:
                await writer.notify(CHANNEL_EVENTS, str(checkpoint.indexed))
            if again or finalized or LeaseWork in view.changed():
                await writer.notify(CHANNEL_WORK, str(checkpoint.indexed))
        return fresh

    async def _link(self, fresh: Sequence[Event]) -> None:
        """Check that every entity's numbering goes on without a hole, and record it."""
        found = [Link(link.entity, link.seq, event.position) for event in fresh for link in links(event.value)]
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

    async def _load(self, view: View, events: Sequence[Event]) -> None:
        wanted: dict[type[State], set[str]] = {}
        for event in events:
            for kind, key in needs(event.value):
                if not view.holds(kind, key):
                    wanted.setdefault(kind, set()).add(key)
        for kind, keys in wanted.items():
            view.hold(await self._writer.load(kind, list(keys)))

    async def _refold(self, view: View, entities: Sequence[str]) -> None:
        """Make the states of these entities again from the events that are left; their facts are still right.

        Such events may also belong to entities that lost nothing. Those rows are read, but what the replay does to
        them a second time is thrown away.
        """
        await self._writer.forget(entities)
        events = await self._writer.events_of(entities, self._codec)
        replay = View(self._codec)
        await self._load(replay, events)
        for event in events:
            apply(replay, event)
        chosen = set(entities)
        for kind, rows in replay.changed().items():
            for row in rows:
                if getattr(row, kind.entity) in chosen:
                    view.put(row)

    async def is_due(self) -> bool:
        """Whether the tables have to be rebuilt: a migration changed them, or this version knows more of the events."""
        return await self._writer.refold_due() or bool(await self._newly_known())

    async def _newly_known(self) -> list[Event]:
        return [event for event in await self._writer.unread(self._codec) if not isinstance(event.value, Unread)]

    async def rebuild(self) -> int:
        """Empty the derived tables and fold all stored events again; returns their number. One transaction.

        Events that an earlier version could not read are taken in where this one can.
        """
        count, position = 0, -1
        async with self._writer.transaction():
            if known := await self._newly_known():
                await self._writer.rename(known)
                await self._writer.add_links(
                    [Link(link.entity, link.seq, event.position) for event in known for link in links(event.value)]
                )
            await self._writer.empty()
            while events := await self._writer.events_after(position, _REBUILD_BATCH, self._codec):
                view = View(self._codec)
                await self._load(view, events)
                for event in events:
                    apply(view, event)
                await self._writer.save(view)
                count, position = count + len(events), events[-1].position
            await self._writer.finalize_work()
            await self._writer.notify(CHANNEL_WORK, "rebuild")
        return count

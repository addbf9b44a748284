"""Keeps the tables at the chain's head: look, compare, fetch, commit. Pushes wake it, polls drive it.

Every pass reads again what is not final yet, and a slot becomes final only when the node lists it as final with exactly
what is stored. Whatever the node does not have stops the pass: it is evidence of nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import NamedTuple, TypeAlias

from ionet_indexer import metrics
from ionet_indexer.ahead import Folded
from ionet_indexer.core.decode import Event, Transaction, Unread
from ionet_indexer.core.garbage import rarely_collected
from ionet_indexer.core.turns import in_turns
from ionet_indexer.hold import Hold
from ionet_indexer.listing import Stored, listed, listed_of, superseded, undo_of, witnessed
from ionet_indexer.pipeline import Pipeline, SeqHole
from ionet_indexer.source.base import Heads, Seen, Source, SourceError
from ionet_indexer.store import Checkpoint, Writer

log = logging.getLogger(__name__)
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 15.0  # seconds after a failed pass, doubled each time
_FIRST_MEND_PAUSE, _LAST_MEND_PAUSE = 1.0, 300.0  # likewise, after an attempt that did not mend the tables
_FIRST_PART = 8  # of a batch's size is the first one's
_MEND_AT_ONCE = 50  # accounts whose history is read again in one attempt
_FOUNDATION = "NetworkInitialized"  # the first event of every history


_Read: TypeAlias = "tuple[list[Transaction], list[Event]]"


class Window(NamedTuple):
    """What one pass works on: slots after `after`; with `undo_after`, what is stored beyond it is taken back."""

    after: int
    undo_after: int | None


class Ingest:
    """One source into one pipeline. `batch` transactions at most go into one database transaction.

    witness: a second node that has to agree before a slot becomes final. hold: what the check of the accounts found.
    """

    def __init__(
        self,
        source: Source,
        writer: Writer,
        pipeline: Pipeline,
        start: Checkpoint,
        *,
        batch: int = 4_000,
        witness: Source | None = None,
        hold: Hold | None = None,
    ) -> None:
        self._source = source
        self._witness = witness
        self._hold = hold or Hold()
        self._writer = writer
        self._pipeline = pipeline
        self._batch = batch
        self._refill_after: int | None = None
        self._node_slot = -1
        self._root_checked = False
        self.checkpoint = start
        self.problem: str | None = None
        """Why the tables do not advance now, None when they do."""

    async def run(self, wake: asyncio.Event, poll: float) -> None:
        """Pass after pass until cancelled; waits for `wake`, at most `poll` seconds, in between."""
        pause = _FIRST_PAUSE
        while True:
            wake.clear()
            try:
                if self._hold.reason is not None:
                    await self._mend(poll)
                else:
                    await self.run_once()
                    self.problem = None
                pause = _FIRST_PAUSE
            except (SourceError, SeqHole) as error:
                await self._report(error)
                await asyncio.sleep(max(pause, getattr(error, "retry_after", 0.0)))
                pause = min(pause * 2, _LAST_PAUSE)
                continue
            try:
                async with asyncio.timeout(poll):
                    await wake.wait()
            except TimeoutError:
                pass

    async def _report(self, error: Exception) -> None:
        await self._tell("hole" if isinstance(error, SeqHole) else "source", str(error))

    async def _tell(self, kind: str, problem: str) -> None:
        metrics.PROBLEMS.labels(kind).inc()
        if problem != self.problem:
            log.warning("ingest waits: %s", problem, extra={"action": f"ingest_{kind}"})
        self.problem = problem
        await self._writer.report(self._node_slot, problem)

    async def _mend(self, poll: float) -> None:
        """Tables differ from accounts: read again what concerns them, then follow the chain until that is judged.

        The cursor moves for no longer than the judgement takes; while the difference stays, it rests in between.
        """
        hold, reason = self._hold, str(self._hold.reason)
        await self._tell("drift", reason)
        found = await self.refill(hold.keys, hold.entities)
        log.warning("refilled: %d events were missing", found, extra={"action": "refill", "events": found})
        if hold.attempts:
            await self._read_all_again()
        hold.try_now()
        while not hold.judged:
            await self.run_once()
            await asyncio.sleep(poll)
        if hold.reason is not None:
            await self._tell("drift", reason)
            await asyncio.sleep(min(_FIRST_MEND_PAUSE * 2**hold.attempts, _LAST_MEND_PAUSE))

    async def _read_all_again(self) -> None:
        """What the history of some accounts did not bring, the whole one may; not every node has it."""
        self._refill_after = -1
        try:
            await self.run_once()
        except SourceError as error:
            self._refill_after = None
            log.warning("cannot read everything again: %s", error, extra={"action": "no_refill"})

    async def refill(self, keys: Sequence[str], entities: Sequence[str]) -> int:
        """Take in what the node lists of these accounts and the tables lack, and make the entities' rows again.

        Returns the number of events that were missing.
        """
        heads = await self._source.heads()
        reached = Heads(min(heads.confirmed, self.checkpoint.indexed), self.checkpoint.finalized)
        listed: set[Seen] = set()
        for key in sorted({*keys, *entities})[:_MEND_AT_ONCE]:
            listed.update(await listed_of(self._source, key, heads, reached))
        known = await self._writer.known([item.signature for item in listed])
        missing = sorted((item for item in listed if item.signature not in known), key=lambda item: item.slot)
        transactions, events = await self._read(missing)
        fresh = await self._pipeline.commit(
            transactions, events, self.checkpoint, refold=entities, problem=self._hold.reason
        )
        metrics.EVENTS.inc(len(fresh))
        return len(fresh)

    async def run_once(self) -> int:
        """One pass to the current head; returns the number of new events. Raises SourceError or SeqHole."""
        started = time.perf_counter()
        heads = await self._source.heads()
        self._node_slot = heads.confirmed
        if heads.confirmed < self.checkpoint.indexed:
            raise SourceError(f"the node is at slot {heads.confirmed}, behind our {self.checkpoint.indexed}")
        (blockhash,) = await self._source.blockhashes([heads.confirmed])
        if blockhash is None:
            raise SourceError(f"the node does not show its own head, slot {heads.confirmed}")
        window = await self._window()
        found = await self._writer.newest_until(window.after)
        anchor = None if found is None else Seen(*found)
        seen = await listed(self._source, window.after, heads, anchor)
        if self._witness is not None:
            rooted = [head for head in await self._writer.heads() if head[0] > self.checkpoint.finalized]
            finalized = await witnessed(self._source, self._witness, window.after, heads, anchor, seen, rooted)
            heads = Heads(heads.confirmed, finalized)
        stored = Stored(await self._writer.stored_after(window.after), window.undo_after)
        undo_after = await undo_of(self._source, stored, seen, self.checkpoint.finalized)
        await self._settle((heads.confirmed, blockhash), heads.finalized)
        kept = stored.kept(undo_after)
        fresh = [item for item in seen if item.signature not in kept]
        try:
            with rarely_collected() if len(fresh) > self._batch else nullcontext():
                count = await self._commit(fresh, heads, (heads.confirmed, blockhash), undo_after)
        except SeqHole as hole:
            # Look again from the last event that is in order, at the latest from where nothing is final yet.
            self._refill_after = min(hole.last_slot - 1, self.checkpoint.finalized)
            raise
        self._refill_after = None
        if count:
            metrics.PASS_SECONDS.observe(time.perf_counter() - started)
        return count

    async def _window(self) -> Window:
        """From where to read: what is final, or an earlier hole; and what another fork took back."""
        undo_after = await self._fork()
        after = self.checkpoint.finalized
        return Window(after if self._refill_after is None else max(-1, min(after, self._refill_after)), undo_after)

    async def _fork(self) -> int | None:
        """The last stored head that the chain still has; None when that is the newest one."""
        heads = await self._writer.heads()
        pending = [head for head in heads if head[0] > self.checkpoint.finalized]
        for number, (slot, blockhash) in enumerate(pending):
            if await self._source.holds(slot, blockhash):
                return self._forked(slot) if number else None
        root = next((head for head in heads if head[0] <= self.checkpoint.finalized), None)
        if root is not None and (pending or not self._root_checked):
            await self._check_root(*root, needed=bool(pending))
        return self._forked(self.checkpoint.finalized) if pending else None

    async def _check_root(self, slot: int, blockhash: str, *, needed: bool) -> None:
        """The newest final head has to be on the node's chain; an old one it may have forgotten, unless `needed`."""
        try:
            holds = await self._source.holds(slot, blockhash)
        except SourceError:
            if needed:
                raise
            return
        if not holds:
            raise SourceError(f"the node is on another fork than block {blockhash} of slot {slot}, which is final here")
        self._root_checked = True

    async def _settle(self, head: tuple[int, str], finalized: int) -> None:
        """Before slots become final: the head by which the node is checked afterwards is one of its chain."""
        if head[0] <= finalized and not await self._source.holds(*head):
            raise SourceError(f"the node does not show its head of slot {head[0]} again, but another block")
        heads = await self._writer.heads()
        if dropped := await superseded(self._source, heads, self.checkpoint.finalized, finalized):
            await self._writer.drop_heads(dropped)

    def _forked(self, common: int) -> int:
        metrics.FORKS.inc()
        log.warning("fork: undoing slots after %d", common, extra={"action": "fork", "slot": common})
        return common

    async def _commit(self, seen: Sequence[Seen], heads: Heads, head: tuple[int, str], undo_after: int | None) -> int:
        """Read and store what was seen, each batch while the one before it is being stored."""
        # After a fork everything goes into one transaction, so that nobody sees half of the other fork.
        batches = [list(seen)] if undo_after is not None else list(whole_slots(seen, self._batch)) or [[]]
        begun = await self._writer.has_events(self.checkpoint.indexed if undo_after is None else undo_after)
        reading = asyncio.create_task(self._read(batches[0]))
        folded: Folded | None = None
        count = 0
        try:
            for batch, following in zip(batches, [*batches[1:], None], strict=True):
                transactions, events = await reading
                last = following is None
                if not begun:
                    begun = await self._begins(events, last=last)
                if following is not None:
                    reading = asyncio.create_task(self._read(following))
                    folded = folded or await self._pipeline.fold(await self._pipeline.look_up(transactions, events))
                checkpoint = self._moved(heads.confirmed if last else batch[-1].slot, heads)
                saving = asyncio.create_task(
                    self._pipeline.commit(
                        transactions,
                        events,
                        checkpoint,
                        head=head if last else None,
                        undo_after=undo_after,
                        problem=self._hold.reason,
                        folded=folded,
                    )
                )
                try:
                    folded = None if last or folded is None else await self._fold_ahead(reading, folded, saving)
                    fresh = await saving
                except BaseException:  # cancelled, too: then nothing of the batch is in, or all
                    saving.cancel()
                    await asyncio.gather(saving, return_exceptions=True)
                    raise
                self._advanced(checkpoint, fresh)
                count += len(fresh)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return count

    async def _fold_ahead(
        self, reading: asyncio.Task[_Read], before: Folded, saving: asyncio.Task[list[Event]]
    ) -> Folded | None:
        """The batch that comes after the one that is being saved, folded, if it is read before that is done."""
        await asyncio.wait([reading, saving], return_when=asyncio.FIRST_COMPLETED)
        if not reading.done() or reading.cancelled() or reading.exception() is not None:
            return None
        return await self._pipeline.fold(await self._pipeline.look_up(*reading.result(), before))

    async def _begins(self, events: Sequence[Event], *, last: bool) -> bool:
        """Whether a history begins with these events. SourceError when the node does not have its beginning."""
        if events:
            if (name := type(events[0].value).__name__) != _FOUNDATION:
                raise SourceError(
                    f"the node's history begins in slot {events[0].slot} with {name}: it lost what was before"
                )
        elif last and await self._source.founded():
            raise SourceError("the node lists no event, and the network exists: it lost the history")
        return bool(events)

    async def _read(self, batch: Sequence[Seen]) -> _Read:
        transactions = await self._source.transactions(batch)
        listed = {item.signature: item.slot for item in batch}
        if any(listed[item.signature] != item.slot for item in transactions):
            raise SourceError("a transaction moved to another slot while it was read")
        events: list[Event] = []
        async for some in in_turns(transactions):
            events += self._pipeline.decode(some)
        return transactions, events

    def _moved(self, reached: int, heads: Heads) -> Checkpoint:
        indexed = max(reached, self.checkpoint.indexed)
        return Checkpoint(indexed, max(self.checkpoint.finalized, min(heads.finalized, reached)))

    def _advanced(self, checkpoint: Checkpoint, events: Sequence[Event]) -> None:
        self.checkpoint = checkpoint
        metrics.EVENTS.inc(len(events))
        metrics.UNREAD.inc(sum(isinstance(event.value, Unread) for event in events))
        metrics.INDEXED_SLOT.set(checkpoint.indexed)
        metrics.FINALIZED_SLOT.set(checkpoint.finalized)


def whole_slots(seen: Sequence[Seen], size: int) -> Iterator[list[Seen]]:
    """Consecutive batches of at least one slot and about `size` transactions; a slot is never split.

    The first are smaller, each twice the one before: storing begins early, beside the reading of what follows.
    """
    batch: list[Seen] = []
    now = max(1, size // _FIRST_PART)
    for item in seen:
        if len(batch) >= now and item.slot != batch[-1].slot:
            yield batch
            batch, now = [], min(2 * now, size)
        batch.append(item)
    if batch:
        yield batch

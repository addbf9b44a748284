"""Keeps the tables at the chain's head: look, compare, fetch, commit. Pushes wake it, polls drive it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ionet_indexer import metrics
from ionet_indexer.core.decode import Event, Transaction
from ionet_indexer.pipeline import Pipeline, SeqHole
from ionet_indexer.source.base import Heads, Seen, Source, SourceError
from ionet_indexer.store import Checkpoint, Writer

log = logging.getLogger(__name__)
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 15.0  # seconds after a failed pass, doubled each time


class Window(NamedTuple):
    """What one pass works on: slots after `after`; with `undo_after`, what is stored beyond it is taken back."""

    after: int
    undo_after: int | None


class Ingest:
    """One source into one pipeline. `batch` transactions at most go into one database transaction."""

    def __init__(
        self, source: Source, writer: Writer, pipeline: Pipeline, start: Checkpoint, *, batch: int = 500
    ) -> None:
        self._source = source
        self._writer = writer
        self._pipeline = pipeline
        self._batch = batch
        self._refill_after: int | None = None
        self._node_slot = -1
        self.checkpoint = start
        self.problem: str | None = None
        """Why the tables do not advance now, None when they do."""

    async def run(self, wake: asyncio.Event, poll: float) -> None:
        """Pass after pass until cancelled; waits for `wake`, at most `poll` seconds, in between."""
        pause = _FIRST_PAUSE
        while True:
            wake.clear()
            try:
                await self.run_once()
                pause, self.problem = _FIRST_PAUSE, None
            except (SourceError, SeqHole) as error:
                await self._report(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LAST_PAUSE)
                continue
            try:
                async with asyncio.timeout(poll):
                    await wake.wait()
            except TimeoutError:
                pass

    async def _report(self, error: Exception) -> None:
        kind = "hole" if isinstance(error, SeqHole) else "source"
        metrics.PROBLEMS.labels(kind).inc()
        if str(error) != self.problem:
            log.warning("ingest waits: %s", error, extra={"action": f"ingest_{kind}"})
        self.problem = str(error)
        await self._writer.report(self._node_slot, self.problem)

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
        seen = await self._source.seen(window.after, heads)
        if window.undo_after is None and window.after < self.checkpoint.indexed:
            known = await self._writer.known([item.signature for item in seen])
            seen = [item for item in seen if item.signature not in known]
        try:
            count = await self._commit(seen, heads, (heads.confirmed, blockhash), window.undo_after)
        except SeqHole as hole:
            # Look again from the last event that is in order, at the latest from where nothing is final yet.
            self._refill_after = min(hole.last_slot - 1, self.checkpoint.finalized)
            raise
        self._refill_after = None
        if count:
            metrics.PASS_SECONDS.observe(time.perf_counter() - started)
        return count

    async def _window(self) -> Window:
        """From where to read: the checkpoint, or the last head that the chain still has."""
        heads = [(slot, blockhash) for slot, blockhash in await self._writer.heads()]
        pending = [(slot, blockhash) for slot, blockhash in heads if slot > self.checkpoint.finalized]
        if not pending:
            return Window(min(self.checkpoint.indexed, self._refill(self.checkpoint.indexed)), None)
        (newest,) = await self._source.blockhashes([pending[0][0]])
        if newest == pending[0][1]:
            return Window(self._refill(self.checkpoint.indexed), None)
        now = await self._source.blockhashes([slot for slot, _ in pending])
        kept = [slot for (slot, blockhash), found in zip(pending, now, strict=True) if blockhash == found]
        common = max([self.checkpoint.finalized, *kept])
        metrics.FORKS.inc()
        log.warning("fork: undoing slots after %d", common, extra={"action": "fork", "slot": common})
        return Window(self._refill(common), common)

    def _refill(self, after: int) -> int:
        return after if self._refill_after is None else max(-1, min(after, self._refill_after))

    async def _commit(self, seen: Sequence[Seen], heads: Heads, head: tuple[int, str], undo_after: int | None) -> int:
        """Read and store what was seen, each batch while the one before it is being stored."""
        # After a fork everything goes into one transaction, so that nobody sees half of the other fork.
        batches = [list(seen)] if undo_after is not None else list(whole_slots(seen, self._batch)) or [[]]
        reading = asyncio.create_task(self._read(batches[0]))
        count = 0
        try:
            for batch, following in zip(batches, [*batches[1:], None], strict=True):
                transactions, events = await reading
                if following is not None:
                    reading = asyncio.create_task(self._read(following))
                last = following is None
                checkpoint = self._moved(heads.confirmed if last else batch[-1].slot, heads)
                fresh = await self._pipeline.commit(
                    transactions, events, checkpoint, head=head if last else None, undo_after=undo_after
                )
                self._advanced(checkpoint, len(fresh))
                count += len(fresh)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return count

    async def _read(self, batch: Sequence[Seen]) -> tuple[list[Transaction], list[Event]]:
        transactions = await self._source.transactions(batch)
        listed = {item.signature: item.slot for item in batch}
        if any(listed[item.signature] != item.slot for item in transactions):
            raise SourceError("a transaction moved to another slot while it was read")
        return transactions, self._pipeline.decode(transactions)

    def _moved(self, reached: int, heads: Heads) -> Checkpoint:
        indexed = max(reached, self.checkpoint.indexed)
        return Checkpoint(indexed, max(self.checkpoint.finalized, min(heads.finalized, reached)))

    def _advanced(self, checkpoint: Checkpoint, events: int) -> None:
        self.checkpoint = checkpoint
        metrics.EVENTS.inc(events)
        metrics.INDEXED_SLOT.set(checkpoint.indexed)
        metrics.FINALIZED_SLOT.set(checkpoint.finalized)


def whole_slots(seen: Sequence[Seen], size: int) -> Iterator[list[Seen]]:
    """Consecutive batches of at least one slot and about `size` transactions; a slot is never split."""
    batch: list[Seen] = []
    for item in seen:
        if len(batch) >= size and item.slot != batch[-1].slot:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch

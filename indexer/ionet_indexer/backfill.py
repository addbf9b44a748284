"""Reads history up to a slot and ends: for a first filling, and to know that nothing up to there can be lost."""

from __future__ import annotations

import asyncio
import logging
import time

from ionet_indexer.core.connection import StoreError
from ionet_indexer.ingest import Ingest
from ionet_indexer.pipeline import SeqHole
from ionet_indexer.source.base import SourceError
from ionet_indexer.store import Checkpoint, Writer

log = logging.getLogger(__name__)
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 5.0  # seconds after a pass that failed or moved nothing, doubled each time


class NotDurable(StoreError):
    """the database may forget what it committed"""


async def backfill(ingest: Ingest, writer: Writer, until: int, patience: float) -> int:
    """Returns the number of new events once every slot up to `until` is final here and written to disk.

    Raises what stops the tables when nothing moved for `patience` seconds, which a node may do that says nothing of it;
    NotDurable at once.
    """
    if off := await writer.make_durable():
        raise NotDurable(f"the setting {off} is off")
    events, pause, moved, reached = 0, _FIRST_PAUSE, time.monotonic(), _progress(ingest, until)
    while ingest.checkpoint.finalized < until:
        wait, failed = 0.0, None
        try:
            events += await ingest.run_once()
        except (SourceError, SeqHole) as error:
            failed, wait = error, getattr(error, "retry_after", 0.0)
            log.warning("backfill waits: %s", error, extra={"action": "backfill_waits"})
        if (now := _progress(ingest, until)) != reached:
            pause, moved, reached = _FIRST_PAUSE, time.monotonic(), now
        elif time.monotonic() - moved > patience:
            raise failed or SourceError(f"no slot after {reached.finalized} has become final for {patience:.0f} s")
        if ingest.checkpoint.finalized < until:
            await asyncio.sleep(max(pause, wait))
            pause = min(pause * 2, _LAST_PAUSE)
    return events


def _progress(ingest: Ingest, until: int) -> Checkpoint:
    """How far it is; what a node tells of later slots is none."""
    return Checkpoint(min(ingest.checkpoint.indexed, until), ingest.checkpoint.finalized)

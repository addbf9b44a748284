"""A backfill that gets nowhere says why and ends, also where nothing fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from indexer.recording import RecordedSource, Recording
from indexer.test_ingest import ingest_of
from ionet_indexer.backfill import NotDurable, backfill
from ionet_indexer.source.base import Heads, SourceError
from ionet_indexer.store import Writer

pytestmark = pytest.mark.usefixtures("durable")


@pytest.fixture
def durable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of these tests does not wait for the disk."""

    async def yes(_: Writer) -> None:
        return None

    monkeypatch.setattr(Writer, "make_durable", yes)


async def test_what_is_final_is_read_and_it_ends(recording: Recording, writer: Writer) -> None:
    ingest = await ingest_of(RecordedSource(recording), writer)
    assert await backfill(ingest, writer, recording.heads.finalized, 5.0) > 0
    assert await backfill(ingest, writer, recording.heads.finalized, 5.0) == 0


@pytest.mark.parametrize("goes_on", [False, True])
async def test_where_nothing_becomes_final_it_gives_up(goes_on: bool, recording: Recording, writer: Writer) -> None:
    """The node stands still; or it goes on, and finality does not, as with a second node that stands still."""
    source: Any = RecordedSource(recording)
    end = recording.heads.finalized
    confirmed = recording.heads.confirmed

    async def heads() -> Heads:
        nonlocal confirmed
        confirmed += goes_on
        return Heads(confirmed, end)

    source.heads = heads
    ingest = await ingest_of(source, writer)
    async with asyncio.timeout(60):
        with pytest.raises(SourceError, match=f"no slot after {end} has become final"):
            await backfill(ingest, writer, end + 1, 1.0)
    assert ingest.checkpoint.finalized == end


async def test_a_server_that_may_forget_is_refused(
    recording: Recording, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    ingest = await ingest_of(RecordedSource(recording), writer)
    with pytest.raises(NotDurable, match="fsync"):
        await backfill(ingest, writer, 1, 5.0)

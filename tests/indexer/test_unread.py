"""Events that a version does not know: the tables go on without them, and the version that knows them catches up."""

from __future__ import annotations

import httpx2
import msgspec
import pytest
from indexer.api_server import RecordedAccounts, served
from indexer.recording import Recording
from indexer.tables_of import tables_of
from ionet.codec import ProgramCodec
from ionet.generated.classes import CLASSES
from ionet.program import PROGRAM
from ionet_indexer.core.decode import Transaction
from ionet_indexer.core.reader import Reader
from ionet_indexer.pipeline import Pipeline, SeqHole
from ionet_indexer.reconcile import reconcile, strangers
from ionet_indexer.store import Checkpoint, Writer

# Both belong to a cluster and have a number in its count; no other event needs what they say.
LATER = {"SessionKeyChanged", "BudgetWithdrawn"}


def codec_without(names: set[str]) -> ProgramCodec:
    """The codec of a version that did not have these events yet."""
    idl = PROGRAM.codec.idl
    return ProgramCodec(
        msgspec.structs.replace(idl, events=[item for item in idl.events if item.name not in names]), CLASSES
    )


async def commit(writer: Writer, codec: ProgramCodec, transactions: list[Transaction]) -> None:
    pipeline = Pipeline(writer, codec)
    await pipeline.commit(transactions, pipeline.decode(transactions), Checkpoint(transactions[-1].slot, -1))


async def whole(writer: Writer, dsn: str, recording: Recording) -> dict[str, list[object]]:
    await writer.start("chain", "program")
    await commit(writer, PROGRAM.codec, recording.transactions)
    return await tables_of(dsn)


@pytest.mark.parametrize("size", [1, 10_000])
async def test_the_version_that_knows_them_makes_the_same_tables_of_what_the_other_stored(
    size: int, dsn: str, another: str, writer: Writer, recording: Recording
) -> None:
    left = recording.transactions
    async with Writer.open(another) as older:
        await older.start("chain", "program")
        while left:
            await commit(older, codec_without(LATER), left[:size])
            left = left[size:]
        found = await tables_of(another)
        expected = await whole(writer, dsn, recording)
        assert found.keys() == expected.keys()
        differ = {table for table in expected if found[table] != expected[table]}
        assert differ == {"events", "event_entities", "clusters"}
        assert len(found["events"]) == len(expected["events"])

        assert not await Pipeline(older, codec_without(LATER)).is_due()
        newer = Pipeline(older, PROGRAM.codec)
        assert await newer.is_due()
        assert await newer.rebuild() == len(expected["events"])
        assert not await newer.is_due()
    assert await tables_of(another) == expected


async def test_a_lost_event_is_noticed_even_so(writer: Writer, recording: Recording) -> None:
    """One unknown event explains a hole of one, not of two, and not that of another entity."""
    codec = codec_without(LATER)
    await writer.start("chain", "program")
    names = [
        {type(event.value).__name__ for event in Pipeline(writer, PROGRAM.codec).decode([item])}
        for item in recording.transactions
    ]
    changed = next(at for at, kinds in enumerate(names) if "SessionKeyChanged" in kinds)
    for lost in (changed - 1, changed):  # an event of a lease and its cluster; the unknown event itself
        with pytest.raises(SeqHole):
            async with writer.transaction():
                await commit(writer, codec, [item for at, item in enumerate(recording.transactions) if at != lost])


async def test_the_api_shows_their_bytes(dsn: str, writer: Writer, recording: Recording) -> None:
    await writer.start("chain", "program")
    await commit(writer, codec_without(LATER), recording.transactions)
    events = [
        event
        for event in Pipeline(writer, PROGRAM.codec).decode(recording.transactions)
        if type(event.value).__name__ in LATER
    ]
    with served(dsn, codec_without(LATER)) as address, httpx2.Client(base_url=address, timeout=60) as client:
        shown = client.get("/v1/events", params={"name": "Unread"}).json()["items"]
    assert [item["data"] for item in shown] == [{"bytes": event.data.hex()} for event in reversed(events)]
    assert len(shown) >= 2


async def test_an_account_that_only_an_unknown_event_tells_of_is_no_difference(
    dsn: str, writer: Writer, recording: Recording
) -> None:
    """It would hold an indexer for ever that is older than the program."""
    await writer.start("chain", "program")
    older = codec_without({"ModelRegistered"})
    pipeline, transactions = Pipeline(writer, older), recording.transactions
    end = Checkpoint(recording.heads.confirmed, -1)
    await pipeline.commit(transactions, pipeline.decode(transactions), end)
    async with Reader.open(dsn) as reader:
        assert await reconcile(reader, RecordedAccounts(recording), older) == []
        assert await strangers(reader, RecordedAccounts(recording), older) == []

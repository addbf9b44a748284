"""Events that a version does not know: the tables go on without them, and the version that knows them catches up."""

from __future__ import annotations

import random
from typing import Any

import asyncpg
import httpx2
import msgspec
import pytest
from indexer.api_server import RecordedAccounts, served
from indexer.recording import ConflictRecording, EndingRecording, Played, Recording
from indexer.tables_of import empty, tables_of
from ionet.codec import ProgramCodec
from ionet.generated.classes import CLASSES
from ionet.program import PROGRAM
from ionet_indexer.core.decode import Event, Transaction
from ionet_indexer.core.reader import Reader
from ionet_indexer.core.view import FoldError
from ionet_indexer.folding import _Held
from ionet_indexer.pipeline import Pipeline, SeqHole
from ionet_indexer.reconcile import reconcile, strangers
from ionet_indexer.store import Checkpoint, Writer
from solders.pubkey import Pubkey

pytestmark = pytest.mark.matrix

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
        assert differ == {"events", "event_entities", "clusters", "session_keys"}
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


CHANGERS = ("Staked", "NodeUpdated", "ProofAppended", "LeaseSettled", "SessionKeyChanged")


@pytest.mark.parametrize("changer", CHANGERS)
async def test_what_an_unknown_event_changed_is_no_difference_whatever_follows(
    changer: str, dsn: str, writer: Writer, recording: Recording
) -> None:
    """Known events follow on the same rows, which are wrong until a version knows it; a wrong number is still found."""
    await writer.start("chain", "program")
    older = codec_without({changer})
    pipeline, transactions = Pipeline(writer, older), recording.transactions
    await pipeline.commit(transactions, pipeline.decode(transactions), Checkpoint(recording.heads.confirmed, -1))
    known = {type(event.value).__name__ for event in pipeline.decode(transactions)}
    assert "Unread" in known
    async with Reader.open(dsn) as reader:
        assert await reconcile(reader, RecordedAccounts(recording), older) == []
        connection = await asyncpg.connect(dsn)
        for table in ("nodes", "clusters"):
            await connection.execute(f"UPDATE {table} SET seq = seq + 1")
        await connection.close()
        found = await reconcile(reader, RecordedAccounts(recording), older)
        assert {drift.column for drift in found} == {"seq"}


# Each creates what later events name.
CREATES = {
    "market": ("NodeRegistered", "ClusterOpened", "LeaseBooked", "Staked"),
    "conflicts": ("NodeRegistered", "Staked", "CaseOpened", "LeaseBooked"),
    "endings": ("IncomeVaultOpened",),
}


@pytest.fixture
def played(
    request: pytest.FixtureRequest, recording: Recording, conflicts: ConflictRecording, endings: EndingRecording
) -> Played:
    return {"market": recording, "conflicts": conflicts, "endings": endings}[request.param]


def each_creator() -> pytest.MarkDecorator:
    cases = [(story, name) for story, names in CREATES.items() for name in names]
    return pytest.mark.parametrize(("played", "creator"), cases, indirect=["played"])


@each_creator()
async def test_what_an_unknown_event_created_stops_nothing_and_is_all_there_later(
    creator: str, dsn: str, another: str, writer: Writer, played: Played
) -> None:
    """Whatever the batches; the accounts contradict nothing, and the version that knows it makes the tables whole."""
    await writer.start("chain", "program")
    await commit(writer, PROGRAM.codec, played.transactions)
    expected = await tables_of(dsn)
    older = codec_without({creator})
    found = []
    draw = random.Random(7)
    for whole in (True, False):
        async with Writer.open(another) as behind, Reader.open(another) as reader:
            await behind.start("chain", "program")
            left = played.transactions
            while left:
                size = len(left) if whole else draw.randint(1, 20)
                await commit(behind, older, left[:size])
                left = left[size:]
            await Pipeline(behind, older).commit([], [], Checkpoint(played.heads.confirmed, -1))
            assert await reconcile(reader, RecordedAccounts(played), older) == []
            assert await strangers(reader, RecordedAccounts(played), older) == []
            found.append(await tables_of(another))
            assert len(found[-1]["unfolded"]) > 0
            if whole:
                async with behind.transaction():
                    await behind.undo_after(-1)
                await empty(another)
                continue
            await Pipeline(behind, older).rebuild()
            assert await tables_of(another) == found[-1]
            assert await Pipeline(behind, PROGRAM.codec).is_due()
            await Pipeline(behind, PROGRAM.codec).rebuild()
    assert found[0] == found[1]
    assert len(found[0]["events"]) == len(expected["events"])
    assert await tables_of(another) == expected
    assert expected["unfolded"] == []


async def test_health_counts_what_is_unread_and_what_is_held_back(
    dsn: str, writer: Writer, recording: Recording
) -> None:
    older = codec_without({"ClusterOpened"})
    await writer.start("chain", "program")
    await commit(writer, older, recording.transactions)
    tables = await tables_of(dsn)
    unread = [row for row in tables["events"] if row["name"] == "Unread"]
    with served(dsn, older) as address, httpx2.Client(base_url=address, timeout=60) as client:
        answer = client.get("/health")
        told = answer.json()
        held = client.get("/v1/events", params={"name": "LeaseBooked"}).json()["items"]
    assert (answer.status_code, told["status"]) == (200, "ok")
    assert (told["unread"], told["unfolded"]) == (len(unread), len(tables["unfolded"]))
    assert len(unread) == 2
    assert {int(item["id"]) for item in held} <= {row["position"] for row in tables["unfolded"]}
    assert all(item["data"]["lease"] for item in held)


async def test_a_fork_takes_back_what_is_held_back(
    dsn: str, another: str, writer: Writer, recording: Recording
) -> None:
    older, transactions = codec_without({"ClusterOpened"}), recording.transactions
    middle = len(transactions) // 2
    await writer.start("chain", "program")
    await commit(writer, older, transactions)
    pipeline, common = Pipeline(writer, older), transactions[middle].slot
    await pipeline.commit([], [], Checkpoint(common, -1), undo_after=common)
    async with Writer.open(another) as other:
        await other.start("chain", "program")
        await commit(other, older, [item for item in transactions if item.slot <= common])
    assert await tables_of(dsn) == await tables_of(another)
    assert len((await tables_of(dsn))["unfolded"]) > 0
    await commit(writer, older, [item for item in transactions if item.slot > common])
    assert await tables_of(dsn) != await tables_of(another)


async def test_what_no_unknown_event_names_is_not_explained_by_one(
    dsn: str, writer: Writer, recording: Recording
) -> None:
    """Unknown events of other entities excuse neither a lost event nor a lost row."""
    older = codec_without({"SessionKeyChanged"})
    await writer.start("chain", "program")
    transactions = recording.transactions
    opened = next(
        at
        for at, item in enumerate(transactions)
        if any(type(event.value).__name__ == "NodeRegistered" for event in Pipeline(writer, older).decode([item]))
    )
    lost = [item for at, item in enumerate(transactions) if at != opened]
    with pytest.raises(SeqHole):
        await commit(writer, older, lost)
    await commit(writer, older, transactions[:-1])
    await empty(dsn)
    with pytest.raises(FoldError, match="not known yet"):
        await commit(writer, older, transactions[-1:])


class Scanned(bytes):
    """The bytes of an event; counts how often they are searched."""

    times = 0

    def __contains__(self, item: Any) -> bool:
        Scanned.times += 1
        return super().__contains__(item)


class Names(msgspec.Struct):
    """An event that names two entities, one of them in a list."""

    cluster: Pubkey
    others: list[Pubkey]


class OneUnread:
    """What the tables say of unread events: there is one, and it names this entity."""

    def __init__(self, key: Pubkey) -> None:
        self._key = str(key)

    async def is_unread(self, key: str, before: int) -> bool:
        return before > 0 and key == self._key


async def test_what_is_held_back_is_not_searched_again_for_every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each follows from the one before alone; a whole batch may be held back."""
    monkeypatch.setattr(Scanned, "times", 0)
    keys = [Pubkey.from_bytes(number.to_bytes(32)) for number in range(402)]
    unread: Any = OneUnread(keys[0])
    held = _Held(unread)
    for number in range(400):
        value = Names(keys[number], [keys[number + 1]])
        data = Scanned(bytes(value.cluster) + bytes(value.others[0]))
        event = Event(number + 1, "", 0, 0, 0, None, data, value)
        error = FoldError("not known yet", key=str(value.cluster))
        assert await held.explained(event, error) == str(value.cluster)
    stranger = FoldError("not known yet", key=str(keys[401]))
    assert await held.explained(event, stranger) is None
    early = Event(1, "", 0, 0, 0, None, data, value)
    assert await held.explained(early, FoldError("not known yet", key=str(keys[400]))) is None
    assert Scanned.times <= 400

"""The tables are a function of the chain: any split, repeat, order, undo or rebuild gives the same rows."""

from __future__ import annotations

import random

import pytest
from indexer.recording import ConflictRecording, Played, Recording
from indexer.tables_of import CHAIN, empty, tables_of
from ionet.program import PROGRAM
from ionet_indexer.core.decode import Transaction
from ionet_indexer.core.view import FoldError
from ionet_indexer.pipeline import Pipeline, SeqHole
from ionet_indexer.store import Checkpoint, Writer

pytestmark = pytest.mark.matrix


async def apply(
    pipeline: Pipeline, transactions: list[Transaction], checkpoint: Checkpoint, undo_after: int | None = None
) -> int:
    events = pipeline.decode(transactions)
    return len(await pipeline.commit(transactions, events, checkpoint, undo_after=undo_after))


@pytest.fixture
def pipeline(writer: Writer) -> Pipeline:
    return Pipeline(writer, PROGRAM.codec)


@pytest.fixture(params=["market"])
def played(request: pytest.FixtureRequest, recording: Recording, conflicts: ConflictRecording) -> Played:
    """One of the recorded histories."""
    return {"market": recording, "conflicts": conflicts}[request.param]


def both(*seeds: int) -> pytest.MarkDecorator:
    """The ordinary days with every seed, the story of conflicts with the first two."""
    cases = [("market", seed) for seed in seeds] + [("conflicts", seed) for seed in seeds[:2]]
    return pytest.mark.parametrize(("played", "seed"), cases, indirect=["played"])


@pytest.fixture
async def expected(played: Played, dsn: str, writer: Writer) -> dict[str, list[object]]:
    """What one batch with everything gives; the database is empty again afterwards."""
    pipeline = Pipeline(writer, PROGRAM.codec)
    await writer.start("chain", "program")
    await apply(pipeline, played.transactions, Checkpoint(played.heads.confirmed, -1))
    found = await tables_of(dsn)
    async with writer.transaction():
        await writer.undo_after(-1)
    await empty(dsn)
    assert not any((await tables_of(dsn)).values())
    return found


@both(*range(4))
async def test_any_split_gives_the_same_rows(
    seed: int, played: Played, dsn: str, pipeline: Pipeline, expected: dict[str, list[object]]
) -> None:
    random_ = random.Random(seed)
    left = played.transactions
    while left:
        size = 1 if seed == 0 else random_.randint(1, 12)
        await apply(pipeline, left[:size], Checkpoint(left[:size][-1].slot, -1))
        left = left[size:]
    assert await tables_of(dsn) == expected


@both(*range(3))
async def test_any_order_with_repeats_gives_the_same_rows(
    seed: int, played: Played, dsn: str, pipeline: Pipeline, expected: dict[str, list[object]]
) -> None:
    """What comes too early is refused as a whole and taken when offered again; what comes twice changes nothing."""
    random_ = random.Random(seed)
    left = played.transactions
    done: list[Transaction] = []
    refused = 0
    while left:
        random_.shuffle(left)
        for transaction in list(left):
            again = random_.sample(done, min(2, len(done)))
            try:
                await apply(pipeline, [transaction, *again], Checkpoint(played.heads.confirmed, -1))
            except SeqHole:
                refused += 1
                continue
            left.remove(transaction)
            done.append(transaction)
    assert refused > 0
    assert await tables_of(dsn) == expected


async def test_a_hole_changes_nothing_and_says_where_it_is(
    recording: Recording, dsn: str, pipeline: Pipeline, writer: Writer
) -> None:
    await writer.start("chain", "program")
    transactions = recording.transactions
    proofs = [
        number
        for number, item in enumerate(transactions)
        if any(type(event.value).__name__ == "ProofAppended" for event in pipeline.decode([item]))
    ]
    await apply(pipeline, transactions[: proofs[1]], Checkpoint(5, -1))
    before = await tables_of(dsn)
    with pytest.raises(SeqHole) as hole:
        await apply(pipeline, transactions[proofs[1] + 1 :], Checkpoint(9, -1))
    assert (hole.value.entity, hole.value.got) == (str(recording.story.served), hole.value.expected + 1)
    assert hole.value.last_slot == transactions[proofs[0]].slot
    assert await tables_of(dsn) == before
    assert await writer.start("chain", "program") == Checkpoint(5, -1)


@both(*range(6))
async def test_undone_slots_leave_no_trace(
    seed: int, played: Played, dsn: str, pipeline: Pipeline, expected: dict[str, list[object]]
) -> None:
    """Go forward and back at random; where it ends, the rows are those of the prefix, and in the end of the whole."""
    random_ = random.Random(seed)
    transactions = played.transactions
    slots = sorted({item.slot for item in transactions})
    await apply(pipeline, transactions, Checkpoint(slots[-1], -1))
    for _ in range(4):
        back = random_.choice(slots[:-1])
        forward = random_.choice([slot for slot in slots if slot >= back])
        again = [item for item in transactions if back < item.slot <= forward]
        await apply(pipeline, again, Checkpoint(forward, -1), undo_after=back)
        now = await tables_of(dsn)
        await pipeline.rebuild()
        assert await tables_of(dsn) == now
        rest = [item for item in transactions if item.slot > forward]
        await apply(pipeline, rest, Checkpoint(slots[-1], -1))
    assert await tables_of(dsn) == expected


@pytest.mark.parametrize("played", ["market", "conflicts"], indirect=True)
async def test_rebuild_gives_identical_rows(
    played: Played, dsn: str, pipeline: Pipeline, expected: dict[str, list[object]]
) -> None:
    await apply(pipeline, played.transactions, Checkpoint(played.heads.confirmed, -1))
    assert await pipeline.rebuild() == len(expected["events"])
    assert await tables_of(dsn) == expected
    assert all(expected[name] for name in CHAIN)


async def test_rebuild_repairs_rows(
    recording: Recording, dsn: str, pipeline: Pipeline, expected: dict[str, list[object]]
) -> None:
    await apply(pipeline, recording.transactions, Checkpoint(recording.heads.confirmed, -1))
    await empty(dsn)
    assert await tables_of(dsn) != expected
    await pipeline.rebuild()
    assert await tables_of(dsn) == expected


async def test_work_becomes_final_with_its_slot(
    recording: Recording, dsn: str, pipeline: Pipeline, writer: Writer
) -> None:
    await writer.start("chain", "program")
    await apply(pipeline, recording.transactions, Checkpoint(recording.heads.confirmed, -1))
    work = (await tables_of(dsn, ("lease_work",)))["lease_work"]
    assert not any(row["finalized"] for row in work)
    slots = sorted(row["slot"] for row in work)
    await apply(pipeline, [], Checkpoint(recording.heads.confirmed, slots[1]))
    work = (await tables_of(dsn, ("lease_work",)))["lease_work"]
    assert [row["finalized"] for row in sorted(work, key=lambda row: row["slot"])] == [
        slot <= slots[1] for slot in slots
    ]
    assert {row["lease"]: row["status"] for row in work}[str(recording.story.booked)] == "booked"
    assert {row["lease"]: row["status"] for row in work}[str(recording.story.served)] == "closed"


async def test_events_out_of_step_with_the_tables_stop_everything(
    recording: Recording, dsn: str, pipeline: Pipeline, writer: Writer
) -> None:
    await writer.start("chain", "program")
    await apply(pipeline, recording.transactions[:-1], Checkpoint(5, -1))
    await empty(dsn)
    before = await tables_of(dsn)
    with pytest.raises(FoldError, match="not known yet"):
        await apply(pipeline, recording.transactions[-1:], Checkpoint(9, -1))
    assert await tables_of(dsn) == before

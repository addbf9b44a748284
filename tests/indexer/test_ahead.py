"""Batches that are folded before the one before them is saved give the rows that batches one by one give."""

from __future__ import annotations

import random

import pytest
from indexer.recording import Recording
from indexer.tables_of import tables_of
from ionet.program import PROGRAM
from ionet_indexer.core.decode import Event, Transaction
from ionet_indexer.pipeline import Pipeline, SeqHole
from ionet_indexer.store import KEPT, Checkpoint, Writer
from ionet_indexer.topics.standing import RULES


@pytest.fixture
def pipeline(writer: Writer) -> Pipeline:
    return Pipeline(writer, PROGRAM.codec)


def _batches(transactions: list[Transaction], draw: random.Random) -> list[list[Transaction]]:
    """Whole slots, a few transactions at a time."""
    found: list[list[Transaction]] = []
    size = 0
    for transaction in transactions:
        if not found or (len(found[-1]) >= size and transaction.slot != found[-1][-1].slot):
            found.append([])
            size = draw.randint(1, 12)
        found[-1].append(transaction)
    return found


def _is_rule(events: list[Event]) -> bool:
    return any(isinstance(event.value, RULES) for event in events)


@pytest.mark.parametrize("seed", range(3))
async def test_folded_ahead_gives_the_same_rows(
    seed: int, recording: Recording, dsn: str, writer: Writer, pipeline: Pipeline
) -> None:
    await writer.start("chain", "program")
    batches = [(batch, pipeline.decode(batch)) for batch in _batches(recording.transactions, random.Random(seed))]
    folded, ahead = None, 0
    for (batch, events), following in zip(batches, [*batches[1:], None], strict=True):
        folded = folded or await pipeline.fold(await pipeline.look_up(batch, events))
        looked = None
        if folded is not None and following is not None:
            looked = await pipeline.look_up(*following, folded)
            assert looked is None or not _is_rule(following[1])
        later = await pipeline.fold(looked)  # its rows change before those of this batch are saved
        await pipeline.commit(batch, events, Checkpoint(batch[-1].slot, -1), folded=folded)
        folded, ahead = later, ahead + (later is not None)
    found, sums = await tables_of(dsn), await tables_of(dsn, KEPT)
    assert ahead > len(batches) // 2
    await pipeline.commit([], [], Checkpoint(batches[-1][0][-1].slot, -1), undo_after=-1)
    assert not any((await tables_of(dsn)).values())
    for batch, events in batches:
        await pipeline.commit(batch, events, Checkpoint(batch[-1].slot, -1))
    assert (await tables_of(dsn), await tables_of(dsn, KEPT)) == (found, sums)


async def test_what_does_not_continue_is_not_folded_ahead(recording: Recording, pipeline: Pipeline) -> None:
    """A batch twice, one that begins too late and one that is there already have to be committed by themselves."""
    transactions = recording.transactions
    half = len(transactions) // 2
    while transactions[half].slot == transactions[half - 1].slot:
        half += 1
    first, rest = transactions[:half], transactions[half:]
    events = pipeline.decode(first)
    folded = await pipeline.fold(await pipeline.look_up(first, events))
    assert folded is not None
    assert await pipeline.look_up(first, events, folded) is None
    assert await pipeline.look_up(rest, pipeline.decode(rest)) is None
    assert await pipeline.look_up([*first, first[0]], events) is None
    await pipeline.commit(first, events, Checkpoint(first[-1].slot, -1), folded=folded)
    assert await pipeline.look_up(first, events) is None
    assert await pipeline.look_up(rest, pipeline.decode(rest)) is not None
    last = rest[-1:]
    with pytest.raises(SeqHole):
        await pipeline.commit(last, pipeline.decode(last), Checkpoint(last[-1].slot, -1))

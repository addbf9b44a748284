"""What the indexer asks of its database, and whether its tables can be made again from the events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import postgres
from bench.figures import Figures, count
from indexer.recording import Played, record, record_conflicts
from indexer.tables_of import tables_of
from ionet.program import PROGRAM
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.store import Checkpoint, Writer


def measure() -> Figures:
    return asyncio.run(_measure())


async def _measure() -> Figures:
    stories: list[Played] = [
        await record(),
        await record_conflicts(),
    ]  # between them every event happens
    drift, batch = 0, list[str]()
    with postgres.server() as server:
        for number, played in enumerate(stories):
            dsn = await postgres.create(server, f"bench_{number}")
            async with Writer.open(dsn) as writer:
                pipeline = Pipeline(writer, PROGRAM.codec)
                with _counted(writer) as sent:
                    await _commit(pipeline, played)
                with _counted(writer) as idle:
                    await pipeline.commit([], [], Checkpoint(*played.heads))
                before = await tables_of(dsn)
                await pipeline.rebuild()
            drift += _different(before, await tables_of(dsn))
            batch = batch or sent  # of ordinary days
    return {
        "sql.statements_per_batch": count("tables", len(batch), "statements"),
        "sql.statements_without_news": count("tables", len(idle), "statements"),
        "rebuild.drift_rows": count("tables", drift, "rows", target=0),
    }


async def _commit(pipeline: Pipeline, played: Played) -> None:
    """A whole history as one batch."""
    transactions = played.transactions
    await pipeline.commit(transactions, pipeline.decode(transactions), Checkpoint(*played.heads))


@contextmanager
def _counted(writer: Writer) -> Iterator[list[str]]:
    """Collects every statement the writer sends, the transaction's own included."""
    sent: list[str] = []

    def note(record: Any) -> None:
        sent.append(record.query)

    connection = writer._connection
    connection.add_query_logger(note)
    yield sent
    connection.remove_query_logger(note)


def _different(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> int:
    """Rows that only one of two states of the tables has."""
    return sum(
        len([row for row in one[name] if row not in other[name]])
        for name in before
        for one, other in ((before, after), (after, before))
    )

"""Days that are over get their index: after each batch, from the settlements that are stored by then."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ionet.rules.price_index import WINDOW_DAYS

from ionet_indexer.core.days import DAY, start_of
from ionet_indexer.core.rows import Fact
from ionet_indexer.store import Writer
from ionet_indexer.topics.price_index import IndexValue, Value, index_of


async def close_days(writer: Writer, now: int) -> None:
    """Make the index of every day that is over and has none. now: the newest block time, unix seconds."""
    today = start_of(now)
    closed = await writer.last_index_day()
    if closed is not None and closed + DAY >= today:
        return
    async for rows in _indices(writer, closed, today):
        await writer.save_facts(rows)


async def _indices(writer: Writer, closed: int | None, today: int) -> AsyncIterator[list[Fact]]:
    """The rows of each day after `closed` and before `today` in whose window anything was settled."""
    first = None if closed is None else closed + DAY
    settled = await writer.settled_days(0 if first is None else first - (WINDOW_DAYS - 1) * DAY, today)
    days = sorted({day + later * DAY for day in settled for later in range(WINDOW_DAYS)})
    before: dict[int, Value] | None = None
    for day in days:
        if day >= today or (first is not None and day < first):
            continue
        if before is None:
            before = await writer.index_before(day)
        position = await writer.first_position_at(day + DAY)
        paid = await writer.settled(day - (WINDOW_DAYS - 1) * DAY, day + DAY)
        rows = list(index_of(day, position, paid, before))
        for row in rows:
            if isinstance(row, IndexValue) and row.value is not None:
                before[row.model] = Value(day, row.value)
        yield rows

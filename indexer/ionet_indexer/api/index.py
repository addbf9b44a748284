"""A device model's index with the leases behind it, so that anybody can compute it again."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.core.answers import answer_of
from ionet_indexer.core.days import start_of
from ionet_indexer.core.paging import decode_cursor, encode_cursor
from ionet_indexer.core.parameters import MOST_TIME, Cursor, Limit, ModelKey, query
from ionet_indexer.core.reader import SQL
from ionet_indexer.core.refusals import NotFound
from ionet_indexer.topics.price_index import INDEX, IndexLease

BehindIndex: Any = answer_of(IndexLease, name="BehindIndex", without=("day", "model"))


class IndexPage(msgspec.Struct):
    """The index of a day, and one page of the leases behind it, cheapest first; see Page."""

    slot: int
    finalized_slot: int
    index: INDEX.out  # type: ignore[name-defined]
    items: list[BehindIndex]
    next: str | None


@get("/v1/index/{model:str}", operation_id="get_index")
async def index_of_model(
    reader: NamedDependency[AskedReader],
    model: ModelKey,
    day: Annotated[
        int | None, query("Any second of a UTC day; the newest by default.", 1_790_000_000, ge=0, lt=MOST_TIME)
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> IndexPage:
    """The index of a device model at the end of a day, the newest by default, and the leases behind it."""
    price, lease = decode_cursor("index_leases", cursor, ("numeric", "text")) or ["0", ""]
    async with reader.snapshot() as snapshot:
        code = await snapshot.code_of(model)
        value = await snapshot.one(SQL["index_value"], code, MOST_TIME if day is None else day)
        if value is None or (day is not None and value["day"] != start_of(day)):
            raise NotFound(f"model {model} has no index of that day at slot {snapshot.slot}")
        rows = await snapshot.fetch(SQL["index_leases"], code, value["day"], price, lease, limit + 1)
    items = [BehindIndex(**dict(row)) for row in rows[:limit]]
    following = encode_cursor("index_leases", [items[-1].price, items[-1].lease]) if len(rows) > limit else None
    return IndexPage(snapshot.slot, snapshot.finalized_slot, INDEX.out(**dict(value)), items, following)

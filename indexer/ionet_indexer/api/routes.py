"""The read endpoints: one for each list of the topics, made from what the list says of itself."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.core.lists import Listing
from ionet_indexer.core.paging import One, Page
from ionet_indexer.core.parameters import Cursor, Key, Limit, ModelOrAddress
from ionet_indexer.topics import LISTS


def routes_of(listing: Listing) -> list[HTTPRouteHandler]:
    """The endpoint of a list, and that of a single item where the list has one. Each answers from one snapshot."""

    async def page(reader: Any, cursor: str | None, limit: int, **filters: Any) -> Any:
        async with reader.snapshot() as snapshot:
            sql, values = listing.query(await listing.looked_up(snapshot, filters), cursor, limit)
            rows = await snapshot.fetch(sql, *values)
        return listing.page(snapshot, rows, limit)

    async def one(reader: Any, key: str) -> Any:
        async with reader.snapshot() as snapshot:
            row = await snapshot.one(listing.query_one, key)
            if row is None and listing.named:
                row = await snapshot.one(listing.query_one, str(await snapshot.code_of(key)))
        return listing.one(snapshot, row, key)

    page_of: Any = Page
    one_of: Any = One
    name = listing.route.strip("/").replace("-", "_")
    filters = {name: (chosen.type, None) for name, chosen in listing.filters.items()}
    _declare(
        page, name, listing.docs, {**filters, "cursor": (Cursor, None), "limit": (Limit, 50)}, page_of[listing.out]
    )
    made = [get(listing.route, operation_id=f"list_{name}")(page)]
    if listing.item:
        kind = ModelOrAddress if listing.named else Key
        noun = listing.out.__name__.lower()
        _declare(one, noun, listing.item, {"key": (kind, ...)}, one_of[listing.out])
        made.append(get(f"{listing.route}/{{key:str}}", operation_id=f"get_{noun}")(one))
    return made


def _declare(handler: Any, name: str, docs: str, parameters: Mapping[str, tuple[Any, Any]], answer: Any) -> None:
    """Give a handler the signature that Litestar reads. parameters: name → type and default, `...` for none."""
    typed = {"reader": (NamedDependency[AskedReader], ...), **parameters}
    kind = inspect.Parameter.KEYWORD_ONLY
    handler.__name__ = handler.__qualname__ = name
    handler.__doc__ = docs
    handler.__annotations__ = {**{each: kind for each, (kind, _) in typed.items()}, "return": answer}
    handler.__signature__ = inspect.Signature(
        [
            inspect.Parameter(each, kind, annotation=of, default=inspect.Parameter.empty if default is ... else default)
            for each, (of, default) in typed.items()
        ],
        return_annotation=answer,
    )


ROUTER = Router(path="/v1", route_handlers=[handler for listing in LISTS for handler in routes_of(listing)])

"""A list: narrowed by its filters, a page at a time, with all of it as files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from markupsafe import Markup

from ionet_web.blocks import Block, Choice, Fact, Facts, Form, Page, Table, address, table
from ionet_web.indexer import Indexer
from ionet_web.lists import GROUPS, LISTS, Listed

B = TypeVar("B", bound=Block)
ROWS = 50
FEW = 10
"""Rows of a list on the page of something else."""
_LABELS = {
    "max_price": "Price at most ($/h)",
    "min_processors": "GPUs at least",
    "q": "Search",
}


async def list_page(indexer: Indexer, listed: Listed, given: Mapping[str, str]) -> Page:
    """given: the parameters of the request. Raises Refused where the indexer does not take a value."""
    asked = {name: given.get(name, "") for name in listed.filters}
    answer = await indexer.get(listed.name, **_as_asked(asked), cursor=given.get("cursor"), limit=ROWS)
    path = f"/{listed.name}"
    choices = [Choice(name, _LABELS.get(name, name.replace("_", " ").capitalize()), asked[name]) for name in asked]
    blocks: list[Block] = [Form(choices, path)] if choices else []
    following = address(path, **asked, cursor=answer["next"])
    blocks.append(_table(listed, answer, following, address(listed.name, **_as_asked(asked))))
    return Page(listed.title, blocks, answer["slot"], Markup("{}").format(listed.lead), path)


def tables_page() -> Page:
    """All lists, with what each holds."""
    blocks: list[Block] = [
        Facts(title, [Fact("", _to(listed), listed.lead) for listed in group]) for title, group in GROUPS.items()
    ]
    return Page("Tables", blocks, path="/tables")


def _to(listed: Listed) -> Markup:
    return Markup('<a href="/{}">{}</a>').format(listed.name, listed.title)


def _as_asked(filters: Mapping[str, str]) -> dict[str, str]:
    """As the API takes them: a price is in dollars here."""
    price = filters.get("max_price", "").strip().lstrip("$")
    return {**filters, **({"max_price": f"{price}usd/h"} if price else {})}


def _table(listed: Listed, answer: Mapping[str, Any], following: str, source: str) -> Table:
    return table(
        "",
        listed.columns,
        answer["items"],
        empty="Nothing matches.",
        more=following if answer["next"] else "",
        exports=listed.exports,
        source=source,
    )


async def together(*asked: Awaitable[B]) -> list[B]:
    """Blocks that are asked for at once."""
    return list(await asyncio.gather(*asked))


async def some(indexer: Indexer, name: str, title: str = "", **filters: str) -> Table:
    """The newest rows of a list, with a link to all of them. A filter's column is left out: it is the same in each."""
    listed = LISTS[name]
    answer = await indexer.get(name, **filters, limit=FEW)
    columns = [column for column in listed.columns if column.field not in filters]
    more = address(f"/{name}", **filters) if answer["next"] else ""
    source = address(name, **filters)
    return table(title or listed.title, columns, answer["items"], empty="Nothing yet.", more=more, source=source)

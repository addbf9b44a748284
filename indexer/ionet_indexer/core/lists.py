"""Every list of the API is one `Listing`: a select built from the answer's fields, fixed filters, and a keyset order.

No text of a request ever becomes SQL: filters are chosen by name, values travel as parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import msgspec
from ionet.generated.enums import Currency
from ionet.words import words
from litestar.params import QueryParameter

from ionet_indexer.core.answers import answer_of
from ionet_indexer.core.paging import One, Page, decode_cursor, encode_cursor
from ionet_indexer.core.reader import Snapshot
from ionet_indexer.core.refusals import NotFound
from ionet_indexer.core.rows import Fact

ADDRESS = r"^[1-9A-HJ-NP-Za-km-z]{32,44}$"
SLOT = "(t.position >> 30)"  # see decode.position


class Filter(NamedTuple):
    """What a list can be narrowed by: the type of the parameter, and the condition with {0} for its value."""

    type: Any
    condition: str


def address(column: str) -> Filter:
    """Rows whose column is an address."""
    return Filter(
        Annotated[str | None, QueryParameter(pattern=ADDRESS, description="An address, base58.")], f"{column} = {{0}}"
    )


def choice(column: str, *known: str, description: str | None = None) -> Filter:
    """Rows whose column is one of a few words."""
    return Filter(Annotated[Literal[known] | None, QueryParameter(description=description)], f"{column} = {{0}}")


def currency(column: str = "t.currency") -> Filter:
    return choice(column, *words(Currency), description="What was paid with.")


def either(condition: str) -> Filter:
    """Rows for which a condition holds, or does not."""
    return Filter(Annotated[bool | None, QueryParameter()], f"{condition} = {{0}}")


def number(condition: str, **limits: Any) -> Filter:
    """limits: as QueryParameter takes them."""
    return Filter(Annotated[int | None, QueryParameter(**limits)], condition)


def addresses(*columns: str) -> dict[str, Filter]:
    return {column: address(f"t.{column}") for column in columns}


class Order(NamedTuple):
    """One part of a sort key: the item's field that carries it, its SQL expression and type."""

    field: str
    expression: str
    type: str


@dataclass(frozen=True, eq=False)
class Listing:
    """A list of `out`. `source` is the FROM clause with the main table as `t`; `order` together is unique."""

    name: str
    docs: str
    """What the list holds, for its readers."""
    out: type[Any]
    source: str
    order: tuple[Order, ...]
    key: str
    """SQL expression that identifies one item."""
    filters: Mapping[str, Filter]
    computed: Mapping[str, str] = field(default_factory=dict)
    """Field → SQL expression, where it is not the column of the same name."""
    json: Mapping[str, Any] = field(default_factory=dict)
    """Field that is a JSON column → its type."""
    newest_first: bool = False
    path: str = ""
    """Below /v1, where it is not the name."""
    item: str = ""
    """What a single item is, for its readers, where one can be asked for by its key."""

    @property
    def route(self) -> str:
        """Where it is served, below /v1."""
        return self.path or "/" + self.name.replace("_", "-")

    @lru_cache(maxsize=256)  # noqa: B019 - the few listings live as long as the process
    def sql(self, given: tuple[str, ...], after: bool) -> str:
        """Query whose parameters are the given filters' values, the cursor's values if `after`, and the limit."""
        conditions = [self.filters[name].condition.format(f"${number}") for number, name in enumerate(given, 1)]
        count = len(given)
        if after:
            places = ", ".join(part.expression for part in self.order)
            values = ", ".join(f"${count + number}::text::{part.type}" for number, part in enumerate(self.order, 1))
            conditions.append(f"({places}) {'<' if self.newest_first else '>'} ({values})")
            count += len(self.order)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        ordered = ", ".join(f"{part.expression}{' DESC' if self.newest_first else ''}" for part in self.order)
        return f"SELECT {self._fields()} FROM {self.source} {where} ORDER BY {ordered} LIMIT ${count + 1}"

    def _fields(self) -> str:
        names = [item.encode_name for item in msgspec.structs.fields(self.out)]
        return ", ".join(f'{self.computed.get(name, f"t.{name}")} AS "{name}"' for name in names)

    async def page(self, snapshot: Snapshot, filters: Mapping[str, Any], cursor: str | None, limit: int) -> Page[Any]:
        """One page; filters that are None are not applied. Raises BadCursor."""
        given = {name: value for name, value in filters.items() if value is not None}
        after = decode_cursor(self.name, cursor, [part.type for part in self.order])
        sql = self.sql(tuple(given), after is not None)
        # One row more than asked for tells whether there is a next page.
        rows = await snapshot.fetch(sql, *given.values(), *(after or ()), limit + 1)
        items = [self._item(row) for row in rows[:limit]]
        following = None
        if len(rows) > limit:
            following = encode_cursor(self.name, [str(getattr(items[-1], part.field)) for part in self.order])
        return Page(snapshot.slot, snapshot.finalized_slot, items, following)

    async def one(self, snapshot: Snapshot, key: str) -> One[Any]:
        """The item with this key. Raises NotFound."""
        row = await snapshot.one(f"SELECT {self._fields()} FROM {self.source} WHERE {self.key} = $1", key)
        if row is None:
            raise NotFound(f"{self.out.__name__.lower()} {key} is not known at slot {snapshot.slot}")
        return One(snapshot.slot, snapshot.finalized_slot, self._item(row))

    def _item(self, row: Any) -> Any:
        values = dict(row)
        for name, kind in self.json.items():
            values[name] = msgspec.json.decode(values[name] or b"null", type=kind)
        return self.out(**values)


def facts(
    row: type[Fact],
    docs: str,
    filters: Mapping[str, Filter],
    *,
    more: Mapping[str, tuple[Any, str]] | None = None,
    renamed: Mapping[str, str] | None = None,
    source: str = "",
    join: str = "",
    path: str = "",
) -> Listing:
    """A list of facts with their transaction, newest first.

    more: field → type and SQL of what the row does not hold. renamed: column → field. source: what to read instead of
    the row's table. join: what `more` and the filters need beside it. path: below /v1, the table's name by default.
    """
    table, more, renamed = source or row.table, more or {}, renamed or {}
    transaction = {"id": str, "slot": int, "signature": str}
    columns = {new: f"t.{old}" for old, new in renamed.items()}
    out = answer_of(row, renamed=renamed, more=transaction | {name: kind for name, (kind, _) in more.items()})
    return Listing(
        name=table,
        docs=docs,
        out=out,
        source=f"{table} t JOIN events e USING (position) {join}",
        order=(Order("id", "t.position", "bigint"),),
        key="t.position::text",
        filters=filters,
        computed={"id": "t.position::text", "slot": SLOT, "signature": "e.signature", **columns}
        | {name: sql for name, (_, sql) in more.items()},
        json={name: kind for name, kind in get_type_hints(out).items() if "dict" in str(kind)},
        newest_first=True,
        path=path,
    )

"""Every list of the API is one `Listing`: a select built from the answer's fields, fixed filters, and a keyset order.

No text of a request ever becomes SQL: filters are chosen by name, values travel as parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from ionet_indexer.api.paging import One, Page, decode_cursor, encode_cursor
from ionet_indexer.api.problems import NotFound
from ionet_indexer.reader import Snapshot

T = TypeVar("T", bound=msgspec.Struct)


class Order(NamedTuple):
    """One part of a sort key: the item's field that carries it, its SQL expression and type."""

    field: str
    expression: str
    type: str


@dataclass(frozen=True, eq=False)
class Listing(Generic[T]):
    """A list of `out`. `source` is the FROM clause with the main table as `t`; `order` together is unique."""

    name: str
    out: type[T]
    source: str
    order: tuple[Order, ...]
    key: str
    """SQL expression that identifies one item."""
    filters: Mapping[str, str]
    """Name → condition with {0} for the value."""
    computed: Mapping[str, str] = field(default_factory=dict)
    """Field → SQL expression, where it is not the column of the same name."""
    json: Mapping[str, Any] = field(default_factory=dict)
    """Field that is a JSON column → its type."""
    newest_first: bool = False

    @lru_cache(maxsize=256)  # noqa: B019 - the few listings live as long as the process
    def sql(self, given: tuple[str, ...], after: bool) -> str:
        """Query whose parameters are the given filters' values, the cursor's values if `after`, and the limit."""
        conditions = [self.filters[name].format(f"${number}") for number, name in enumerate(given, 1)]
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

    async def page(self, snapshot: Snapshot, filters: Mapping[str, Any], cursor: str | None, limit: int) -> Page[T]:
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

    async def one(self, snapshot: Snapshot, key: str) -> One[T]:
        """The item with this key. Raises NotFound."""
        row = await snapshot.one(f"SELECT {self._fields()} FROM {self.source} WHERE {self.key} = $1", key)
        if row is None:
            raise NotFound(f"{self.out.__name__.lower()} {key} is not known at slot {snapshot.slot}")
        return One(snapshot.slot, snapshot.finalized_slot, self._item(row))

    def _item(self, row: Any) -> T:
        values = dict(row)
        for name, kind in self.json.items():
            values[name] = msgspec.json.decode(values[name] or b"null", type=kind)
        return self.out(**values)

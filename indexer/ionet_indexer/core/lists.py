"""Every list of the API is one `Listing`: a select built from the answer's fields, fixed filters, and a keyset order.

No text of a request ever becomes SQL: filters are chosen by name, values travel as parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Annotated, Any, NamedTuple, get_type_hints

import msgspec
from ionet.generated.enums import Currency
from ionet.words import words

from ionet_indexer.core import parameters
from ionet_indexer.core.answers import answer_of
from ionet_indexer.core.paging import One, Page, decode_cursor, encode_cursor
from ionet_indexer.core.reader import Snapshot, UnknownModel
from ionet_indexer.core.refusals import BadValue, NotFound
from ionet_indexer.core.rows import Fact

POSITION = "t.position"
SLOT = "(t.position >> 30)"  # see decode.position
# For the rows of the page alone: a join may be made from the other end.
_SIGNATURE = "(SELECT e.signature FROM events e WHERE e.position = t.position)"
_MOST_BRANCHES = 24  # more than the words of any list make


class Variant(NamedTuple):
    """One way to meet a filter: a condition, with {0} for the value where it takes one."""

    condition: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Filter:
    """What a list can be narrowed by: the type of the parameter, and the condition with {0} for its value.

    known: words, of which the parameter may name several. otherwise: of a boolean, the condition where it is false.
    read: what the tables call a value; raises BadValue. is_model: of a device model, see `Listing.looked_up`.
    """

    type: Any
    condition: str
    known: tuple[str, ...] = ()
    otherwise: str = ""
    read: Callable[[str], Any] | None = None
    is_model: bool = False

    def variants(self, name: str, value: Any) -> list[Variant]:
        """The ways to meet it, of which an item meets at most one. Raises BadValue."""
        if self.otherwise:
            return [Variant(self.condition if value else self.otherwise)]
        if not self.known:
            return [Variant(self.condition, (self.read(value) if self.read else value,))]
        chosen = value.split(",")
        parameters.check_words(name, chosen, self.known)
        if len(set(chosen)) < len(chosen):
            raise BadValue(f"{name}: a word is given more than once")
        return [Variant(self.condition, (word,)) for word in chosen]


def address(column: str) -> Filter:
    """Rows whose column is an address."""
    return Filter(parameters.Address, f"{column} = {{0}}")


def choice(column: str, *known: str, description: str = "") -> Filter:
    """Rows whose column is one of a few words, or one of several that are named."""
    return Filter(Annotated[str | None, parameters.some_words(description, *known)], f"{column} = {{0}}", known=known)


def currency(column: str = "t.currency") -> Filter:
    return choice(column, *words(Currency), description="What was paid with.")


def country(column: str = "t.country") -> Filter:
    return Filter(parameters.Country, f"{column} = {{0}}", read=parameters.country_number)


def either(condition: str, otherwise: str, description: str) -> Filter:
    """Rows for which a condition holds, or those for which the other does."""
    return Filter(Annotated[bool | None, parameters.query(description, True)], condition, otherwise=otherwise)


def number(condition: str, description: str, example: int, **limits: Any) -> Filter:
    """limits: as QueryParameter takes them."""
    return Filter(Annotated[int | None, parameters.query(description, example, **limits)], condition)


def addresses(*columns: str) -> dict[str, Filter]:
    return {column: address(f"t.{column}") for column in columns}


class Order(NamedTuple):
    """One part of a sort key: the item's field that carries it, its SQL expression and type."""

    field: str
    expression: str
    type: str


# Block times do not go back, so a time is a position.
_FIRST = "SELECT position FROM times WHERE block_time >= {0} ORDER BY block_time LIMIT 1"
_AT = f"coalesce(({_FIRST}), 1::bigint << 62)"


def times(column: str) -> dict[str, Filter]:
    """`since` and `until` over a column: a time, or the position of a row."""
    at = _AT if column == POSITION else "{0}"
    return {
        "since": Filter(parameters.Since, f"{column} >= {at}"),
        "until": Filter(parameters.Until, f"{column} < {at}"),
    }


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
    narrowed: Mapping[str, Filter]
    computed: Mapping[str, str] = field(default_factory=dict)
    """Field → SQL expression, where it is not the column of the same name."""
    json: Mapping[str, Any] = field(default_factory=dict)
    """Field that is a JSON column → its type."""
    newest_first: bool = False
    path: str = ""
    """Below /v1, where it is not the name."""
    item: str = ""
    """What a single item is, for its readers, where one can be asked for by its key."""
    named: str = ""
    """SQL condition, with $1 for what was given, that finds a single item by more than its key."""
    time: str = POSITION
    """SQL expression that `since` and `until` compare: a column with a time, or the position of the last change; empty
    where an item has no time.
    """

    @property
    def route(self) -> str:
        """Where it is served, below /v1."""
        return self.path or "/" + self.name.replace("_", "-")

    @cached_property
    def filters(self) -> dict[str, Filter]:
        """Everything the list can be narrowed by, by the name of the parameter."""
        return {**self.narrowed, **(times(self.time) if self.time else {})}

    async def looked_up(self, snapshot: Snapshot, filters: Mapping[str, Any]) -> dict[str, Any]:
        """The filters as `query` takes them. Raises UnknownModel."""
        found = dict(filters)
        for name, value in filters.items():
            if value is not None and self.filters[name].is_model:
                try:
                    found[name] = await snapshot.code_of(value)
                except UnknownModel as error:
                    raise error.in_filter(name) from None
        return found

    def query(self, filters: Mapping[str, Any], cursor: str | None, limit: int) -> tuple[str, list[Any]]:
        """The select for one page, and its values; filters that are None are not applied.

        It reads one row more than asked for, which tells whether there is a next page. Raises BadCursor or BadValue.
        """
        after = decode_cursor(self.name, cursor, [part.type for part in self.order])
        values: list[Any] = [*(after or ()), limit + 1]
        conditions = [[self._after()]] if after else []
        for name, value in filters.items():
            if value is not None:
                conditions.append([])
                for variant in self.filters[name].variants(name, value):
                    conditions[-1].append(variant.condition.format(f"${len(values) + 1}"))
                    values += variant.values
        branches = list(product(*conditions))
        if len(branches) > _MOST_BRANCHES:
            raise BadValue(f"{len(branches)} combinations of words are too many; at most {_MOST_BRANCHES}")
        limit_at = f"${len(after or ()) + 1}"
        return self._select(branches, limit_at), values

    def _select(self, branches: Sequence[tuple[str, ...]], limit_at: str) -> str:
        """Each combination of words is read in the order of the list, so that an index serves it; then merged."""
        direction = " DESC" if self.newest_first else ""
        ordered = ", ".join(f"{part.expression}{direction}" for part in self.order)
        selects = []
        for conditions in branches:
            where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
            end = f"FROM {self.source} {where} ORDER BY {ordered} LIMIT {limit_at}"
            if len(branches) == 1:
                return f"SELECT {self._fields} {end}"
            keys = ", ".join(f"{part.expression} AS sort_{number}" for number, part in enumerate(self.order))
            selects.append(f"(SELECT {self._fields}, {keys} {end})")
        merged = ", ".join(f"sort_{number}{direction}" for number in range(len(self.order)))
        names = ", ".join(f'"{name}"' for name in self._names())
        return f"SELECT {names} FROM ({' UNION ALL '.join(selects)}) u ORDER BY {merged} LIMIT {limit_at}"

    def _after(self) -> str:
        places = ", ".join(part.expression for part in self.order)
        values = ", ".join(f"${number}::text::{part.type}" for number, part in enumerate(self.order, 1))
        return f"({places}) {'<' if self.newest_first else '>'} ({values})"

    def _names(self) -> list[str]:
        return [item.encode_name for item in msgspec.structs.fields(self.out)]

    @cached_property
    def _fields(self) -> str:
        return ", ".join(f'{self.computed.get(name, f"t.{name}")} AS "{name}"' for name in self._names())

    def page(self, snapshot: Snapshot, rows: Sequence[Any], limit: int) -> Page[Any]:
        """One page of what its query found."""
        items = [self._item(row) for row in rows[:limit]]
        following = None
        if len(rows) > limit:
            following = encode_cursor(self.name, [str(getattr(items[-1], part.field)) for part in self.order])
        return Page(snapshot.slot, snapshot.finalized_slot, items, following)

    @cached_property
    def query_one(self) -> str:
        """The select for the item with a key."""
        return f"SELECT {self._fields} FROM {self.source} WHERE {self.named or f'{self.key} = $1'}"

    def one(self, snapshot: Snapshot, row: Any | None, key: str) -> One[Any]:
        """The item that `query_one` found. Raises NotFound."""
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
    without: Collection[str] = (),
    source: str = "",
    path: str = "",
) -> Listing:
    """A list of facts with their transaction, newest first.

    more: field → type and SQL of what the row does not hold. renamed: column → field. without: columns that stay
    inside. source: what to read instead of the row's table. path: below /v1, the table's name by default.
    """
    table, more, renamed = source or row.table, more or {}, renamed or {}
    transaction = {"id": str, "slot": int, "signature": str}
    columns = {new: f"t.{old}" for old, new in renamed.items()}
    found = transaction | {name: kind for name, (kind, _) in more.items()}
    out = answer_of(row, renamed=renamed, without=without, more=found)
    return Listing(
        name=table,
        docs=docs,
        out=out,
        source=f"{table} t",
        order=(Order("id", "t.position", "bigint"),),
        key="t.position::text",
        narrowed=filters,
        computed={"id": "t.position::text", "slot": SLOT, "signature": _SIGNATURE, **columns}
        | {name: sql for name, (_, sql) in more.items()},
        json={name: kind for name, kind in get_type_hints(out).items() if "dict" in str(kind)},
        newest_first=True,
        path=path,
    )

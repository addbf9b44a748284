"""What a row is: a msgspec struct whose fields are the columns of one table.

States are written and read as JSON, facts by COPY, which costs half as much but cannot replace a row.

`json_populate_recordset` takes a whole batch as one parameter and was measured at 10 µs per row of 21 columns, against
22 µs for `unnest` with one array per column. The migrations own the column types; a test compares both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar, TypeAlias, TypeVar

import msgspec


class Row(msgspec.Struct, gc=False):
    """One row of `table`, identified by its `key` column."""

    table: ClassVar[str]
    key: ClassVar[str]


class State(Row):
    """A row that folds the events of the entity named in its column `entity`."""

    entity: ClassVar[str]


class Fact(Row):
    """A row that the event at `position` made and nothing changes any more."""

    key: ClassVar[str] = "position"


R = TypeVar("R", bound=Row)
Records: TypeAlias = "Callable[[Sequence[Any]], list[Sequence[Any]]]"
_encoder = msgspec.json.Encoder()


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(list[kind])


@cache
def columns(kind: type[Row]) -> tuple[str, ...]:
    """Column names, in the order of the struct."""
    return tuple(field.encode_name for field in msgspec.structs.fields(kind))


def encode(rows: list[Any]) -> str:
    """Rows as one JSON parameter."""
    return _encoder.encode(rows).decode()


def decode(kind: type[R], text: str | None) -> list[R]:
    """Rows from the JSON of `select_sql`; none for null."""
    found: list[R] = _decoder(kind).decode(text) if text else []
    return found


def records(types: Sequence[str]) -> Records:
    """What makes rows into records for COPY, by the database's types of their columns.

    Lists and objects are JSON there; amounts stay integers (`core/amounts.py`).
    """
    makers = [_MAKERS.get(name, _same) for name in types]
    special = [(at, maker) for at, maker in enumerate(makers) if maker is not _same]

    def made(items: Sequence[Row]) -> list[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        for item in items:
            values = list(msgspec.structs.astuple(item))
            for at, maker in special:
                if values[at] is not None:
                    values[at] = maker(values[at])
            found.append(values)
        return found

    return made


def _same(value: Any) -> Any:
    return value


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "jsonb": lambda value: _encoder.encode(value).decode(),
    "json": lambda value: _encoder.encode(value).decode(),
}


@cache
def insert_sql(kind: type[State]) -> str:
    """Insert a batch given as one JSON parameter; a row replaces the one that is there."""
    names = ", ".join(columns(kind))
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns(kind) if name != kind.key)
    return (
        f"INSERT INTO {kind.table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{kind.table}, $1) "
        f"ON CONFLICT ({kind.key}) DO UPDATE SET {changed}"
    )


@cache
def select_sql(kind: type[Row], by: str) -> str:
    """Rows whose column `by` is one of the values given as one array, as one JSON array."""
    names = ", ".join(columns(kind))
    return f"SELECT json_agg(r)::text FROM (SELECT {names} FROM {kind.table} WHERE {by} = ANY($1)) r"


@cache
def select_all_sql(kind: type[Row]) -> str:
    """All rows, as one JSON array."""
    return f"SELECT json_agg(r)::text FROM (SELECT {', '.join(columns(kind))} FROM {kind.table}) r"


@cache
def delete_sql(kind: type[State]) -> str:
    """Remove the rows of the entities given as one array."""
    return f"DELETE FROM {kind.table} WHERE {kind.entity} = ANY($1)"

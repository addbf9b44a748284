"""Answers of the API from rows: an answer has its row's columns, the amounts among them as decimal strings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from ionet_indexer.core.rows import Row

Amount = Annotated[int, "amount"]
"""A column that may exceed what JSON readers hold exactly: base units, long times; below 10^20, as u64 is."""
Wide = Annotated[int, "wide"]
"""The same of a u128, which has up to 39 digits: shares, sums of processor-seconds."""
Digits = Annotated[str, "digits"]
"""An `Amount` as an answer has it: a decimal string."""


def answer_of(
    row: type[Row],
    *,
    name: str = "",
    without: Collection[str] = (),
    renamed: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> type[msgspec.Struct]:
    """The struct that the API answers with for a row. The row's docstring describes it.

    name: of the answer, the row's by default. without: columns that stay inside, besides `position`, which an answer
    gives as its slot. renamed: column → field. more: field → type of what the row does not hold; a column's name there
    replaces the column.
    """
    kept = dict(more or {})
    hints = get_type_hints(row, include_extras=True)
    for column in row.__struct_fields__:
        field = (renamed or {}).get(column, column)
        if column not in {"position", *without}:
            kept.setdefault(field, _shown(hints[column]))
    namespace = {"__doc__": row.__doc__, "__module__": row.__module__}
    return msgspec.defstruct(name or row.__name__, list(kept.items()), namespace=namespace)


def _shown(kind: Any) -> Any:
    """A column's type as an answer has it."""
    if get_origin(kind) in (Union, UnionType) and Amount in get_args(kind):
        return Digits | None
    return {Amount: Digits, Wide: str}.get(kind, kind)

"""Rows of the indexer as CSV: just those that a table shows, with every field that the API has of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ionet_web.indexer import Indexer, Refused

PAGE, MOST = 200, 5_000
"""Rows at a time, and in a file: a whole table is a file of the API."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class TooMany(Refused):
    """more rows than one file has"""

    status = 413


async def csv_of(indexer: Indexer, path: str, query: Mapping[str, str]) -> str:
    """The rows of a list. path: below /v1. Raises TooMany, Refused, NotKnown, Unavailable."""
    parts = path.strip("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise Refused("no such list")
    asked = {name: value for name, value in query.items() if name not in ("cursor", "limit")}
    paged = {**asked, "limit": str(PAGE)}
    items: list[dict[str, Any]] = []
    while True:
        answer = await indexer.get(*parts, **paged)
        items += _rows(answer)
        if not answer.get("next"):
            return as_csv(items)
        if len(items) >= MOST:
            raise TooMany(f"more than {MOST:,} rows: narrow them, or take the whole table as a file of the API")
        paged["cursor"] = str(answer["next"])


def _rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = answer.get("items")
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Refused("that is no list")
    return found


def as_csv(items: Sequence[Mapping[str, Any]]) -> str:
    """RFC 4180, the fields of the first item as its head; lists and objects as JSON, null as nothing."""
    text = io.StringIO()
    names = list(items[0]) if items else []
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(names)
    table.writerows([_cell(item.get(name)) for name in names] for item in items)
    return text.getvalue()


def _cell(value: Any) -> str:
    """Nothing that a spreadsheet would compute: a text that begins like a formula is quoted."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text

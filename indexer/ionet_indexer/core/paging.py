"""Keyset pagination: a cursor names the last row a client saw, so pages stay stable while rows are added."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from ionet_indexer.core.refusals import BadCursor

T = TypeVar("T")
MAX_LIMIT = 200
CURSOR_MAX = 512  # characters
_VALID = {
    "bigint": re.compile(r"[0-9]{1,18}"),
    "numeric": re.compile(r"[0-9]{1,39}"),
    "text": re.compile(r"[0-9A-Za-z]{1,64}"),
}


class Page(msgspec.Struct, Generic[T]):
    """One page of a list.

    `slot` is the newest confirmed slot whose events are in this answer, `finalized_slot` the newest that can no longer
    be undone; `next` continues the list and is null at its end.
    """

    slot: int
    finalized_slot: int
    items: list[T]
    next: str | None


class One(msgspec.Struct, Generic[T]):
    """A single thing and the slots it is true at; see Page."""

    slot: int
    finalized_slot: int
    item: T


def encode_cursor(kind: str, key: list[str]) -> str:
    """Opaque cursor of list `kind` after the row with this sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode([kind, *key])).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str | None, types: Sequence[str]) -> list[str] | None:
    """The sort key (as text, of these SQL types) in a cursor of list `kind`.

    Raises BadCursor for another list's cursor or anything else that the database would choke on.
    """
    if cursor is None:
        return None
    if len(cursor) > CURSOR_MAX:
        raise BadCursor
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[str])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise BadCursor from None
    if len(values) != len(types) + 1 or values[0] != kind:
        raise BadCursor
    if not all(_VALID[sql].fullmatch(value) for sql, value in zip(types, values[1:], strict=True)):
        raise BadCursor
    return values[1:]

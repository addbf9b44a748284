"""Keyset pagination: a cursor names the last row a client saw, so pages stay stable while rows are added."""

from __future__ import annotations

import base64
import binascii
from typing import Generic, TypeVar

import msgspec

from ionet_indexer.api.problems import BadCursor

T = TypeVar("T")
MAX_LIMIT = 200
_CURSOR_MAX = 512  # characters


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


def encode_cursor(kind: str, key: list[str | int]) -> str:
    """Opaque cursor of list `kind` after the row with this sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode([kind, *key])).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str | None, shape: tuple[type, ...]) -> list[str | int] | None:
    """The sort key in a cursor of list `kind`. Raises BadCursor for another list's cursor or anything else."""
    if cursor is None:
        return None
    try:
        if len(cursor) > _CURSOR_MAX:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        values = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[str | int])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise BadCursor from None
    if not values or values[0] != kind or tuple(type(value) for value in values[1:]) != shape:
        raise BadCursor
    if any(isinstance(value, int) and not 0 <= value < 1 << 63 for value in values):
        raise BadCursor
    return values[1:]

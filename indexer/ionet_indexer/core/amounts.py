"""Amounts are integers here and `numeric` in the database: its binary form, in half the time that decimals took.

Source: PostgreSQL, `src/backend/utils/adt/numeric.c`, `numeric_send`: how many digits of base 10,000, the weight of the
first one, the sign, how many decimal places are shown, and the digits.
"""

from __future__ import annotations

import struct

import asyncpg
from ionet.errors import IonetError

_BASE = 10_000
_HEAD = struct.Struct(">HhHH")
_NEGATIVE, _NOT_FINITE = 0x4000, 0xC000


class NotWhole(IonetError):
    """the database holds a number that is no integer"""


async def use_integers(connection: asyncpg.Connection) -> None:
    """Give and take columns of type `numeric` as integers."""
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=encode, decoder=decode, format="binary")


def encode(amount: int) -> bytes:
    """An integer as `numeric`."""
    if 0 < amount < _BASE:
        return b"\0\1\0\0\0\0\0\0" + amount.to_bytes(2, "big")
    left, digits = abs(amount), bytearray()
    while left:
        left, digit = divmod(left, _BASE)
        digits[:0] = digit.to_bytes(2, "big")
    count = len(digits) // 2
    return _HEAD.pack(count, max(count - 1, 0), _NEGATIVE if amount < 0 else 0, 0) + digits


def decode(data: bytes) -> int:
    """The integer of a `numeric`. Raises NotWhole for a fraction, and for what is not a finite number."""
    count, weight, sign, places = _HEAD.unpack_from(data)
    if sign >= _NOT_FINITE or places:
        raise NotWhole(f"numeric {data.hex()}")
    value = 0
    for at in range(weight + 1):
        digit = int.from_bytes(data[8 + 2 * at : 10 + 2 * at], "big") if at < count else 0
        value = value * _BASE + digit
    return -value if sign else value

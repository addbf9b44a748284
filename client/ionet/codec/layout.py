"""Layouts: how one type is read from bytes, written to bytes and shown as JSON.

A type whose size never changes is `Fixed`: it contributes a piece of one `struct` format, so that a struct of a hundred
fixed fields, nested ones included, is one call of `unpack_from`. Everything else is read field by field.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from solders.pubkey import Pubkey

from ionet.errors import IonetError

Buffer: TypeAlias = bytes | bytearray | memoryview
Raw: TypeAlias = tuple[Any, ...]


class CodecError(IonetError):
    """data and layout do not fit"""


class DecodeError(CodecError):
    """the bytes do not fit the layout"""


class UnknownEvent(DecodeError):
    """the event is not in the IDL: another version of the program recorded it"""


class EncodeError(CodecError):
    """the value does not fit the layout"""


@dataclass(frozen=True, slots=True)
class Layout:
    """read(buffer, offset) -> (value, next offset); write(value, out) appends; show(value) -> JSON-able value."""

    read: Callable[[Buffer, int], tuple[Any, int]]
    write: Callable[[Any, bytearray], None]
    show: Callable[[Any], Any]
    fixed: Fixed | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fixed-size type as part of a `struct` format.

    width: how many items of the unpacked tuple it takes. build(raw, at) -> value; None when the item is the value.
    flat(value, out): appends the items to pack.
    """

    format: str
    width: int
    build: Callable[[Raw, int], Any] | None
    flat: Callable[[Any, list[Any]], None]


def from_fixed(fixed: Fixed, show: Callable[[Any], Any]) -> Layout:
    """A layout that can stand alone for a fixed-size type."""
    packer = struct.Struct("<" + fixed.format)
    unpack, size, build, flat = packer.unpack_from, packer.size, fixed.build, fixed.flat

    def read(buffer: Buffer, offset: int) -> tuple[Any, int]:
        raw = unpack(buffer, offset)
        return (raw[0] if build is None else build(raw, 0)), offset + size

    def write(value: Any, out: bytearray) -> None:
        items: list[Any] = []
        flat(value, items)
        out += packer.pack(*items)

    return Layout(read, write, show, fixed)


def _append(value: Any, out: list[Any]) -> None:
    out.append(value)


def _same(value: Any) -> Any:
    return value


def _integer(code: str, *, wide: bool) -> Layout:
    # 64 bits and more become strings in JSON: a JavaScript number would round them.
    return from_fixed(Fixed(code, 1, None, _append), str if wide else _same)


def _big_integer(size: int, *, signed: bool) -> Layout:
    def build(raw: Raw, at: int) -> int:
        return int.from_bytes(raw[at], "little", signed=signed)

    def flat(value: int, out: list[Any]) -> None:
        out.append(value.to_bytes(size, "little", signed=signed))

    return from_fixed(Fixed(f"{size}s", 1, build, flat), str)


def _build_bool(raw: Raw, at: int) -> bool:
    if raw[at] > 1:
        raise DecodeError(f"{raw[at]} is not a boolean")
    return bool(raw[at])


def _flat_bool(value: bool, out: list[Any]) -> None:
    if not isinstance(value, bool):
        raise EncodeError(f"{value!r} is not a boolean")
    out.append(int(value))


def _flat_pubkey(value: Pubkey, out: list[Any]) -> None:
    if not isinstance(value, Pubkey):
        raise EncodeError(f"{value!r} is not a Pubkey")
    out.append(bytes(value))


_PUBKEY = from_fixed(Fixed("32s", 1, lambda raw, at: Pubkey(raw[at]), _flat_pubkey), str)
_SIZE = struct.Struct("<I")


def _read_bytes(buffer: Buffer, offset: int) -> tuple[bytes, int]:
    (size,) = _SIZE.unpack_from(buffer, offset)
    start, end = offset + 4, offset + 4 + size
    if end > len(buffer):
        raise DecodeError(f"{size} bytes announced, {len(buffer) - start} left")
    return bytes(buffer[start:end]), end


def _write_bytes(value: Any, out: bytearray) -> None:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise EncodeError(f"{value!r} is not bytes")
    out += _SIZE.pack(len(value))
    out += value


def _read_string(buffer: Buffer, offset: int) -> tuple[str, int]:
    data, end = _read_bytes(buffer, offset)
    try:
        return data.decode(), end
    except UnicodeDecodeError:
        raise DecodeError("a string is not UTF-8") from None


def _write_string(value: Any, out: bytearray) -> None:
    if not isinstance(value, str):
        raise EncodeError(f"{value!r} is not a string")
    _write_bytes(value.encode(), out)


PRIMITIVES: dict[str, Layout] = {
    "bool": from_fixed(Fixed("B", 1, _build_bool, _flat_bool), _same),
    "u8": _integer("B", wide=False),
    "i8": _integer("b", wide=False),
    "u16": _integer("H", wide=False),
    "i16": _integer("h", wide=False),
    "u32": _integer("I", wide=False),
    "i32": _integer("i", wide=False),
    "u64": _integer("Q", wide=True),
    "i64": _integer("q", wide=True),
    "u128": _big_integer(16, signed=False),
    "i128": _big_integer(16, signed=True),
    "u256": _big_integer(32, signed=False),
    "i256": _big_integer(32, signed=True),
    "f32": from_fixed(Fixed("f", 1, None, _append), _same),
    "f64": from_fixed(Fixed("d", 1, None, _append), _same),
    "pubkey": _PUBKEY,
    "bytes": Layout(_read_bytes, _write_bytes, lambda value: value.hex()),
    "string": Layout(_read_string, _write_string, _same),
}


def padding(size: int) -> Fixed:
    """Bytes that are skipped when read and zero when written; they are not a field of the value."""

    def flat(_value: Any, _out: list[Any]) -> None:
        """Packing "x" takes no item."""

    return Fixed(f"{size}x", 0, None, flat)


def option(inner: Layout) -> Layout:
    """Borsh Option: one byte 0 or 1, then the value."""

    def read(buffer: Buffer, offset: int) -> tuple[Any, int]:
        tag = buffer[offset]
        if tag == 0:
            return None, offset + 1
        if tag != 1:
            raise DecodeError(f"{tag} is not an option tag")
        return inner.read(buffer, offset + 1)

    def write(value: Any, out: bytearray) -> None:
        out.append(0 if value is None else 1)
        if value is not None:
            inner.write(value, out)

    return Layout(read, write, lambda value: None if value is None else inner.show(value))


def vector(inner: Layout) -> Layout:
    """Borsh Vec: u32 count, then the items; a tuple in Python."""

    def read(buffer: Buffer, offset: int) -> tuple[tuple[Any, ...], int]:
        (count,) = _SIZE.unpack_from(buffer, offset)
        offset += 4
        if count > len(buffer) - offset:  # every item takes at least one byte: refuse before looping
            raise DecodeError(f"{count} items announced, {len(buffer) - offset} bytes left")
        items = []
        for _ in range(count):
            item, offset = inner.read(buffer, offset)
            items.append(item)
        return tuple(items), offset

    def write(value: Sequence[Any], out: bytearray) -> None:
        out += _SIZE.pack(len(value))
        for item in value:
            inner.write(item, out)

    return Layout(read, write, lambda value: [inner.show(item) for item in value])


def byte_array(size: int) -> Layout:
    """[u8; n] is bytes of exactly that length."""

    def flat(value: Any, out: list[Any]) -> None:
        if not isinstance(value, bytes | bytearray) or len(value) != size:
            raise EncodeError(f"{value!r} is not {size} bytes")
        out.append(bytes(value))

    return from_fixed(Fixed(f"{size}s", 1, None, flat), lambda value: value.hex())


def array(inner: Layout, size: int) -> Layout:
    """[T; n]: a tuple in Python."""

    def show(value: Sequence[Any]) -> list[Any]:
        return [inner.show(item) for item in value]

    def check(value: Sequence[Any]) -> None:
        if len(value) != size:
            raise EncodeError(f"{len(value)} items where the layout has {size}")

    if inner.fixed is not None:
        return from_fixed(_fixed_array(inner.fixed, size, check), show)

    def read(buffer: Buffer, offset: int) -> tuple[tuple[Any, ...], int]:
        items = []
        for _ in range(size):
            item, offset = inner.read(buffer, offset)
            items.append(item)
        return tuple(items), offset

    def write(value: Sequence[Any], out: bytearray) -> None:
        check(value)
        for item in value:
            inner.write(item, out)

    return Layout(read, write, show)


def _fixed_array(item: Fixed, size: int, check: Callable[[Sequence[Any]], None]) -> Fixed:
    width, build_item = item.width, item.build
    total = width * size

    def build(raw: Raw, at: int) -> tuple[Any, ...]:
        if build_item is None:
            return raw[at : at + total]
        return tuple(build_item(raw, index) for index in range(at, at + total, width))

    def flat(value: Sequence[Any], out: list[Any]) -> None:
        check(value)
        for element in value:
            item.flat(element, out)

    # A single format letter repeats by count ("16Q"); anything longer is written out.
    form = f"{size}{item.format}" if len(item.format) == 1 else item.format * size
    return Fixed(form, total, build, flat)

"""`ProgramCodec`: instructions, accounts and events of one program, to bytes and back."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from solders.pubkey import Pubkey

from ionet.codec.layout import Buffer, DecodeError, EncodeError, Layout, UnknownEvent
from ionet.codec.types import TypeTable, fixed_size
from ionet.idl.model import Discriminated, Field, Idl, IdlError, Instruction

T = TypeVar("T")

# First eight bytes of an instruction that a program sends to itself to record an event (`emit_cpi!`).
EVENT_TAG = bytes.fromhex("e445a52e51cb9a1d")


@dataclass(frozen=True, slots=True)
class Call:
    """A decoded instruction: its name and its arguments by name."""

    name: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One account or event type."""

    name: str
    discriminator: bytes
    make: type[Any]
    layout: Layout
    size: int
    """Bytes with the discriminator; 0 when they vary."""


class ProgramCodec:
    """Reads and writes everything an IDL describes. Immutable after construction; safe to share."""

    def __init__(self, idl: Idl, classes: Mapping[str, type[Any]] | None = None) -> None:
        self.idl = idl
        self.id = Pubkey.from_string(idl.address)
        self._types = TypeTable(idl, classes or {})
        self._instructions = {item.name: item for item in idl.instructions}
        self._by_tag = {bytes(item.discriminator): item for item in idl.instructions}
        self._args = {item.name: self._arg_layouts(item) for item in idl.instructions}
        self._accounts = [self._entry(item) for item in idl.accounts]
        self._events = [self._entry(item) for item in idl.events]
        self._account_by_class = {entry.make: entry for entry in self._accounts}
        self._event_by_class = {entry.make: entry for entry in self._events}
        # Discriminators are eight bytes by default; a program may choose other lengths, so look up per length.
        self._account_tags = _by_length(self._accounts)
        self._event_tags = _by_length(self._events)

    def _arg_layouts(self, item: Instruction) -> list[tuple[str, Layout]]:
        return [(field.name, self._types.layout(field.type)) for field in item.args]

    def _entry(self, item: Discriminated) -> _Entry:
        layout = self._types.layout({"defined": {"name": item.name}})
        tag = bytes(item.discriminator)
        size = 0 if layout.fixed is None else len(tag) + fixed_size(layout)
        return _Entry(item.name, tag, self._types.class_of(item.name), layout, size)

    # -- instructions

    def instruction(self, name: str) -> Instruction:
        """The IDL's entry; IdlError when the program has no such instruction."""
        try:
            return self._instructions[name]
        except KeyError:
            raise IdlError(f"program {self.idl.metadata.name} has no instruction {name!r}") from None

    def encode_args(self, name: str, args: Mapping[str, Any]) -> bytes:
        """Instruction data: discriminator and arguments. Raises EncodeError naming the argument that does not fit."""
        item = self.instruction(name)
        expected = {field.name for field in item.args}
        if args.keys() != expected:
            raise EncodeError(f"{name} takes {_listing(expected)}, got {_listing(args.keys())}")
        out = bytearray(item.discriminator)
        for field, layout in self._args[name]:
            try:
                layout.write(args[field], out)
            except (struct.error, OverflowError, TypeError, AttributeError, ValueError, EncodeError) as error:
                raise EncodeError(f"{name}, argument {field}: {error}") from None
        return bytes(out)

    def decode_args(self, data: Buffer) -> Call:
        """The instruction that `data` calls. Raises DecodeError when it is none of the program's."""
        for size in range(1, 9):
            item = self._by_tag.get(bytes(data[:size]))
            if item is not None:
                break
        else:
            raise DecodeError("no instruction of this program starts like that")
        args: dict[str, Any] = {}
        offset = len(item.discriminator)
        try:
            for field, layout in self._args[item.name]:
                args[field], offset = layout.read(data, offset)
        except (struct.error, IndexError, DecodeError) as error:
            raise DecodeError(f"{item.name}: {error}") from None
        _at_end(item.name, data, offset)
        return Call(item.name, args)

    # -- accounts

    def account_class(self, name: str) -> type[Any]:
        """The class that accounts of this name decode to."""
        for entry in self._accounts:
            if entry.name == name:
                return entry.make
        raise IdlError(f"program {self.idl.metadata.name} has no account type {name!r}")

    def account_discriminator(self, make: type[Any]) -> bytes:
        """The bytes an account of this class starts with."""
        return self._account_entry(make).discriminator

    def account_size(self, make: type[Any]) -> int | None:
        """Bytes of an account of this class with its discriminator; None when it varies."""
        return self._account_entry(make).size or None

    def field_match(self, make: type[Any], name: str, value: Any) -> tuple[int, bytes]:
        """Offset and bytes of a field of this account class, for filters. IdlError when its place varies."""
        entry = self._account_entry(make)
        offset = len(entry.discriminator)
        for member in self._types.members(entry.name):
            if member.name == name:
                out = bytearray()
                try:
                    member.layout.write(value, out)
                except (struct.error, OverflowError, TypeError, AttributeError, ValueError) as error:
                    raise EncodeError(f"{entry.name}.{name}: {error}") from None
                return offset, bytes(out)
            if member.layout.fixed is None:
                break
            offset += fixed_size(member.layout)
        raise IdlError(f"{entry.name} has no field {name!r} at a fixed place")

    def decode_account(self, data: Buffer, make: type[T]) -> T:
        """An account of a known class. Raises DecodeError for another type or short data; spare bytes are allowed."""
        entry = self._account_entry(make)
        tag = entry.discriminator
        if bytes(data[: len(tag)]) != tag:
            raise DecodeError(f"this account is not a {entry.name}")
        value: T = _read(entry, data)[0]
        return value

    def decode_any_account(self, data: Buffer) -> Any:
        """An account of any class of the program. Raises DecodeError when it is none."""
        entry = _find(self._account_tags, data)
        if entry is None:
            raise DecodeError(f"no account of {self.idl.metadata.name} starts like that")
        return _read(entry, data)[0]

    def account_name(self, data: Buffer) -> str | None:
        """The type of an account, by how it starts; None when it is none of the program's."""
        entry = _find(self._account_tags, data)
        return None if entry is None else entry.name

    def encode_account(self, value: Any) -> bytes:
        """Account data of a value; the inverse of `decode_account` (padding is zero)."""
        return _write(self._account_entry(type(value)), value)

    def _account_entry(self, make: type[Any]) -> _Entry:
        try:
            return self._account_by_class[make]
        except KeyError:
            raise IdlError(f"{make.__name__} is not an account type of {self.idl.metadata.name}") from None

    # -- events

    def decode_event(self, data: Buffer) -> Any:
        """An event from its discriminator and payload. Raises DecodeError, UnknownEvent if the IDL does not have it.

        Versions of the program only append fields: those that an earlier one did not write are zero, and those that a
        later one wrote are left out.
        """
        entry = _find(self._event_tags, data)
        if entry is None:
            raise UnknownEvent(f"no event of {self.idl.metadata.name} starts like that")
        if len(data) < entry.size and len(data) in self._older_sizes(entry):
            data = bytes(data).ljust(entry.size, b"\0")
        return _read(entry, data)[0]

    def _older_sizes(self, entry: _Entry) -> set[int]:
        """Sizes that this event can have had: later versions of the program append fields, which are zero before."""
        sizes, size = set(), len(entry.discriminator)
        for member in self._types.members(entry.name):
            sizes.add(size)
            size += fixed_size(member.layout)
        return sizes

    def decode_cpi_event(self, data: bytes) -> Any | None:
        """The event in the data of an inner instruction to this program; None when it records none. Raises likewise."""
        return self.decode_event(memoryview(data)[8:]) if data[:8] == EVENT_TAG else None

    def encode_event(self, value: Any) -> bytes:
        """Discriminator and payload of an event."""
        entry = self._event_by_class.get(type(value))
        if entry is None:
            raise IdlError(f"{type(value).__name__} is not an event of {self.idl.metadata.name}")
        return _write(entry, value)

    # -- anything

    def show(self, value: Any) -> dict[str, Any]:
        """An account or event as JSON-able fields: 64 bits and more as strings, keys base58, bytes hex."""
        entry = self._account_by_class.get(type(value)) or self._event_by_class.get(type(value))
        if entry is None:
            raise IdlError(f"{type(value).__name__} is not an account or event of {self.idl.metadata.name}")
        shown: dict[str, Any] = entry.layout.show(value)
        return shown

    def show_type(self, name: str, data: Buffer) -> dict[str, Any]:
        """A value of a type that the IDL defines as JSON-able fields, like `show`. Raises DecodeError."""
        layout = self._types.layout({"defined": {"name": name}})
        try:
            value, offset = layout.read(data, 0)
        except (struct.error, IndexError, DecodeError) as error:
            raise DecodeError(f"{name}: {error}") from None
        _at_end(name, data, offset)
        shown: dict[str, Any] = layout.show(value)
        return shown

    def encode_value(self, field: Field, value: Any) -> bytes:
        """One argument's bytes, as a PDA seed takes them."""
        out = bytearray()
        self._types.layout(field.type).write(value, out)
        return bytes(out)


def _by_length(entries: list[_Entry]) -> list[tuple[int, dict[bytes, _Entry]]]:
    tables: dict[int, dict[bytes, _Entry]] = {}
    for entry in entries:
        tables.setdefault(len(entry.discriminator), {})[entry.discriminator] = entry
    return sorted(tables.items(), reverse=True)


def _find(tables: list[tuple[int, dict[bytes, _Entry]]], data: Buffer) -> _Entry | None:
    for size, table in tables:
        entry = table.get(bytes(data[:size]))
        if entry is not None:
            return entry
    return None


def _write(entry: _Entry, value: Any) -> bytes:
    out = bytearray(entry.discriminator)
    try:
        entry.layout.write(value, out)
    except (struct.error, OverflowError, TypeError, AttributeError, ValueError) as error:
        raise EncodeError(f"{entry.name}: {error}") from None
    return bytes(out)


def _read(entry: _Entry, data: Buffer) -> tuple[Any, int]:
    try:
        return entry.layout.read(data, len(entry.discriminator))
    except (struct.error, IndexError, DecodeError) as error:
        raise DecodeError(f"{entry.name}: {error}") from None


def _at_end(name: str, data: Buffer, offset: int) -> None:
    if offset != len(data):
        raise DecodeError(f"{name}: {len(data) - offset} bytes too many")


def _listing(names: Any) -> str:
    return ", ".join(sorted(names)) or "nothing"

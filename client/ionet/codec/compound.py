"""Structs and enums: layouts that build objects of a class."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ionet.codec.layout import Buffer, DecodeError, EncodeError, Fixed, Layout, Raw, from_fixed


@dataclass(frozen=True, slots=True)
class Member:
    """One field. Padding has no name: it takes bytes and is not an attribute."""

    name: str | None
    layout: Layout


def struct_layout(make: Callable[..., Any], members: Sequence[Member]) -> Layout:
    """A struct read into `make(*values)`; written from the attributes of the same names."""
    show = _show_struct(members)
    if all(member.layout.fixed is not None for member in members):
        return from_fixed(_fixed_struct(make, members), show)
    readers = [(member.layout.read, member.name is not None) for member in members]
    writers = [(member.name, member.layout.write) for member in members]

    def read(buffer: Buffer, offset: int) -> tuple[Any, int]:
        values = []
        for read_one, keep in readers:
            value, offset = read_one(buffer, offset)
            if keep:
                values.append(value)
        return make(*values), offset

    def write(value: Any, out: bytearray) -> None:
        for name, write_one in writers:
            try:
                write_one(None if name is None else getattr(value, name), out)
            except (struct.error, OverflowError, TypeError, AttributeError, EncodeError) as error:
                raise EncodeError(f"{name}: {error}") from None

    return Layout(read, write, show)


def _fixed_struct(make: Callable[..., Any], members: Sequence[Member]) -> Fixed:
    plan: list[tuple[Callable[[Raw, int], Any] | None, int]] = []
    flats: list[tuple[str, Callable[[Any, list[Any]], None]]] = []
    width = 0
    for member in members:
        fixed = member.layout.fixed
        assert fixed is not None
        if member.name is not None:
            plan.append((fixed.build, width))
            flats.append((member.name, fixed.flat))
        width += fixed.width

    # Plain fields only, one item each: the raw tuple already is the argument list. (Common in events of numbers.)
    direct = all(build is None for build, _ in plan) and width == len(plan)

    def build(raw: Raw, at: int) -> Any:
        if direct:
            return make(*raw[at : at + width])
        return make(*[raw[at + index] if item is None else item(raw, at + index) for item, index in plan])

    def flat(value: Any, out: list[Any]) -> None:
        for name, flat_one in flats:
            flat_one(getattr(value, name), out)

    return Fixed("".join(member.layout.fixed.format for member in members if member.layout.fixed), width, build, flat)


def _show_struct(members: Sequence[Member]) -> Callable[[Any], dict[str, Any]]:
    shows = [(member.name, member.layout.show) for member in members if member.name is not None]

    def show(value: Any) -> dict[str, Any]:
        return {name: show_one(getattr(value, name)) for name, show_one in shows}

    return show


def plain_enum_layout(make: type[Any]) -> Layout:
    """An enum without data: one byte, an IntEnum in Python."""
    members = {int(member): member for member in make}

    def build(raw: Raw, at: int) -> Any:
        try:
            return members[raw[at]]
        except KeyError:
            raise DecodeError(f"{raw[at]} is not a {make.__name__}") from None

    def flat(value: Any, out: list[Any]) -> None:
        if int(value) not in members:
            raise EncodeError(f"{value!r} is not a {make.__name__}")
        out.append(int(value))

    return from_fixed(Fixed("B", 1, build, flat), lambda value: value.name)


def data_enum_layout(name: str, variants: Mapping[int, tuple[type[Any], Layout]]) -> Layout:
    """An enum with data: one byte, then the fields of that variant; one class per variant."""
    tags = {make: tag for tag, (make, _) in variants.items()}

    def read(buffer: Buffer, offset: int) -> tuple[Any, int]:
        tag = buffer[offset]
        if tag not in variants:
            raise DecodeError(f"{tag} is not a variant of {name}")
        return variants[tag][1].read(buffer, offset + 1)

    def write(value: Any, out: bytearray) -> None:
        tag = tags.get(type(value))
        if tag is None:
            raise EncodeError(f"{value!r} is not a variant of {name}")
        out.append(tag)
        variants[tag][1].write(value, out)

    def show(value: Any) -> dict[str, Any]:
        tag = tags[type(value)]
        return {"kind": type(value).__name__.removeprefix(name), **variants[tag][1].show(value)}

    return Layout(read, write, show)

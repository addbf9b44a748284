"""From the IDL's type definitions to layouts and classes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, TypeAlias

import msgspec

from ionet.codec.compound import Member, data_enum_layout, plain_enum_layout, struct_layout
from ionet.codec.layout import PRIMITIVES, Layout, array, byte_array, from_fixed, option, padding, vector
from ionet.idl.model import (
    AliasBody,
    ConstGeneric,
    EnumBody,
    Field,
    Idl,
    IdlError,
    StructBody,
    TypeDef,
    TypeRef,
    named_fields,
)

# Generic parameters in force: a type or a number by name.
Environment: TypeAlias = Mapping[str, TypeRef | int]
# A generic type may contain a longer instance of itself without end.
_MAX_DEPTH = 64


def is_padding(field: Field) -> bool:
    """Whether a field only fills the layout: its name begins with `_`."""
    return field.name.startswith("_")


class TypeTable:
    """Layouts of every type an IDL defines.

    classes: the generated classes by name. A type that has none, or whose class has other fields (another version of
    the program), gets a class made on the spot.
    """

    def __init__(self, idl: Idl, classes: Mapping[str, type[Any]]) -> None:
        self._idl = idl
        self._given = classes
        self._layouts: dict[str, Layout] = {}
        self._classes: dict[str, type[Any]] = {}
        self._members: dict[str, list[Member]] = {}
        self._open: set[str] = set()

    def class_of(self, name: str) -> type[Any]:
        """The class that values of a struct (or enum without data) decode to."""
        self.defined(name, (), {})
        return self._classes[name]

    def members(self, name: str) -> list[Member]:
        """The fields of a struct in order, padding included."""
        self.defined(name, (), {})
        return self._members[name]

    def layout(self, ref: TypeRef, env: Environment | None = None) -> Layout:
        """The layout of any type expression. Raises IdlError when it is not one."""
        env = env or {}
        if isinstance(ref, str):
            if ref not in PRIMITIVES:
                raise IdlError(f"unknown type {ref!r}")
            return PRIMITIVES[ref]
        ((kind, body),) = ref.items()
        if kind == "option":
            return option(self.layout(body, env))
        if kind == "vec":
            return vector(self.layout(body, env))
        if kind == "array":
            return self._array(body, env)
        if kind == "generic":
            return self.layout(_bound_type(body, env))
        if kind == "defined":
            generics = body.get("generics", ()) if isinstance(body, dict) else ()
            return self.defined(body["name"] if isinstance(body, dict) else body, generics, env)
        raise IdlError(f"unknown type {ref!r}")

    def _array(self, body: list[Any], env: Environment) -> Layout:
        item, length = _closed_array(body, env)
        return byte_array(length) if item == "u8" else array(self.layout(item, env), length)

    def defined(self, name: str, generics: tuple[Any, ...] | list[Any], env: Environment) -> Layout:
        """The layout of a defined type with its generic arguments."""
        definition = self._idl.type_def(name)
        inner = _bind(definition, generics, env)
        key = instance(definition.name, inner.values())
        if key not in self._layouts:
            if key in self._open:
                raise IdlError(f"type {key} contains itself")
            if len(self._open) > _MAX_DEPTH:
                raise IdlError(f"type {definition.name} is nested more than {_MAX_DEPTH} deep")
            self._open.add(key)
            self._layouts[key] = self._compile(key, definition, inner)
            self._open.discard(key)
        return self._layouts[key]

    def _compile(self, key: str, definition: TypeDef, env: Environment) -> Layout:
        body = definition.type
        if isinstance(body, AliasBody):
            return self.layout(body.alias, env)
        if isinstance(body, StructBody):
            return self._struct(key, named_fields(body.fields), env)
        return self._enum(key, body, env)

    def _struct(self, key: str, fields: tuple[Field, ...], env: Environment) -> Layout:
        self._members[key] = members = [self._member(field, env) for field in fields]
        self._classes[key] = make = self._class(key, tuple(m.name for m in members if m.name is not None))
        return struct_layout(make, members)

    def _member(self, field: Field, env: Environment) -> Member:
        layout = self.layout(field.type, env)
        if not is_padding(field):
            return Member(field.name, layout)
        if layout.fixed is None:
            raise IdlError(f"padding {field.name} has no fixed size")
        return Member(None, from_fixed(padding(fixed_size(layout)), layout.show))

    def _class(self, key: str, names: tuple[str, ...]) -> type[Any]:
        given = self._given.get(key)
        if given is not None and getattr(given, "__struct_fields__", None) == names:
            return given
        return msgspec.defstruct(key, names, frozen=True, gc=False)

    def _enum(self, key: str, body: EnumBody, env: Environment) -> Layout:
        if not any(variant.fields for variant in body.variants):
            members = {variant.name: tag for tag, variant in enumerate(body.variants)}
            given = self._given.get(key)
            same = given is not None and issubclass(given, IntEnum)
            same = same and {member.name: int(member) for member in given} == members  # type: ignore[union-attr]
            self._classes[key] = make = given if same and given is not None else _int_enum(key, members)
            return plain_enum_layout(make)
        variants = {}
        for tag, variant in enumerate(body.variants):
            layout = self._struct(key + variant.name, named_fields(variant.fields), env)
            variants[tag] = (self._classes[key + variant.name], layout)
        return data_enum_layout(key, variants)


def fixed_size(layout: Layout) -> int:
    """Size in bytes of a fixed layout."""
    assert layout.fixed is not None
    return struct.calcsize("<" + layout.fixed.format)


def _int_enum(name: str, members: dict[str, int]) -> type[IntEnum]:
    return IntEnum(name, members)  # type: ignore[return-value]


def _bound_type(name: str, env: Environment) -> TypeRef:
    bound = env.get(name)
    if bound is None or isinstance(bound, int):
        raise IdlError(f"generic type {name!r} is not bound")
    return bound


def _bind(definition: TypeDef, generics: tuple[Any, ...] | list[Any], env: Environment) -> dict[str, TypeRef | int]:
    if len(generics) != len(definition.generics):
        raise IdlError(f"{definition.name} takes {len(definition.generics)} generic arguments, got {len(generics)}")
    bound: dict[str, TypeRef | int] = {}
    for parameter, argument in zip(definition.generics, generics, strict=True):
        constant = isinstance(parameter, ConstGeneric)
        bound[parameter.name] = _bound_number(argument, env) if constant else _closed(argument["type"], env)
    return bound


def _bound_number(argument: dict[str, Any], env: Environment) -> int:
    """The number that an argument gives. Anchor writes one that is passed on as if it were a type."""
    kind = argument.get("type")
    name = kind.get("generic") if isinstance(kind, dict) else argument.get("value")
    known = env.get(str(name))
    if isinstance(known, int):
        return known
    try:
        return int(str(name))
    except ValueError:
        raise IdlError(f"generic number {name!r} is not bound") from None


def _closed(ref: TypeRef, env: Environment) -> TypeRef:
    """The type with every generic parameter in it replaced by what is bound to it."""
    if isinstance(ref, str):
        return ref
    ((kind, body),) = ref.items()
    if kind == "generic":
        return _bound_type(body, env)
    if kind in ("option", "vec"):
        return {kind: _closed(body, env)}
    if kind == "array":
        return {kind: _closed_array(body, env)}
    if kind == "defined" and isinstance(body, dict) and body.get("generics"):
        return {kind: {**body, "generics": [_closed_argument(each, env) for each in body["generics"]]}}
    return ref


def _closed_array(body: list[Any], env: Environment) -> list[Any]:
    item, length = body
    if isinstance(length, dict):
        length = env.get(name := length["generic"])
        if not isinstance(length, int):
            raise IdlError(f"array length {name!r} is not bound")
    return [_closed(item, env), length]


def _closed_argument(argument: dict[str, Any], env: Environment) -> dict[str, Any]:
    kind = argument.get("type")
    is_number = isinstance(kind, dict) and isinstance(env.get(str(kind.get("generic"))), int)
    if kind is None or is_number:
        return {"kind": "const", "value": str(_bound_number(argument, env))}
    return {**argument, "type": _closed(kind, env)}


def instance(name: str, arguments: Iterable[TypeRef | int]) -> str:
    """A name of its own for each instance of a generic type, as it is written in Rust."""
    written = ", ".join(_written(value) for value in arguments)
    return f"{name}<{written}>" if written else name


def _written(value: TypeRef | int) -> str:
    if not isinstance(value, dict):
        return str(value)
    ((kind, body),) = value.items()
    if kind == "array":
        return f"[{_written(body[0])}; {body[1]}]"
    if kind == "defined" and isinstance(body, dict):
        return instance(body["name"], [each.get("type", each.get("value")) for each in body.get("generics", ())])
    return f"{kind}<{_written(body)}>"

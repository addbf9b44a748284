"""Objects of an Anchor IDL, spec 0.1.0. Names follow the specification; unknown keys are ignored."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from ionet.errors import IonetError

SPEC = "0.1.0"

# A type is a name ("u64") or one of {"option": T}, {"vec": T}, {"array": [T, n]}, {"defined": {...}}, {"generic": "T"}.
TypeRef: TypeAlias = str | dict[str, Any]


class IdlError(IonetError):
    """the IDL cannot be used"""


class Field(msgspec.Struct, frozen=True):
    name: str
    type: TypeRef
    docs: tuple[str, ...] = ()


class ConstSeed(msgspec.Struct, frozen=True, tag_field="kind", tag="const"):
    value: tuple[int, ...]


class ArgSeed(msgspec.Struct, frozen=True, tag_field="kind", tag="arg"):
    path: str


class AccountSeed(msgspec.Struct, frozen=True, tag_field="kind", tag="account"):
    path: str
    account: str | None = None


Seed: TypeAlias = ConstSeed | ArgSeed | AccountSeed


class Pda(msgspec.Struct, frozen=True):
    seeds: tuple[Seed, ...]
    program: Seed | None = None


class Account(msgspec.Struct, frozen=True):
    """One account slot of an instruction, or a named group of slots when `accounts` is not empty."""

    name: str
    docs: tuple[str, ...] = ()
    writable: bool = False
    signer: bool = False
    optional: bool = False
    address: str | None = None
    pda: Pda | None = None
    relations: tuple[str, ...] = ()
    accounts: tuple[Account, ...] = ()

    @property
    def fixed_address(self) -> str | None:
        """The address that is always right. Anchor also writes paths like "network.io_mint" there: those are none."""
        return None if self.address is None or "." in self.address else self.address


class Instruction(msgspec.Struct, frozen=True):
    name: str
    discriminator: tuple[int, ...]
    accounts: tuple[Account, ...]
    args: tuple[Field, ...]
    docs: tuple[str, ...] = ()
    returns: TypeRef | None = None

    def slots(self) -> tuple[Account, ...]:
        """The account slots in the order they go into the instruction, groups flattened."""
        flat: list[Account] = []
        stack = list(reversed(self.accounts))
        while stack:
            item = stack.pop()
            if item.accounts:
                stack.extend(reversed(item.accounts))
            else:
                flat.append(item)
        return tuple(flat)


class Discriminated(msgspec.Struct, frozen=True):
    """An account or event type: its layout is the entry of the same name in `Idl.types`."""

    name: str
    discriminator: tuple[int, ...]


class ErrorCode(msgspec.Struct, frozen=True):
    code: int
    name: str
    msg: str = ""


class EnumVariant(msgspec.Struct, frozen=True):
    name: str
    fields: tuple[dict[str, Any] | str, ...] = ()


class StructBody(msgspec.Struct, frozen=True, tag_field="kind", tag="struct"):
    fields: tuple[dict[str, Any] | str, ...] = ()


class EnumBody(msgspec.Struct, frozen=True, tag_field="kind", tag="enum"):
    variants: tuple[EnumVariant, ...]


class AliasBody(msgspec.Struct, frozen=True, tag_field="kind", tag="type"):
    alias: TypeRef


class TypeGeneric(msgspec.Struct, frozen=True, tag_field="kind", tag="type"):
    name: str


class ConstGeneric(msgspec.Struct, frozen=True, tag_field="kind", tag="const"):
    name: str
    type: str


class TypeDef(msgspec.Struct, frozen=True):
    name: str
    type: StructBody | EnumBody | AliasBody
    docs: tuple[str, ...] = ()
    serialization: str | dict[str, Any] = "borsh"
    generics: tuple[TypeGeneric | ConstGeneric, ...] = ()


class Const(msgspec.Struct, frozen=True):
    name: str
    type: TypeRef
    value: str
    docs: tuple[str, ...] = ()


class Metadata(msgspec.Struct, frozen=True):
    name: str
    version: str
    spec: str
    description: str | None = None


class Idl(msgspec.Struct, frozen=True):
    address: str
    metadata: Metadata
    instructions: tuple[Instruction, ...]
    docs: tuple[str, ...] = ()
    accounts: tuple[Discriminated, ...] = ()
    events: tuple[Discriminated, ...] = ()
    errors: tuple[ErrorCode, ...] = ()
    types: tuple[TypeDef, ...] = ()
    constants: tuple[Const, ...] = ()

    def type_def(self, name: str) -> TypeDef:
        """The definition called `name`, also by its last path segment; IdlError when there is none."""
        short = name.rsplit("::", 1)[-1]
        for definition in self.types:
            if definition.name in (name, short):
                return definition
        raise IdlError(f"the IDL of {self.metadata.name} defines no type {name!r}")


def named_fields(fields: tuple[dict[str, Any] | str, ...]) -> tuple[Field, ...]:
    """Struct or variant fields with names; those of a tuple struct are called item_0, item_1 …"""
    if fields and all(isinstance(field, dict) and {"name", "type"} <= field.keys() for field in fields):
        return tuple(msgspec.convert(field, Field) for field in fields)
    return tuple(Field(name=f"item_{index}", type=kind) for index, kind in enumerate(fields))

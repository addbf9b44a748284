"""The program's IDL (spec 0.1.0) as typed objects."""

from __future__ import annotations

from ionet.idl.load import bundled, load, load_file
from ionet.idl.model import (
    SPEC,
    Account,
    AccountSeed,
    ArgSeed,
    ConstSeed,
    Discriminated,
    ErrorCode,
    Field,
    Idl,
    IdlError,
    Instruction,
    Pda,
    Seed,
    TypeDef,
    TypeRef,
)

__all__ = [
    "SPEC",
    "Account",
    "AccountSeed",
    "ArgSeed",
    "ConstSeed",
    "Discriminated",
    "ErrorCode",
    "Field",
    "Idl",
    "IdlError",
    "Instruction",
    "Pda",
    "Seed",
    "TypeDef",
    "TypeRef",
    "bundled",
    "load",
    "load_file",
]

"""Python source text from an IDL; see scripts/generate-types."""

from __future__ import annotations

from collections.abc import Collection

from ionet.idl.model import Idl
from lib.pygen.enums import enums_module
from lib.pygen.errors import errors_module
from lib.pygen.instructions import instructions_module
from lib.pygen.pdas import pdas_module
from lib.pygen.text import tidy
from lib.pygen.types import shared_import, type_modules


def generate(idl: Idl, rules: Collection[str]) -> dict[str, str]:
    """File name in `ionet/generated` to its text, formatted. rules: see `instructions_module`."""
    texts = type_modules(idl)
    texts["enums.py"] = enums_module(idl)
    texts["errors.py"] = errors_module(idl)
    texts["instructions.py"] = instructions_module(idl, rules, shared_import(idl))
    texts["pdas.py"] = pdas_module(idl)
    return {name: tidy(text) for name, text in texts.items()}

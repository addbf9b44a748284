"""Classes of accounts, events and the structs in them."""

from __future__ import annotations

from collections.abc import Iterable

from ionet.codec.types import is_padding
from ionet.idl.model import AliasBody, EnumBody, Field, Idl, StructBody, TypeDef, named_fields
from lib.pygen.text import SCALARS, annotation, docstring, filled, head, identifier, scalar_import


def type_modules(idl: Idl) -> dict[str, str]:
    """File name to text of every module that defines types, and of the package itself."""
    kinds = {item.name for item in (*idl.accounts, *idl.events)}
    data = [item for item in idl.types if item.name not in kinds and not item.generics]
    groups = {
        "types": ("Structs and enums used by accounts, events and arguments.", data),
        "accounts": ("Account types.", [idl.type_def(item.name) for item in idl.accounts]),
        "events": ("Events.", [idl.type_def(item.name) for item in idl.events]),
    }
    shared = shared_import(idl)
    texts = {
        f"{name}.py": _module(title, items, "" if name == "types" else shared)
        for name, (title, items) in groups.items()
    }
    texts["scalars.py"] = _scalars()
    texts["__init__.py"] = head("Everything the program says, as Python.", "").rstrip() + "\n"
    texts["classes.py"] = _package({name: items for name, (_, items) in groups.items()})
    return texts


def shared_import(idl: Idl) -> str:
    """The line that imports the structs which accounts, events and arguments are made of."""
    kinds = {item.name for item in (*idl.accounts, *idl.events)}
    data = [item for item in idl.types if item.name not in kinds and not item.generics]
    names = sorted(name for item in data for name in _defined_names(item))
    return f"from ionet.generated.types import {', '.join(names)}\n" if names else ""


def _scalars() -> str:
    lines = [f"{name}: TypeAlias = int\n" for name in SCALARS]
    return head("The program's integer types; all are int in Python.", "from typing import TypeAlias") + "".join(lines)


def _package(groups: dict[str, list[TypeDef]]) -> str:
    imports, names, classes = "", [], []
    for module, items in groups.items():
        defined = [name for item in items for name in _defined_names(item)]
        names += defined
        classes += [name for item in items for name in _class_names(item)]
        if defined:
            imports += f"from ionet.generated.{module} import {', '.join(defined)}\n"
    table = "".join(f'    "{name}": {name},\n' for name in sorted(classes))
    listing = "".join(f'    "{name}",\n' for name in sorted([*names, "CLASSES"]))
    return (
        head("Everything the program stores, records and takes as an argument.", imports)
        + f"# Class of every name in the IDL, for the codec.\nCLASSES: dict[str, type[object]] = {{\n{table}}}\n\n"
        + f"__all__ = [\n{listing}]\n"
    )


def _class_names(item: TypeDef) -> list[str]:
    if isinstance(item.type, EnumBody) and any(variant.fields for variant in item.type.variants):
        return [item.name + variant.name for variant in item.type.variants]
    return [] if isinstance(item.type, AliasBody) else [item.name]


def _defined_names(item: TypeDef) -> list[str]:
    made = _class_names(item)
    return made if item.name in made else [item.name, *made]


def _module(title: str, items: list[TypeDef], shared: str) -> str:
    imports = "from enum import IntEnum\nfrom typing import TypeAlias\nimport msgspec\n"
    imports += "from solders.pubkey import Pubkey\n" + shared + scalar_import()
    return head(title, imports) + "\n\n".join(text for item in items for text in _definition(item))


def _definition(item: TypeDef) -> list[str]:
    body = item.type
    if isinstance(body, StructBody):
        return [_struct(item.name, named_fields(body.fields), item.docs)]
    if isinstance(body, AliasBody):
        return [f"{item.name}: TypeAlias = {annotation(body.alias)}\n"]
    if not any(variant.fields for variant in body.variants):
        members = "".join(f"    {variant.name} = {tag}\n" for tag, variant in enumerate(body.variants))
        return [f"class {item.name}(IntEnum):\n{docstring(item.docs, 4)}{members}"]
    made = [_struct(item.name + one.name, named_fields(one.fields), ()) for one in body.variants]
    union = " | ".join(item.name + one.name for one in body.variants)
    return [*made, f"{item.name}: TypeAlias = {union}\n"]


def _struct(name: str, fields: Iterable[Field], docs: Iterable[str]) -> str:
    lines = [f"class {name}(msgspec.Struct, frozen=True, gc=False):\n{docstring(docs, 4)}"]
    kept = [field for field in fields if not is_padding(field)]
    for field in kept:
        lines += [f"    # {line}\n" for line in filled(field.docs, 112)]
        lines.append(f"    {identifier(field.name)}: {annotation(field.type)}\n")
    return "".join(lines) if kept or docs else lines[0] + "    pass\n"

"""Hypothesis strategies that follow an IDL's types: any value the layout can hold."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, cast

from hypothesis import strategies as st
from ionet.codec.types import TypeTable, instance, is_padding
from ionet.idl.model import AliasBody, Idl, StructBody, named_fields
from solders.pubkey import Pubkey


def integers(name: str) -> st.SearchStrategy[int]:
    bits = int(name[1:])
    if name[0] == "u":
        return st.integers(0, 2**bits - 1)
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "f32": st.floats(width=32, allow_nan=False),
    "f64": st.floats(allow_nan=False),
    "pubkey": st.binary(min_size=32, max_size=32).map(Pubkey),
    "bytes": st.binary(max_size=40),
    "string": st.text(max_size=20),
}


def values(idl: Idl, table: TypeTable, ref: Any, env: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Values of a type expression, as objects of the table's classes."""
    env = env or {}
    if isinstance(ref, str):
        return PLAIN[ref] if ref in PLAIN else integers(ref)
    ((kind, body),) = ref.items()
    if kind == "option":
        return st.none() | values(idl, table, body, env)
    if kind == "vec":
        return st.lists(values(idl, table, body, env), max_size=4).map(tuple)
    if kind == "generic":
        return values(idl, table, env[body])
    if kind == "array":
        item, size = body
        size = env[size["generic"]] if isinstance(size, dict) else size
        item = env[item["generic"]] if isinstance(item, dict) and "generic" in item else item
        if item == "u8":
            return st.binary(min_size=size, max_size=size)
        return st.lists(values(idl, table, item, env), min_size=size, max_size=size).map(tuple)
    return defined(idl, table, body)


def defined(idl: Idl, table: TypeTable, body: dict[str, Any]) -> st.SearchStrategy[Any]:
    definition = idl.type_def(body["name"])
    env: dict[str, Any] = {}
    for parameter, argument in zip(definition.generics, body.get("generics", ()), strict=True):
        env[parameter.name] = argument["type"] if argument["kind"] == "type" else int(argument["value"])
    key = instance(definition.name, env.values())
    shape = definition.type
    if isinstance(shape, AliasBody):
        return values(idl, table, shape.alias)
    if isinstance(shape, StructBody):
        return record(idl, table, key, shape.fields, env)
    table.layout({"defined": body})
    if not any(variant.fields for variant in shape.variants):
        return st.sampled_from(list(cast(type[IntEnum], table._classes[key])))
    return st.one_of([record(idl, table, key + one.name, one.fields, env) for one in shape.variants])


def record(idl: Idl, table: TypeTable, key: str, fields: Any, env: dict[str, Any]) -> st.SearchStrategy[Any]:
    named = [field for field in named_fields(fields) if not is_padding(field)]
    parts = st.tuples(*[values(idl, table, field.type, env) for field in named])
    return parts.map(lambda items: table._classes[key](*items))

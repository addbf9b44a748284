"""Types with parameters: passed on, nested, in arrays, and never confused with one another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ionet.codec.program import ProgramCodec
from ionet.idl import IdlError, load

MARK = bytes([1] * 8)
TYPE, NUMBER = {"kind": "type", "name": "T"}, {"kind": "const", "name": "N", "type": "usize"}


def struct(name: str, kind: Any, *parameters: dict[str, str]) -> dict[str, Any]:
    """A struct with one field, `x`."""
    return {
        "name": name,
        "generics": list(parameters),
        "type": {"kind": "struct", "fields": [{"name": "x", "type": kind}]},
    }


def of(name: str, *arguments: Any) -> dict[str, Any]:
    """The type `name<arguments>`; a text of digits is a number."""
    listed = [
        {"kind": "const", "value": each} if isinstance(each, str) and each.isdigit() else {"kind": "type", "type": each}
        for each in arguments
    ]
    return {"defined": {"name": name, "generics": listed}}


T, N = {"generic": "T"}, {"generic": "N"}
BOX = struct("Box", T, TYPE)
ROW = struct("Row", {"array": [T, N]}, TYPE, NUMBER)
BYTES = struct("Bytes", {"array": ["u8", N]}, NUMBER)


def decoded(kind: Any, data: bytes, *types: dict[str, Any]) -> Any:
    """What an account whose only field is of the given type decodes to."""
    account = {"name": "A", "type": {"kind": "struct", "fields": [{"name": "x", "type": kind}]}}
    document = {
        "address": "1" * 32,
        "metadata": {"name": "generics", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [],
        "accounts": [{"name": "A", "discriminator": list(MARK)}],
        "types": [*types, account],
    }
    codec = ProgramCodec(load(json.dumps(document)))
    return codec.show(codec.decode_any_account(MARK + data))["x"]


@pytest.mark.parametrize(
    ("kind", "data", "expected", "types"),
    [
        pytest.param(
            of("Outer", "u16"),
            "010500",
            {"x": {"x": 5}},
            [BOX, struct("Outer", of("Box", {"option": T}), TYPE)],
            id="a parameter inside an option, passed on (otter-sec/anchor#5073)",
        ),
        pytest.param(
            of("Hold", "3"),
            "010203",
            {"x": {"x": "010203"}},
            [BYTES, struct("Hold", of("Bytes", N), NUMBER)],
            id="a number passed on (otter-sec/anchor#3522)",
        ),
        pytest.param(
            of("Outer", "u16"),
            "0100000005000600",
            {"x": {"x": [[5, 6]]}},
            [BOX, struct("Outer", of("Box", {"vec": {"array": [T, 2]}}), TYPE)],
            id="a parameter inside an array inside a vector",
        ),
        pytest.param(
            of("Outer", "u16", "2"),
            "05000600",
            {"x": {"x": {"x": [5, 6]}}},
            [
                BOX,
                struct("Row", {"array": [T, N]}, TYPE, NUMBER),
                struct("Outer", of("Box", of("Row", T, N)), TYPE, NUMBER),
            ],
            id="parameters of a generic argument",
        ),
    ],
)
def test_decodes(kind: Any, data: str, expected: Any, types: list[dict[str, Any]]) -> None:
    assert decoded(kind, bytes.fromhex(data), *types) == expected


def test_instances_of_one_type_are_kept_apart() -> None:
    pair = {"name": "Pair", "type": {"kind": "struct", "fields": [
        {"name": "plain", "type": of("Box", "u16")},
        {"name": "maybe", "type": of("Box", {"option": "u16"})},
        {"name": "many", "type": of("Box", {"vec": "u16"})},
        {"name": "text", "type": of("Box", of("Box", "u16"))},
    ]}}  # fmt: skip
    data = bytes.fromhex("0500000100000006000700")
    shown = decoded(of("Pair"), data, BOX, pair)
    assert shown == {"plain": {"x": 5}, "maybe": {"x": None}, "many": {"x": [6]}, "text": {"x": {"x": 7}}}


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        pytest.param(of("Box", T), [BOX], id="a parameter of nothing"),
        pytest.param(of("Hold", "3"), [BYTES, struct("Hold", of("Bytes", T), NUMBER)], id="another parameter's name"),
        pytest.param(of("Bytes", "u8"), [BYTES], id="a type for a number"),
        pytest.param(of("Box"), [BOX], id="no argument"),
        pytest.param(
            of("Chain", "u8"),
            [struct("Chain", {"option": of("Chain", {"option": T})}, TYPE)],
            id="a type that contains ever longer instances of itself",
        ),
    ],
)
def test_what_is_not_bound_is_refused(kind: Any, types: list[dict[str, Any]]) -> None:
    with pytest.raises(IdlError):
        decoded(kind, bytes(64), *types)

"""Nothing is forgotten: every instruction, refusal and event of the program is in these tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from ionet.generated import events
from ionet.program import PROGRAM

TESTS = Path(__file__).parent
EVENTS = {item.name: set(getattr(events, item.name).__struct_fields__) for item in PROGRAM.codec.idl.events}


def sources() -> Iterator[ast.Module]:
    for path in sorted(TESTS.glob("*.py")):
        if path.name != Path(__file__).name:
            yield ast.parse(path.read_text())


def calls_of(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Calls of functions and classes by their bare names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node


def texts(node: ast.AST) -> set[str]:
    return {item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str)}


def expected(tree: ast.Module) -> set[str]:
    """What a file expects refusals with: by name, or from a tuple or table of its own that it goes through."""
    arguments = [call.args[0] for name, call in calls_of(tree) if name == "refused"]
    named = {text for argument in arguments for text in texts(argument)}
    if all(isinstance(argument, ast.Constant) for argument in arguments):
        return named
    rows = [node for node in ast.walk(tree) if isinstance(node, ast.Tuple | ast.Dict)]
    return named.union(*(texts(row) for row in rows))


def compared(tree: ast.Module) -> set[str]:
    """Events that a file builds with every field they have."""
    return {
        name
        for name, call in calls_of(tree)
        if name in EVENTS and {keyword.arg for keyword in call.keywords} | _spread(call, EVENTS[name]) >= EVENTS[name]
    }


def _spread(call: ast.Call, fields: set[str]) -> set[str]:
    """`**values` stands for whatever is not named: leaving one out would be an error."""
    return fields if any(keyword.arg is None for keyword in call.keywords) else set()


def test_every_instruction_has_a_file_of_its_name() -> None:
    missing = [item.name for item in PROGRAM.codec.idl.instructions if not (TESTS / f"test_{item.name}.py").exists()]
    assert missing == []


def test_every_refusal_is_met() -> None:
    table = texts(ast.parse((TESTS / "swap_table.py").read_text()))
    met = table.union(*(expected(tree) for tree in sources()))
    assert [item.name for item in PROGRAM.codec.idl.errors if item.name not in met] == []


def test_every_event_is_compared_in_full() -> None:
    found = set[str]().union(*(compared(tree) for tree in sources()))
    assert sorted(EVENTS.keys() - found) == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('with refused("TooEarly"):\n    pass', {"TooEarly"}),
        ('x = "TooEarly"', set()),
        ('ROWS = [("BadPrice", 0)]\nwith refused(error):\n    pass', {"BadPrice"}),
        ('ROWS = [("BadPrice", 0)]\nwith refused("TooEarly"):\n    pass', {"TooEarly"}),
    ],
)
def test_a_name_that_no_test_expects_does_not_count(source: str, names: set[str]) -> None:
    assert expected(ast.parse(source)) == names


@pytest.mark.parametrize(
    ("source", "whole"),
    [
        ("NodeFlagsChanged(node=n, seq=1, at=2, before=0, after=1)", True),
        ("NodeFlagsChanged(node=n, **rest)", True),
        ("NodeFlagsChanged(node=n, seq=1, at=2, before=0)", False),
        ("event(NodeFlagsChanged)", False),
    ],
)
def test_an_event_with_a_field_less_does_not_count(source: str, whole: bool) -> None:
    assert compared(ast.parse(source)) == ({"NodeFlagsChanged"} if whole else set())

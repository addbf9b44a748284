"""The kinds of faults, each a function from a node to what it may become."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tree_sitter import Node

from mutate_program.syntax import Place, text

STRICTNESS = {">=": ">", ">": ">=", "<=": "<", "<": "<="}
ROUNDING = {
    "bps_floor": "bps_ceil",
    "bps_ceil": "bps_floor",
    "mul_div": "mul_div_ceil",
    "mul_div_ceil": "mul_div",
}
EXTREMES = {"min": "max", "max": "min"}
DIFFERENCES = re.compile(r"(?P<how>(?:checked|saturating|wrapping)_)?sub")
# A comparison in which one of these occurs is about time.
TIME = re.compile(r"\b(?:at|now|slot|until|opens|\w*secs\w*|\w+_(?:at|until|from|to|slot|before|start))\b")
CHECKS = re.compile(r"(?:check|require|limit|validate)(?:_\w+)?")
FEE = re.compile(r"fee|spread")


@dataclass(frozen=True)
class Change:
    """Replaces a range of bytes."""

    kind: str
    start: int
    end: int
    replacement: str


def changes(place: Place) -> Iterator[Change]:
    """What a node may become."""
    for fault in FAULTS.get(place.node.type, ()):
        yield from fault(place)


def _of(place: Place, kind: str, replacement: str) -> Change:
    return Change(kind, place.start, place.end, replacement)


def _within(place: Place, inner: Node, kind: str, replacement: str) -> Change:
    """The whole node with one part of it replaced: the text then says what is meant."""
    whole, begin = place.node.text or b"", inner.start_byte - place.node.start_byte
    changed = whole[:begin] + replacement.encode() + whole[begin + inner.end_byte - inner.start_byte :]
    return _of(place, kind, changed.decode())


def _name(call: Node) -> Node | None:
    """The last name of what is called: `sub` of `math::sub` and of `a.sub`."""
    function = call.child_by_field_name("function")
    if function is None or function.type == "identifier":
        return function
    return function.child_by_field_name("name") or function.child_by_field_name("field")


def _arguments(call: Node) -> list[Node]:
    found = call.child_by_field_name("arguments")
    return found.named_children if found is not None else []


# -- statements


def dropped_statement(place: Place) -> Iterator[Change]:
    """A check, a look at the pause bits or a write that is left out. A call that is a statement writes."""
    inner = place.node.named_children[0]
    if inner.type == "macro_invocation" and text(inner.child_by_field_name("macro")) == "require":
        yield _of(place, "check", "")
    elif inner.type in ("assignment_expression", "compound_assignment_expr"):
        if _is_state(inner.child_by_field_name("left")):
            yield _of(place, "write", "")
    else:
        call = inner.named_children[0] if inner.type == "try_expression" else inner
        name = text(_name(call)) if call.type == "call_expression" else ""
        if name == "check_not_paused":
            yield _of(place, "pause", "")
        elif CHECKS.fullmatch(name):
            yield _of(place, "check", "")
        elif name:
            yield _of(place, "write", "")


def _is_state(left: Node | None) -> bool:
    """Whether an assignment goes further than a local variable."""
    return left is not None and (
        left.type in ("field_expression", "unary_expression")
        or (left.type == "index_expression" and _is_state(left.named_children[0]))
    )


def dropped_constraint(place: Place) -> Iterator[Change]:
    """`constraint(… @ Error)` that always holds; `address = … @ Error` left out."""
    attribute = place.node.named_children[0]
    arguments = attribute.child_by_field_name("arguments")
    if text(attribute.named_children[0]) != "account" or arguments is None:
        return
    tokens = arguments.children
    for at, token in enumerate(tokens):
        if token.type != "identifier":
            continue
        if text(token) == "constraint":
            inside = tokens[at + 1].children
            sign = next((item for item in inside if text(item) == "@"), None)
            if sign is not None:
                start, end = inside[1].start_byte, inside[-2].end_byte
                error = (tokens[at + 1].text or b"")[sign.start_byte - tokens[at + 1].start_byte : -1].decode()
                yield Change("check", start + place.shift, end + place.shift, f"true {error.strip()}")
        elif text(token) == "address" and text(tokens[at + 1]) == "=":
            comma = next((item for item in tokens[at:] if text(item) == ","), None)
            # Without a comma after it there is one before it.
            first, last = (token, comma) if comma is not None else (tokens[at - 1], tokens[-2])
            if text(first) != "(":
                yield Change("check", first.start_byte + place.shift, last.end_byte + place.shift, "")


# -- expressions


def comparison(place: Place) -> Iterator[Change]:
    """Off by one: what was allowed at the limit is refused there, or the other way round."""
    operator = place.node.child_by_field_name("operator")
    flipped = STRICTNESS.get(text(operator))
    if operator is not None and flipped is not None:
        kind = "deadline" if TIME.search(text(place.node)) else "bound"
        yield _within(place, operator, kind, flipped)


def call(place: Place) -> Iterator[Change]:
    """Rounding the other way, the other extreme, a sum for a difference."""
    name = _name(place.node)
    called, count = text(name), len(_arguments(place.node))
    difference = DIFFERENCES.fullmatch(called)
    if name is None:
        return
    if called in ROUNDING:
        yield _within(place, name, "rounding", ROUNDING[called])
    elif called in EXTREMES and count == 1:
        yield _within(place, name, "extreme", EXTREMES[called])
    elif difference is not None:
        yield _within(place, name, "difference", f"{difference['how'] or ''}add")


def fee(place: Place) -> Iterator[Change]:
    """A fee that is not added, or is nothing."""
    name, arguments = text(_name(place.node)), _arguments(place.node)
    parent = place.node.parent
    tried = parent is not None and parent.type == "try_expression"
    whole = place.at(parent) if tried else place
    if name in ("bps_floor", "bps_ceil") and FEE.search(text(arguments[-1])):
        yield _of(whole, "fee", "0u64" if tried else "Ok(0)")
    fees = [item for item in arguments if FEE.search(text(item))]
    if not fees:
        return
    if name == "add" and len(arguments) == 2:
        # A sum that is written back to its field loses what was to be added.
        first = arguments[1] in fees or arguments[0].type == "field_expression"
        kept = text(arguments[0] if first else arguments[1])
        yield _of(whole, "fee", f"({kept})" if tried else f"Ok({kept})")
    elif name == "saturating_add":
        function = place.node.child_by_field_name("function")
        assert function is not None
        yield _of(place, "fee", text(function.child_by_field_name("value")))


Fault = Callable[[Place], Iterator[Change]]
FAULTS: dict[str, tuple[Fault, ...]] = {
    "expression_statement": (dropped_statement,),
    "attribute_item": (dropped_constraint,),
    "binary_expression": (comparison,),
    "call_expression": (call, fee),
}

"""The syntax tree of a Rust file, with what macros are given parsed as well. What only tests compile is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_rust
from tree_sitter import Language, Node, Parser

RUST = Parser(Language(tree_sitter_rust.language()))
# A macro's arguments are tokens to the grammar. As those of a call they have a tree.
BEFORE, AFTER = b"fn f() { f(", b"); }"


@dataclass(frozen=True)
class Place:
    """A node, where its bytes are in the file, and what it is in: `Lease::hold`, or `AddLease.cluster` for a field."""

    node: Node
    shift: int
    scope: str

    @property
    def start(self) -> int:
        return self.node.start_byte + self.shift

    @property
    def end(self) -> int:
        return self.node.end_byte + self.shift

    def at(self, node: Node | None) -> Place:
        """Another node of the same tree and scope."""
        assert node is not None
        return Place(node, self.shift, self.scope)


def text(node: Node | None) -> str:
    """The source text of a node; empty for none."""
    return (node.text or b"").decode() if node is not None else ""


def places(source: bytes) -> Iterator[Place]:
    """Every node of a file that is compiled into the program, parents before children."""
    yield from _walk(Place(RUST.parse(source).root_node, 0, ""))


def _walk(place: Place) -> Iterator[Place]:
    yield place
    if place.node.type == "macro_invocation":
        yield from _arguments(place)
        return
    attributes: list[Node] = []
    for child in place.node.named_children:
        if child.type == "attribute_item":
            attributes.append(child)
        elif child.type not in ("line_comment", "block_comment"):
            if not any("cfg(test)" in text(item) for item in attributes):
                scope = _scope(place.scope, child)
                for found in (*attributes, child):
                    yield from _walk(Place(found, place.shift, scope))
            attributes = []


def _scope(outer: str, node: Node) -> str:
    if node.type == "impl_item":
        return text(node.child_by_field_name("type")).partition("<")[0]
    if node.type in ("function_item", "struct_item", "mod_item", "trait_item"):
        return "::".join(filter(None, (outer, text(node.child_by_field_name("name")))))
    if node.type == "field_declaration":
        return f"{outer}.{text(node.child_by_field_name('name'))}"
    return outer


def _arguments(macro: Place) -> Iterator[Place]:
    tokens = macro.node.named_children[-1]
    inside = (tokens.text or b"")[1:-1]
    root = RUST.parse(BEFORE + inside + AFTER).root_node
    if tokens.type != "token_tree" or root.has_error:
        return
    found = root.descendant_for_byte_range(len(BEFORE) - 1, len(BEFORE) + len(inside) + 1)
    assert found is not None
    shift = macro.shift + tokens.start_byte + 1 - len(BEFORE)
    for child in found.named_children:
        yield from _walk(Place(child, shift, macro.scope))

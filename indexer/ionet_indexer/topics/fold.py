"""Which entities an event belongs to, which rows it needs, and the dispatch to its fold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ionet_indexer.core.decode import Event, Unread
from ionet_indexer.core.rows import State
from ionet_indexer.core.view import FoldError, View
from ionet_indexer.topics import HANDLERS, standing
from ionet_indexer.topics.cases import Case
from ionet_indexer.topics.clusters import Cluster
from ionet_indexer.topics.iosd import Iosd
from ionet_indexer.topics.leases import Lease, LeaseWork
from ionet_indexer.topics.network import Model, Network
from ionet_indexer.topics.nodes import Node
from ionet_indexer.topics.stakes import Position

_ROWS_OF: dict[str, tuple[type[State], ...]] = {
    "network": (Network,),
    "model": (Model,),
    "node": (Node,),
    "position": (Position,),
    "case": (Case,),
    "cluster": (Cluster,),
    "lease": (Lease, LeaseWork),
    "iosd": (Iosd,),
}


class Link(NamedTuple):
    """An event's number in the count of one entity."""

    entity: str
    seq: int


class _Shape(NamedTuple):
    """What the field names of an event class say."""

    pairs: tuple[tuple[str, str], ...]  # (field that names an entity, field with the number in its count)
    rows: tuple[str, ...]  # fields that name rows


_SHAPES: dict[type[Any], _Shape] = {}


def _shape(kind: type[Any]) -> _Shape:
    """The program's rule: the first field is the event's own entity and `seq` its number there; `<other>_seq` beside
    `<other>` says that the event advanced the count of that entity too. An event without `seq` belongs to none.
    """
    shape = _SHAPES.get(kind)
    if shape is None:
        names: tuple[str, ...] = kind.__match_args__
        own = [(names[0], "seq")] if "seq" in names else []
        pairs = own + [(name, f"{name}_seq") for name in names[1:] if f"{name}_seq" in names]
        rows = [name for name, _ in pairs] + [name for name in ("position", "case") if name in names]
        shape = _SHAPES[kind] = _Shape(tuple(pairs), tuple(rows))
    return shape


def links(value: Any) -> Iterator[Link]:
    """The entities that an event belongs to, its own first."""
    for name, seq in _shape(type(value)).pairs:
        yield Link(str(getattr(value, name)), getattr(value, seq))


def needs(value: Any) -> Iterator[tuple[type[State], str]]:
    """Tables and keys of the rows that the fold of this event reads or changes."""
    for name in _shape(type(value)).rows:
        key = str(getattr(value, name))
        for kind in _ROWS_OF[name]:
            yield kind, key


def node_of(value: Any) -> str | None:
    """The node whose count an event advances; None for none."""
    named = any(name == "node" for name, _ in _shape(type(value)).pairs)
    return str(value.node) if named else None


def apply(view: View, event: Event, *, counted: bool = True) -> None:
    """Fold one event into the rows it needs. Raises FoldError.

    counted: note what it brings to the series, for which the view has to hold the rules that nodes are under.
    """
    if isinstance(event.value, Unread):
        return
    handler = HANDLERS.get(type(event.value).__name__)
    if handler is None:
        raise FoldError(f"no table knows the event {type(event.value).__name__}")
    before = standing.concerned(view, event.value, node_of(event.value)) if counted else {}
    handler(view, event, event.value)
    standing.note(view, event, before)

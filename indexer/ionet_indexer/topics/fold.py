"""Which entities an event belongs to, which rows it needs, and the dispatch to its fold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple

from solders.pubkey import Pubkey

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


class _Shape(NamedTuple):
    """What the field names of an event class say."""

    pairs: tuple[Callable[[Any], tuple[Pubkey, int]], ...]  # an entity, and the event's number in its count
    rows: tuple[tuple[Callable[[Any], Pubkey], tuple[type[State], ...]], ...]  # key of rows, of which tables
    counts_node: bool
    handler: Callable[[View, Event, Any], None] | None


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
        shape = _SHAPES[kind] = _Shape(
            pairs=tuple(attrgetter(name, seq) for name, seq in pairs),
            rows=tuple((attrgetter(name), _ROWS_OF[name]) for name in rows),
            counts_node=any(name == "node" for name, _ in pairs),
            handler=HANDLERS.get(kind.__name__),
        )
    return shape


def links(value: Any) -> list[tuple[str, int]]:
    """The entities that an event belongs to, its own first, and its number in the count of each."""
    return [(str(key), seq) for key, seq in [pair(value) for pair in _shape(type(value)).pairs]]


def needs(values: Iterable[Any]) -> dict[type[State], set[str]]:
    """Keys, by table, of the rows that the folds of these events read or change."""
    named: defaultdict[tuple[type[State], ...], set[Pubkey]] = defaultdict(set)
    for value in values:
        for key_of, kinds in _shape(type(value)).rows:
            named[kinds].add(key_of(value))
    return {kind: {str(key) for key in keys} for kinds, keys in named.items() for kind in kinds}


def apply(view: View, event: Event, *, counted: bool = True) -> None:
    """Fold one event into the rows it needs. Raises FoldError.

    counted: note what it brings to the series, for which the view has to hold the rules that nodes are under.
    """
    value = event.value
    if isinstance(value, Unread):
        return
    shape = _shape(type(value))
    if shape.handler is None:
        raise FoldError(f"no table knows the event {type(value).__name__}")
    before = standing.concerned(view, value, str(value.node) if shape.counts_node else None) if counted else None
    shape.handler(view, event, value)
    if before:
        standing.note(view, event, before)

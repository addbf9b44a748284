"""The topics of the network's history. Each file holds the rows, the folds and the lists of one topic side by side.

A new event touches the program, a migration and one of these files.
"""

from __future__ import annotations

from typing import Any

from ionet_indexer.core.lists import Listing
from ionet_indexer.core.rows import Fact, State
from ionet_indexer.topics import (
    cases,
    clusters,
    disputes,
    income,
    iosd,
    leases,
    network,
    nodes,
    offers,
    owed,
    parts,
    payments,
    price_index,
    rewards,
    stakes,
    terms,
    unfolded,
)

_TOPICS: tuple[Any, ...] = (
    *(network, nodes, terms, offers, stakes, rewards, income),
    *(cases, clusters, leases, payments, disputes, iosd, owed, parts, price_index, unfolded),
)


def _declared(kind: type[Any]) -> tuple[Any, ...]:
    """What the topics themselves define of a kind: subclasses of `State` or `Fact`, in the order they are written."""
    found = [each for topic in _TOPICS for each in vars(topic).values() if isinstance(each, type)]
    return tuple(dict.fromkeys(each for each in found if issubclass(each, kind) and each is not kind))


HANDLERS = {name: handler for topic in _TOPICS for name, handler in topic.HANDLERS.items()}
"""Event → its fold."""
STATES: tuple[type[State], ...] = _declared(State)
FACTS: tuple[type[Fact], ...] = _declared(Fact)
LISTS: tuple[Listing, ...] = tuple(
    dict.fromkeys(each for topic in _TOPICS for each in vars(topic).values() if isinstance(each, Listing))
)

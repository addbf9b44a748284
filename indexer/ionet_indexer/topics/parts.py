"""What each event brings to the series and standings of the network, its models, countries, nodes and owners.

Triggers keep both in step with these rows (migrations/0014_series.sql), so that an undo takes back what it undoes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ionet_indexer.core.answers import Amount
from ionet_indexer.core.decode import Event
from ionet_indexer.core.rows import Fact
from ionet_indexer.core.view import View

NOWHERE = -1
"""The model and country of what belongs to the network alone."""


class Part(Fact, kw_only=True):
    """A number that an event added to a field, or took from it. `node` and `owner` are empty where no list ranks it."""

    table: ClassVar[str] = "series_parts"
    # Parameters change every node at once; a node may leave a country for another.
    key: ClassVar[str] = "position, field, country, node"

    position: int
    field: str
    at: int
    model: int
    country: int
    node: str
    owner: str
    value: Amount


def add(
    view: View,
    event: Event,
    at: int,
    values: Mapping[str, int],
    *,
    where: tuple[int, int] = (NOWHERE, NOWHERE),
    who: tuple[str, str] = ("", ""),
) -> None:
    """Note what an event brings, by field; nothing for zeros. where: model and country. who: node and its owner."""
    for field, value in values.items():
        if value:
            add_one(view, event, at, field, value, where=where, who=who)


def add_one(
    view: View,
    event: Event,
    at: int,
    field: str,
    value: int,
    *,
    where: tuple[int, int] = (NOWHERE, NOWHERE),
    who: tuple[str, str] = ("", ""),
) -> None:
    """Note what an event brings to one field, a zero too: the event counts."""
    view.facts.append(
        Part(
            position=event.position,
            field=field,
            at=at,
            model=where[0],
            country=where[1],
            node=who[0],
            owner=who[1],
            value=value,
        )
    )


HANDLERS: dict[str, Any] = {}

"""What can be rented now, by device model, country and tier. Triggers keep it (migrations/0016_offers.sql)."""

from __future__ import annotations

from typing import Any

import msgspec
from ionet.countries import LETTERS

from ionet_indexer.core import parameters
from ionet_indexer.core.answers import Digits
from ionet_indexer.core.lists import Filter, Listing, Order, country
from ionet_indexer.topics.nodes import BY_MODEL

STATES = ("blocked", "frozen", "leased", "paused", "absent", "disabled", "unknown", "unstaked", "offline")
"""What can keep a node from being hired, in the order in which it is looked for."""


class Offer(msgspec.Struct):
    """Nodes of one model, country and tier that are not retired. Prices are micro-dollars per processor-hour, asked by
    those that can be hired now and are online; half of their processors cost `median_price` or less. `why_not` counts
    the others by the first thing that keeps them from it: `nodes` is what can be rented and all of these.
    """

    model: int
    model_name: str | None
    country: int
    country_letters: str | None
    tier: int
    nodes: int
    processors: int
    nodes_rentable: int
    processors_rentable: int
    min_price: Digits | None
    median_price: Digits | None
    why_not: dict[str, int]


_LETTERS = " ".join(f"WHEN {number} THEN '{letters}'" for number, letters in LETTERS.items())
OFFERS = Listing(
    name="offers",
    docs="What can be rented now, and why the rest cannot: by device model, country and tier.",
    out=Offer,
    source="offers t LEFT JOIN models m ON m.code = t.model",
    order=(
        Order("model", "t.model", "bigint"),
        Order("country", "t.country", "bigint"),
        Order("tier", "t.tier", "bigint"),
    ),
    key="t.model",
    narrowed={
        "model": BY_MODEL,
        "country": country(),
        "tier": Filter(parameters.Tier, "t.tier = {0}"),
    },
    computed={"model_name": "m.name", "country_letters": f"CASE t.country {_LETTERS} END"},
    json={"why_not": dict[str, int]},
    time="",
)
HANDLERS: dict[str, Any] = {}

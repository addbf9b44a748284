"""The network at a glance."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from ionet.cli import human
from markupsafe import Markup

from ionet_web.blocks import Block, Chart, Column, Fact, Facts, Page, table
from ionet_web.charts import shares
from ionet_web.indexer import Indexer
from ionet_web.pages.listing import some
from ionet_web.series import drawn
from ionet_web.shown import Kind, money, show

_STATES = (
    ("listed", "Listed", "Registered and not retired."),
    ("online", "Online", "With a valid advert, of which one came within three minutes."),
    ("rentable", "Rentable now", "Can be hired by the chain's word, and online."),
    ("hired", "Hired", "With a lease, from its booking to the event that ends or cancels it."),
)
_OFFERS = (
    Column("model", Kind.MODEL, "Model"),
    Column("country", Kind.COUNTRY, "Country"),
    Column("nodes", Kind.COUNT, "Nodes"),
    Column("processors", Kind.COUNT, "GPUs"),
    Column("processors_rentable", Kind.COUNT, "Rentable"),
    Column("min_price", Kind.HOURLY, "From", "The lowest price of a rentable processor and hour"),
    Column("median_price", Kind.HOURLY, "Median", "The lowest price at which half of the rentable ones can be had"),
)


async def network_page(indexer: Indexer) -> Page:
    """Totals with their definitions, what is offered where, a week of use and income, the last events."""
    network, offers, events, use, income = await asyncio.gather(
        indexer.get("network"),
        indexer.get("offers", limit=200),
        some(indexer, "events", "Last events"),
        drawn(indexer, "network", "utilisation", "Utilisation", "Hired part of what is hired or can be, by hour"),
        drawn(indexer, "network", "income-IOSD", "Income of suppliers in IOSD", "Before fees, by hour"),
    )
    item = network["item"]
    items = offers["items"]
    blocks: list[Block] = [
        _totals(item),
        table("What can be rented", _OFFERS, items, empty="No node is registered yet.", more=_more(offers)),
        *_where(items),
        use,
        income,
        _money(item),
        msgspec.structs.replace(events, live=True),
    ]
    return Page("Network", blocks, network["slot"], path="/")


def _totals(item: Mapping[str, Any]) -> Facts:
    found = []
    for word, name, definition in _STATES:
        nodes, processors = item.get(f"nodes_{word}"), item.get(f"processors_{word}")
        value = Markup('{} <span class="unit">nodes</span> {} <span class="unit">GPUs</span>').format(
            show(Kind.COUNT, nodes, item), show(Kind.COUNT, processors, item)
        )
        found.append(Fact(name, value, definition))
    return Facts("", found, large=True)


def _money(item: Mapping[str, Any]) -> Facts:
    found = [
        Fact("Staked", money(int(item["bonded"]), "IO"), "Bonded behind nodes."),
        Fact("Slashed", money(int(item["slashed"]), "IO")),
        Fact("IOSD in circulation", money(int(item["iosd_supply"]), "IOSD"), "Exists only by burning IO."),
        Fact("Backing", money(int(item["backing"]), "IO"), "Burned for IOSD and not redeemed."),
        Fact(
            "IO burned otherwise", money(int(item["io_other_burned"]), "IO"), "Fees, slashes, time nobody is paid for."
        ),
    ]
    for each in item["currencies"]:
        token = each["currency"]
        found.append(Fact(f"Paid in {token}", money(int(each["paid"]), token), "Before fees."))
        found.append(Fact(f"In escrow, {token}", money(int(each["escrow"]), token), "Of open clusters."))
    return Facts("Money", found)


def _where(items: Sequence[Mapping[str, Any]]) -> list[Block]:
    models: Counter[str] = Counter()
    countries: Counter[str] = Counter()
    for item in items:
        models[item["model_name"] or str(item["model"])] += item["processors"]
        countries[human.country(item["country"])] += item["processors"]
    if not items:
        return []
    return [
        Chart("GPUs by model", shares(models.most_common(), str, "GPUs by model"), source="/v1/offers"),
        Chart("GPUs by country", shares(countries.most_common(), str, "GPUs by country"), source="/v1/offers"),
    ]


def _more(offers: Mapping[str, Any]) -> str:
    return "/nodes" if offers["next"] else ""

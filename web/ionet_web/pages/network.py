"""The network at a glance."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from ionet.cli import human
from markupsafe import Markup

from ionet_web.blocks import Block, Chart, Column, Fact, Facts, Page, facts, table
from ionet_web.charts import shares
from ionet_web.indexer import Indexer
from ionet_web.pages.listing import some, together
from ionet_web.pages.money import coverage
from ionet_web.series import drawn
from ionet_web.shown import Kind, money, show
from ionet_web.world import world

_STATES = (
    ("listed", "Listed", "Registered and not retired.", "/nodes"),
    ("online", "Online", "With a valid advert, of which one came within three minutes.", "/nodes"),
    ("rentable", "Rentable now", "Can be hired by the chain's word, and online.", "/nodes?rentable=true"),
    (
        "hired",
        "Hired",
        "With a lease, from its booking to the event that ends or cancels it.",
        "/leases?status=booked%2Cready%2Cactive",
    ),
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


_SERIES = (
    ("utilisation", "Utilisation", "Hired part of what is hired or can be, by hour"),
    ("price-asked", "Price asked", "Mean of what rentable processors ask for an hour, by hour"),
    ("price-settled-IOSD", "Price settled in IOSD", "Income by processor-hours, by hour"),
    ("income-IOSD", "Income of suppliers in IOSD", "Before fees, by hour"),
)


async def network_page(indexer: Indexer) -> Page:
    """Totals with their definitions, what is offered where, a week of use, prices and income, the last events."""
    network, offers, events, drawings = await asyncio.gather(
        indexer.get("network"),
        indexer.listed("offers", limit=200),
        some(indexer, "events", "Last events"),
        together(*(drawn(indexer, "network", *each) for each in _SERIES)),
    )
    item, items = network["item"], offers["items"]
    blocks: list[Block] = [
        _totals(item),
        *_where(items),
        table(
            "What can be rented",
            _OFFERS,
            items,
            empty="No node is registered yet.",
            more=_more(offers),
            source="offers",
        ),
        *drawings,
        _money(item),
        msgspec.structs.replace(events, live=True),
    ]
    return Page("Network", blocks, network["slot"], path="/")


def _totals(item: Mapping[str, Any]) -> Facts:
    found = []
    for word, name, definition, rows in _STATES:
        nodes, processors = item.get(f"nodes_{word}"), item.get(f"processors_{word}")
        value = Markup('{} <span class="unit">nodes</span> {} <span class="unit">GPUs</span>').format(
            show(Kind.COUNT, nodes, item), show(Kind.COUNT, processors, item)
        )
        found.append(Fact(name, value, definition, rows))
    return Facts("", found, large=True)


def _money(item: Mapping[str, Any]) -> Facts:
    found = facts(
        item,
        ("bonded", Kind.IO, "Staked", "Bonded behind nodes.", "/stakes"),
        ("slashed", Kind.IO, "Slashed", "Of stake, so far.", "/slashes"),
        ("iosd_minted", Kind.DOLLARS, "IOSD minted", "By burning IO.", "/mints"),
        ("iosd_supply", Kind.DOLLARS, "IOSD in circulation", "Minted, less redeemed and burned.", "/iosd"),
        ("backing", Kind.IO, "Backing", "IO burned for IOSD and not redeemed.", "/iosd"),
    )
    found += coverage(item, "the IOSD in circulation")
    found += facts(
        item,
        ("io_other_burned", Kind.IO, "IO burned otherwise", "Fees, slashes, time nobody is paid for.", "/burns"),
        ("disputes_open", Kind.COUNT, "Disputes open", "Intervals held until they are defended.", "/disputes"),
        ("cases_open", Kind.COUNT, "Cases open", "Accusations that are not decided yet.", "/cases"),
    )
    for each in item["currencies"]:
        token = each["currency"]
        paid, held = money(int(each["paid"]), token), money(int(each["escrow"]), token)
        found.append(Fact(f"Paid in {token}", paid, "Before fees.", f"/payments?currency={token}"))
        found.append(Fact(f"In escrow, {token}", held, "Of open clusters.", f"/clusters?currency={token}"))
    return Facts("Money", found)


def _where(items: Sequence[Mapping[str, Any]]) -> list[Block]:
    models: Counter[str] = Counter()
    countries: Counter[int] = Counter()
    for item in items:
        models[item["model_name"] or str(item["model"])] += item["processors"]
        countries[item["country"]] += item["processors"]
    if not items:
        return []
    map_ = world(countries, "GPUs", "GPUs by country, as a map")
    named = [(human.country(number), count) for number, count in countries.most_common()]
    places = Markup('<div class="beside">{}{}</div>').format(map_, shares(named, str, "GPUs by country"))
    note = "GPUs that are listed; outlines by Natural Earth"
    return [
        Chart("GPUs by country", places, note, "/v1/offers", wide=True),
        Chart(
            "GPUs by model", shares(models.most_common(), str, "GPUs by model"), "GPUs that are listed", "/v1/offers"
        ),
    ]


def _more(offers: Mapping[str, Any]) -> str:
    return "/nodes" if offers["next"] else ""

"""IOSD and IO: the books, and what moved them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ionet.generated.enums import BPS, IO_UNIT

from ionet_web.acts import ways
from ionet_web.blocks import Block, Fact, Facts, Page, facts
from ionet_web.indexer import Indexer
from ionet_web.pages.listing import some, together
from ionet_web.series import drawn
from ionet_web.shown import Kind, show

_SERIES = (
    ("IOSD-supply", "IOSD in circulation", "At the end of each day"),
    ("backing", "Backing in IO", "At the end of each day"),
    ("IOSD-minted", "IOSD minted", "By day"),
    ("IOSD-redeemed", "IOSD redeemed", "By day"),
    ("IO-burned-for-IOSD", "IO burned for IOSD", "By day"),
    ("burned-IO", "IO burned otherwise", "From the burn vaults and bought back, by day"),
    ("burned-IOSD", "IOSD burned", "From the burn vaults, by day"),
)
_LISTS = ("mints", "redemptions", "burns", "buybacks", "prices")


async def iosd_page(indexer: Indexer) -> Page:
    """What exists, what stands behind it, what was burned."""
    network, drawings, lists = await asyncio.gather(
        indexer.get("network"),
        together(*(drawn(indexer, "network", *each, step="day") for each in _SERIES)),
        together(*(some(indexer, name) for name in _LISTS)),
    )
    item = network["item"]
    blocks: list[Block] = [
        _cover(item),
        ways("mint", "redeem"),
        _books(item),
        _limits(item["params"] or {}),
        *drawings,
        *lists,
    ]
    return Page("IOSD and IO", blocks, network["slot"], path="/iosd")


def coverage(item: Mapping[str, Any], of: str) -> list[Fact]:
    """What the backing is worth, over the IOSD in circulation; nothing without either. of: what those are called."""
    supply, price = int(item["iosd_supply"]), item["io_price"]
    if price is None or supply == 0:
        return []
    covered = int(item["backing"]) * int(price) * BPS // (IO_UNIT * supply)
    words = f"What the backing is worth at the low end of the price, of {of}."
    return [Fact("Coverage", show(Kind.SHARE, covered, item), words, "/prices")]


def _cover(item: Mapping[str, Any]) -> Facts:
    found = facts(
        item,
        ("iosd_supply", Kind.DOLLARS, "In circulation", "Minted, less redeemed and burned as fees.", "/mints"),
        ("backing", Kind.IO, "Backing", "IO burned for IOSD and not redeemed.", "/redemptions"),
    )
    found += coverage(item, "what is in circulation")
    found += facts(
        item, ("io_price", Kind.DOLLARS, "Price of an IO", "Low end: what comes in counts so much.", "/prices")
    )
    return Facts("", found, large=True)


def _books(item: Mapping[str, Any]) -> Facts:
    found = facts(
        item,
        ("iosd_minted", Kind.DOLLARS, "IOSD minted", "", "/mints"),
        ("iosd_redeemed", Kind.DOLLARS, "IOSD redeemed", "", "/redemptions"),
        ("iosd_fee_burned", Kind.DOLLARS, "IOSD burned as fees", "", "/burns"),
        ("io_burned_for_iosd", Kind.IO, "IO burned for IOSD", "", "/mints"),
        ("io_redeemed", Kind.IO, "IO paid for IOSD", "", "/redemptions"),
        ("io_other_burned", Kind.IO, "IO burned otherwise", "Fees, slashes, time nobody is paid for.", "/burns"),
        ("io_genesis", Kind.IO, "IO minted at the beginning"),
        ("io_price_high", Kind.DOLLARS, "Price of an IO, high end", "What goes out counts so much.", "/prices"),
        ("price_published_at", Kind.TIME, "Price published"),
    )
    return Facts("Books", found)


def _limits(params: Mapping[str, Any]) -> Facts:
    """What a mint or a redemption keeps to."""
    if not params:
        return Facts("", [])
    found = facts(
        params,
        ("spread_bps", Kind.SHARE, "Spread", "Of each mint and each redemption; it stays in the backing.", "/rules"),
        ("limiter_window_secs", Kind.SECONDS, "Window of the limits", "", "/rules"),
        ("mint_limit_bps", Kind.SHARE, "Minted in a window", "At most, of the supply.", "/rules"),
        ("mint_floor", Kind.DOLLARS, "Or IOSD at least", "Where the supply is small.", "/rules"),
        ("redeem_limit_bps", Kind.SHARE, "Redeemed in a window", "At most, of the supply.", "/rules"),
        ("redeem_floor", Kind.DOLLARS, "Or IOSD at least", "Where the supply is small.", "/rules"),
        ("price_max_age_secs", Kind.SECONDS, "Oldest price that counts", "", "/rules"),
    )
    return Facts("Limits of mint and redemption", found)

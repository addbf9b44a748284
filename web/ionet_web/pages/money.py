"""IOSD and IO: the books, and what moved them; and stake: where it stands and what it brings."""

from __future__ import annotations

import asyncio

from ionet_web.blocks import Block, Column, Facts, Page, facts, table
from ionet_web.indexer import Indexer
from ionet_web.pages.listing import some, together
from ionet_web.series import drawn
from ionet_web.shown import Kind

_LEADERS = (Column("key", Kind.NODE, "Node"), Column("value", Kind.AMOUNT, "Earned"))


async def iosd_page(indexer: Indexer) -> Page:
    """What exists, what stands behind it, what was burned."""
    network, drawings, lists = await asyncio.gather(
        indexer.get("network"),
        together(
            drawn(indexer, "network", "IOSD-supply", "IOSD in circulation", "At the end of each day", step="day"),
            drawn(indexer, "network", "backing", "Backing in IO", "At the end of each day", step="day"),
        ),
        together(*(some(indexer, name) for name in ("mints", "redemptions", "burns", "buybacks", "prices"))),
    )
    books = facts(
        network["item"],
        ("iosd_supply", Kind.DOLLARS, "In circulation", "Minted, less redeemed and burned as fees."),
        ("iosd_minted", Kind.DOLLARS, "Minted"),
        ("iosd_redeemed", Kind.DOLLARS, "Redeemed"),
        ("iosd_fee_burned", Kind.DOLLARS, "Burned as fees"),
        ("backing", Kind.IO, "Backing", "IO burned for IOSD and not redeemed."),
        ("io_burned_for_iosd", Kind.IO, "IO burned for IOSD"),
        ("io_redeemed", Kind.IO, "IO paid for IOSD"),
        ("io_other_burned", Kind.IO, "IO burned otherwise", "Fees, slashes, time nobody is paid for, buybacks."),
        ("io_price", Kind.DOLLARS, "Price of an IO, low end"),
        ("io_price_high", Kind.DOLLARS, "High end"),
        ("price_published_at", Kind.TIME, "Published"),
    )
    blocks: list[Block] = [Facts("", books), *drawings, *lists]
    return Page("IOSD and IO", blocks, network["slot"], path="/iosd")


async def stake_page(indexer: Indexer) -> Page:
    """Where stake stands, which nodes earn, what was taken."""
    network, leaders, stake, lists = await asyncio.gather(
        indexer.get("network"),
        indexer.get("leaders", by="earned", of="node", currency="IOSD", limit=20),
        drawn(indexer, "network", "stake", "Stake", "Bonded at the end of each day", step="day"),
        together(*(some(indexer, name) for name in ("stakes", "stake-moves", "slashes"))),
    )
    totals = facts(
        network["item"],
        ("bonded", Kind.IO, "Bonded"),
        ("unbonding", Kind.IO, "Unbonding"),
        ("slashed", Kind.IO, "Slashed so far"),
        ("rewards_unclaimed", Kind.IO, "Rewards not claimed"),
    )
    earned = table("Nodes by what they earned", _LEADERS, leaders["items"], empty="Nothing was earned yet.")
    return Page("Stake", [Facts("", totals), stake, earned, *lists], network["slot"], path="/stake")

"""A wallet, a position of stake, a case, a device model: what belongs to them."""

from __future__ import annotations

import asyncio

from markupsafe import Markup

from ionet_web.blocks import Block, Column, Facts, Note, Page, address, facts, table
from ionet_web.indexer import Indexer, NotKnown
from ionet_web.pages.listing import some
from ionet_web.pages.stake import claims, exits, positions
from ionet_web.series import drawn
from ionet_web.shown import Item, Kind, show

_CURRENCIES = (
    Column("currency", Kind.STATE, "Token"),
    Column("deposit", Kind.AMOUNT, "Put into clusters"),
    Column("spent", Kind.AMOUNT, "Spent"),
    Column("refunded", Kind.AMOUNT, "Refunded"),
    Column("earned", Kind.AMOUNT, "Earned"),
    Column("received", Kind.AMOUNT, "Received"),
    Column("income", Kind.AMOUNT, "Income of stake"),
    Column("staked", Kind.AMOUNT, "Staked"),
    Column("withdrawn", Kind.AMOUNT, "Withdrawn"),
    Column("owed", Kind.AMOUNT, "Owed"),
)


async def account_page(indexer: Indexer, wallet: str) -> Page:
    """Everything of one wallet. Raises Refused for anything but an address."""
    try:
        found = await indexer.get("accounts", wallet)
    except NotKnown:
        nothing = Note(Markup("This wallet has no part in the network yet."))
        return Page(f"Wallet {wallet}", [nothing], path=f"/accounts/{wallet}")
    nodes, clusters, served, stakes = await asyncio.gather(
        some(indexer, "nodes", "Its nodes", owner=wallet),
        some(indexer, "clusters", "Its clusters", renter=wallet),
        some(indexer, "leases", "Leases that its nodes served", owner=wallet),
        positions(indexer, wallet),
    )
    item = found["item"]
    described = facts(
        item,
        ("roles", Kind.STATE, "Acts as"),
        ("nodes", Kind.COUNT, "Nodes", "", address("/nodes", owner=wallet)),
        ("clusters", Kind.COUNT, "Clusters", "", address("/clusters", renter=wallet)),
        ("leases_rented", Kind.COUNT, "Leases rented", "", address("/leases", renter=wallet)),
        ("leases_served", Kind.COUNT, "Leases served", "", address("/leases", owner=wallet)),
        ("cases", Kind.COUNT, "Cases", "", address("/cases", owner=wallet)),
    )
    money = table("Money", _CURRENCIES, item["currencies"], empty="It moved nothing.")
    blocks: list[Block] = [Facts("", described), money, nodes, clusters, served, *stakes]
    lead = Markup('As a <a href="/supply?owner={0}">supplier</a>, as a <a href="/stake?wallet={0}">staker</a>').format(
        wallet
    )
    return Page(f"Wallet {wallet}", blocks, found["slot"], lead, f"/accounts/{wallet}")


async def stake_page(indexer: Indexer, key: str) -> Page:
    """A position behind a node. Raises NotKnown."""
    found = await indexer.get("stakes", key)
    item = found["item"]
    moves = await some(indexer, "stake-moves", node=item["node"], staker=item["staker"])
    described = facts(
        item,
        ("node", Kind.NODE, "Behind"),
        ("staker", Kind.WALLET, "Staker"),
        ("bonded", Kind.IO, "Worth now"),
        ("staked", Kind.IO, "Put in"),
        ("withdrawn", Kind.IO, "Taken out"),
        ("rewards", Kind.IO, "Rewards to claim"),
        ("rewards_claimed", Kind.IO, "Rewards claimed"),
        ("closed", Kind.FLAG, "Closed"),
    )
    blocks: list[Block] = [Facts("", described), claims([item], []), exits([item]), moves]
    return Page(f"Stake {key}", blocks, found["slot"], path=f"/stakes/{key}")


async def case_page(indexer: Indexer, key: str) -> Page:
    """An accusation and what came of it. Raises NotKnown."""
    found = await indexer.get("cases", key)
    described = facts(
        found["item"],
        ("status", Kind.STATE, "Status"),
        ("node", Kind.NODE, "Node"),
        ("owner", Kind.WALLET, "Owner"),
        ("reason", Kind.STATE, "Reason"),
        ("arbiter", Kind.WALLET, "Arbiter"),
        ("evidence_hash", Kind.HASH, "Evidence"),
        ("appeal_hash", Kind.HASH, "Answer"),
        ("opened_at", Kind.TIME, "Opened"),
        ("appealed_at", Kind.TIME, "Answered"),
        ("decide_from", Kind.TIME, "To be decided from"),
        ("decide_by", Kind.TIME, "To be decided by"),
        ("decided_at", Kind.TIME, "Decided"),
        ("bps", Kind.SHARE, "Share of the stake taken"),
        ("slashed", Kind.IO, "Taken"),
        ("blocked", Kind.FLAG, "Blocked"),
    )
    return Page(f"Case {key}", [Facts("", described)], found["slot"], path=f"/cases/{key}")


async def model_page(indexer: Indexer, code: str) -> Page:
    """A device model: its terms, where it can be had, its price over time. Raises NotKnown."""
    found = await indexer.get("models", code)
    item = found["item"]
    name = item["name"]
    nodes, index, asked, settled = await asyncio.gather(
        some(indexer, "nodes", "Its nodes, the cheapest first", model=code),
        some(indexer, "index", model=code),
        drawn(indexer, f"model:{code}", "price-asked", "Price asked", "Mean of what rentable processors ask, by hour"),
        drawn(
            indexer,
            f"model:{code}",
            "price-settled-IOSD",
            "Price settled in IOSD",
            "Income by processor-hours, by hour",
        ),
    )
    lead = Markup("{} of the {} pool").format(item["kind"].upper(), show(Kind.STATE, item["pool"], item))
    return Page(name, [_model(item), nodes, index, asked, settled], found["slot"], lead, f"/models/{code}")


def _model(item: Item) -> Facts:
    found = facts(
        item,
        ("code", Kind.COUNT, "Code"),
        ("enabled", Kind.YES, "Enabled"),
        ("multiplier", Kind.COUNT, "Multiplier", "In thousandths, of the stake that a processor needs."),
        ("throughput", Kind.COUNT, "Reference throughput", "0: none is set."),
        ("reference_price", Kind.HOURLY, "Reference price"),
        ("nodes", Kind.COUNT, "Nodes"),
        ("pending_at", Kind.TIME, "New terms from"),
    )
    return Facts("", found)

"""Stake: where to stake by what it earned, and what comes out of a wallet's stake when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from ionet.node_report import KEPT_DAYS, Day, Founded
from ionet.rules.reputation import ONE
from ionet.stake_report import DEFINITION, counted_part, income_of, room_for_others, yield_bps
from markupsafe import Markup

from ionet_web.acts import way, ways
from ionet_web.blocks import Block, Choice, Column, Facts, Form, Note, Page, Table, facts, table
from ionet_web.indexer import Indexer
from ionet_web.pages.listing import some, together
from ionet_web.series import drawn
from ionet_web.shown import Item, Kind

LOOKED_AT, ASKED = 40, 12
"""Nodes, those with the most stake, that are looked at; of those that share with others, how many are ranked."""
_RANKED = (
    Column("node", Kind.NODE, "Node"),
    Column("model", Kind.MODEL, "Model"),
    Column("yield", Kind.SHARE, "Yield a year", "Projected: defined below the table"),
    Column("counted", Kind.SHARE, "Counts", "The part of its income that the yield counts"),
    Column("income_share", Kind.SHARE, "Income share", "Of leases' income, for all stake"),
    Column("reward_share", Kind.SHARE, "Reward share", "Of rewards on others' stake, theirs"),
    Column("income", Kind.DOLLARS, "Income", "Of the last 30 days after fees, in dollars"),
    Column("score", Kind.SHARE, "Score"),
    Column("owner_bonded", Kind.IO, "Own"),
    Column("others", Kind.IO, "Others'"),
    Column("room", Kind.IO, "Room", "What others can still add"),
    Column("slashed", Kind.IO, "Slashed"),
)
_CLAIMS = (
    Column("node", Kind.NODE, "Node"),
    Column("amount", Kind.AMOUNT, "Waits"),
    Column("what", Kind.TEXT, "Of"),
    Column("way", Kind.TEXT, "To sign"),
)
_EXITS = (
    Column("node", Kind.NODE, "Node"),
    Column("amount", Kind.IO, "Comes out"),
    Column("at", Kind.TIME, "From"),
    Column("why", Kind.TEXT, "Until then"),
)


async def stake_page(indexer: Indexer, wallet: str = "") -> Page:
    """wallet: whose positions are shown as well. Raises Refused for anything but an address."""
    network = await indexer.get("network")
    item = network["item"]
    ranked, stake, mine, lists = await asyncio.gather(
        _ranked(indexer, item),
        drawn(indexer, "network", "stake", "Stake", "Bonded at the end of each day", step="day"),
        positions(indexer, wallet) if wallet else _none(),
        together(*(some(indexer, name) for name in ("stakes", "stake-moves", "slashes"))),
    )
    blocks: list[Block] = [
        _totals(item),
        ways("stake", "unbond", "withdraw", "claim", "income", "owed"),
        Form([Choice("wallet", "Positions of a wallet", wallet, hint="address")], "/stake"),
        *mine,
        *ranked,
        stake,
        *lists,
    ]
    return Page("Stake", blocks, network["slot"], path="/stake")


def _totals(item: Mapping[str, Any]) -> Facts:
    found = facts(
        item,
        ("bonded", Kind.IO, "Bonded", "Behind all nodes.", "/stakes"),
        ("unbonding", Kind.IO, "Unbonding", "On its way out, and still slashable.", "/stake-moves?kind=unbond"),
        ("slashed", Kind.IO, "Slashed so far", "", "/slashes"),
        ("rewards_unclaimed", Kind.IO, "Rewards not claimed", "", "/rewards"),
    )
    return Facts("", found, large=True)


async def _none() -> list[Block]:
    return []


async def positions(indexer: Indexer, wallet: str) -> list[Block]:
    """A wallet's stake, what it can claim, and what comes out when. Raises Refused for anything but an address."""
    listed, owed, shown = await asyncio.gather(
        indexer.get("stakes", staker=wallet, limit=200),
        indexer.get("owed-balances", owner=wallet),
        some(indexer, "stakes", f"Stake of {wallet}", staker=wallet),
    )
    return [shown, claims(listed["items"], owed["items"]), exits(listed["items"])]


def claims(stakes: Iterable[Item], owed: Iterable[Item]) -> Table:
    """What positions, and a wallet that could not be paid, can claim."""
    rows = []
    for item in stakes:
        node = {"node": item["node"]}
        if int(item["rewards"]):
            rows.append(_claim(node, "rewards", "IO", item["rewards"], way("claim", **node)))
        for each in item["income"]:
            if int(each["unclaimed"]):
                currency = each["currency"]
                signed = way("income", **node, currency=currency)
                rows.append(_claim(node, "leases' income", currency, each["unclaimed"], signed))
    for each in owed:
        signed = way("owed", currency=each["currency"])
        rows.append(_claim({"node": None}, "payments that no account took", each["currency"], each["amount"], signed))
    return table("What can be claimed", _CLAIMS, rows, empty="Nothing waits to be claimed.")


def _claim(node: Mapping[str, str | None], what: str, currency: str, amount: str, signed: Markup) -> dict[str, Any]:
    return {**node, "what": what, "currency": currency, "amount": amount, "way": signed}


def exits(items: Sequence[Item]) -> Table:
    """What comes out of positions when, the soonest first."""
    rows = [_exit(item, ticket) for item in items for ticket in item["tickets"]]
    ordered = sorted(rows, key=lambda row: int(row["at"]))
    return table("What comes out when", _EXITS, ordered, empty="Nothing is on its way out.")


def _exit(item: Item, ticket: Mapping[str, Any]) -> dict[str, Any]:
    """An owner's stake waits for the end of disputes of the leases that it stood behind."""
    over = ticket["lease_over_by"] or 0
    waits = item["owner"] and over > ticket["matures_at"]
    why = "a lease of the node can still be disputed" if waits else "the cooldown runs, and it can still be slashed"
    return {**ticket, "node": item["node"], "at": over if waits else ticket["matures_at"], "why": why}


async def _ranked(indexer: Indexer, network: Mapping[str, Any]) -> list[Block]:
    """The nodes that take others' stake, by what their stake earned."""
    leaders = await indexer.get("leaders", by="stake", of="node", since="all", limit=LOOKED_AT)
    nodes = await asyncio.gather(*(indexer.slow("nodes", each["key"]) for each in leaders["items"]))
    taking = [node["item"] for node in nodes if _takes(node["item"])][:ASKED]
    rows = await asyncio.gather(*(_row(indexer, item, network) for item in taking))
    ordered = sorted(rows, key=lambda row: (-(row["yield"] or 0), -row["score"]))
    ranked = table(
        "Where to stake",
        _RANKED,
        ordered,
        empty="No node hands anything to others who stake to it.",
        source=f"leaders?by=stake&of=node&since=all&limit={LOOKED_AT}",
    )
    words = f"{DEFINITION}. Of the {LOOKED_AT} nodes with the most stake, {ASKED} at most that share with others."
    return [ranked, Note(Markup("{}").format(words[0].upper() + words[1:]))]


def _terms(item: Mapping[str, Any]) -> tuple[int, int]:
    """Agreed shares of rewards and of income: those to come where some are."""
    if item["pending_co_share_at"] is not None:
        return item["pending_co_share_bps"] or 0, item["pending_income_share_bps"] or 0
    return item["co_share_bps"], item["income_share_bps"]


def _takes(item: Mapping[str, Any]) -> bool:
    return any(_terms(item)) and not {"retired", "blocked", "frozen"} & set(item["flags"])


async def _row(indexer: Indexer, item: Mapping[str, Any], network: Mapping[str, Any]) -> dict[str, Any]:
    key = item["node"]
    told, scored = await asyncio.gather(
        indexer.slow("nodes", key, "days", days=KEPT_DAYS),
        indexer.slow("nodes", key, "reputation"),
    )
    days = msgspec.convert(told["items"], list[Day], strict=False)
    score = msgspec.convert(scored["item"], Founded, strict=False)
    price = int(network["io_price"] or 0)
    income = income_of(days)
    counted = counted_part(score.records, {item["owner"], item["payout"]}, score.today)
    reward_share, income_share = _terms(item)
    own, bonded = int(item["owner_bonded"]), int(item["bonded"])
    percent = (network["params"] or {}).get("co_stake_max_percent", 0)
    return {
        **item,
        "yield": yield_bps(income, counted, income_share, bonded, price),
        "counted": 10_000 * counted // ONE,
        "income_share": income_share,
        "reward_share": reward_share,
        "income": sum(units * price // 10**8 if name == "IO" else units for name, units in income.items()),
        "score": 10_000 * score.score // ONE,
        "others": bonded - own,
        "room": room_for_others(own, bonded - own, percent),
    }

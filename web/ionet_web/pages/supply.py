"""What an owner sees of their nodes: why they can be hired or not, what they earned, and what to look after."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ionet.cli import human
from ionet.generated.enums import NodeFlag
from ionet.node_report import FLAGS
from ionet.words import words
from markupsafe import Markup

from ionet_web.acts import way, ways
from ionet_web.blocks import Block, Choice, Column, Fact, Facts, Form, Page, Table, address, table
from ionet_web.indexer import Indexer, NotKnown
from ionet_web.pages.listing import some
from ionet_web.shown import Kind, link, money, show

NODES = 50
"""Of an owner, the cheapest first, that are looked at one by one."""
_NEAR_PERCENT = 110
"""Stake below so much of what is required: one slash more may make the node unhireable."""
_NODES = (
    Column("node", Kind.NODE, "Node"),
    Column("model", Kind.MODEL, "Model"),
    Column("processors", Kind.COUNT, "GPUs"),
    Column("price", Kind.HOURLY, "Price"),
    Column("rentable", Kind.YES, "Rentable"),
    Column("current_lease", Kind.LEASE, "Hired by"),
    Column("counted_stake", Kind.IO, "Stake that counts"),
    Column("required_stake", Kind.IO, "Required"),
    Column("earned", Kind.DOLLARS, "Earned in IOSD"),
    Column("missed_secs", Kind.SECONDS, "Missed"),
)
_WARNINGS = (
    Column("node", Kind.NODE, "Node"),
    Column("weight", Kind.STATE, "What it means"),
    Column("why", Kind.TEXT, "Why"),
    Column("remedy", Kind.TEXT, "What to do"),
)


async def supply_page(indexer: Indexer, owner: str = "") -> Page:
    """owner: whose nodes; empty: ask for one. Raises Refused for anything but an address."""
    form = Form([Choice("owner", "Owner's wallet", owner, hint="address")], "/supply")
    if not owner:
        lead = Markup("An owner's nodes: why they can be hired or not, what they earned, what needs them.")
        return Page("Supply", [form], None, lead, "/supply")
    nodes, network, owed, offers, lists = await asyncio.gather(
        indexer.get("nodes", owner=owner, limit=NODES),
        indexer.get("network"),
        indexer.get("owed-balances", owner=owner),
        indexer.listed("offers", limit=200),
        asyncio.gather(
            some(indexer, "payments", "What was paid to this wallet", payout=owner),
            some(indexer, "leases", "Leases that they served", owner=owner),
            some(indexer, "cases", owner=owner),
        ),
    )
    items = nodes["items"]
    blocks: list[Block] = [
        form,
        ways("register", "claim", "owed"),
        await _sums(indexer, owner, items, owed["items"]),
        _warnings(items, network["item"], owed["items"], offers["items"]),
        table(
            "Nodes",
            _NODES,
            items,
            empty="This wallet has registered no node.",
            more=address("/nodes", owner=owner) if nodes["next"] else "",
            source=address("nodes", owner=owner),
        ),
        *lists,
    ]
    return Page(
        "Supply", blocks, nodes["slot"], Markup("Nodes of {}").format(link(Kind.WALLET, owner, owner)), "/supply"
    )


async def _sums(
    indexer: Indexer, owner: str, items: Sequence[Mapping[str, Any]], owed: Sequence[Mapping[str, Any]]
) -> Facts:
    """Of all that the wallet has earned, and what waits to be claimed."""
    try:
        totals = (await indexer.get("accounts", owner))["item"]["currencies"]
    except NotKnown:
        totals = []
    found = [
        Fact("Nodes", show(Kind.COUNT, len(items), {}), "", address("/nodes", owner=owner)),
        Fact(
            "Rentable now", show(Kind.COUNT, sum(bool(each["rentable"]) for each in items), {}), "Hireable and online."
        ),
    ]
    for each in totals:
        token = each["currency"]
        if int(each["earned"]):
            words_ = "By its nodes, before fees."
            found.append(
                Fact(f"Earned in {token}", money(int(each["earned"]), token), words_, f"/leases?owner={owner}")
            )
    rewards = sum(int(each["owner_rewards"]) for each in items)
    if rewards:
        found.append(Fact("Rewards to claim", money(rewards, "IO"), "With ionet stake claim."))
    for each in owed:
        found.append(
            Fact(
                "Waits to be claimed",
                money(int(each["amount"]), each["currency"]),
                way("owed", currency=each["currency"]),
                f"/owed-balances?owner={owner}",
            )
        )
    return Facts("", found, large=True)


def _warnings(
    items: Iterable[Mapping[str, Any]],
    network: Mapping[str, Any],
    owed: Sequence[Mapping[str, Any]],
    offers: Sequence[Mapping[str, Any]],
) -> Table:
    rows = [{"node": item["node"], **row} for item in items for row in [*_reasons(item), *_risks(item, offers)]]
    if owed:
        rows.append(
            {"node": "", **_row("to-claim", "payments wait that no account could take", "ionet keys claim CURRENCY")}
        )
    if int(network["pause_bits"]):
        rows.append({"node": "", **_row("paused", "the network has paused something", "see its rules")})
    return table("Why not hired, and what needs its owner", _WARNINGS, rows, empty="Nothing: every node can be hired.")


def _row(weight: str, why: str, remedy: str) -> dict[str, str]:
    return {"weight": weight, "why": why, "remedy": remedy.replace("`", "")}


def _reasons(item: Mapping[str, Any]) -> list[dict[str, str]]:
    """What keeps it from being booked now, the gravest first."""
    flags = words(NodeFlag)
    found = [
        _row("not-hireable", reason.why, reason.remedy)
        for flag, reason in FLAGS.items()
        if any(flags.get(name) == flag for name in item["flags"])
    ]
    if "retired" in item["flags"]:
        return found[:1]
    lacking = int(item["required_stake"]) - int(item["counted_stake"])
    if lacking > 0:
        io = human.money(lacking, "IO")
        found.append(
            _row("not-hireable", f"its stake counts for {io} too little", f"ionet stake add NODE {lacking / 10**8:g}")
        )
    if not item["online"]:
        found.append(_row("offline", "no advert of it came within three minutes", "start its agent: ionet node up"))
    if item["hireable"] is False and not found and item["current_lease"] is None:
        found.append(
            _row("not-hireable", "its device model is switched off", "only the network's authority can switch it on")
        )
    return found


def _risks(item: Mapping[str, Any], offers: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What may cost it money."""
    if "retired" in item["flags"]:
        return []
    found = []
    required, counted = int(item["required_stake"]), int(item["counted_stake"])
    if required <= counted < required * _NEAR_PERCENT // 100:
        spare = human.money(counted - required, "IO")
        found.append(_row("at-risk", f"a slash of more than {spare} makes it unhireable", "ionet stake add NODE"))
    if item["open_case"]:
        found.append(_row("at-risk", "it is accused, and its stake frozen", "answer the case before its end"))
    median = _median(item, offers)
    if median is not None and int(item["price"]) > median:
        asked, half = human.hourly(int(item["price"])), human.hourly(median)
        found.append(_row("dear", f"it asks {asked}; half of its model can be had for {half}", "ionet node price"))
    if item["pending_co_share_at"] is not None:
        found.append(_row("announced", "new terms for stake are announced", "others may leave before they bind"))
    return found


def _median(item: Mapping[str, Any], offers: Sequence[Mapping[str, Any]]) -> int | None:
    """The median of what can be rented of its model, of the largest country that has some."""
    same = [each for each in offers if each["model"] == item["model"] and each["median_price"] is not None]
    most = max(same, key=lambda each: int(each["processors_rentable"]), default=None)
    return None if most is None else int(most["median_price"])

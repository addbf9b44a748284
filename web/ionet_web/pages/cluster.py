"""A cluster: what each of its nodes does now and comes to next, what it has cost, and its receipt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ionet.rules.pricing import earned, fee_on
from markupsafe import Markup

from ionet_web.acts import ways
from ionet_web.blocks import Block, Column, Fact, Facts, Note, Page, Table, facts, table
from ionet_web.indexer import Indexer
from ionet_web.pages.listing import some, together
from ionet_web.shown import Item, Kind, money, renter_fee_bps, ticking

MOST, AGAIN_SECS = 200, 5
"""Leases that are shown one by one; how often an open cluster's page looks again."""
_OPEN = ("booked", "ready", "active", "ended")
# What a lease waits for in each phase, and the field that says until when.
_NEXT = {
    "booked": ("its agent gets ready", "ready_by"),
    "ready": ("to be accepted by the launcher", "accept_by"),
    "active": ("its end", "ends_at"),
    "ended": ("to be settled, by anyone", ""),
}
_NODES = (
    Column("node", Kind.NODE, "Node"),
    Column("role", Kind.STATE, "Role"),
    Column("status", Kind.STATE, "Phase"),
    Column("next", Kind.TEXT, "Waits for"),
    Column("until", Kind.TIME, "Until"),
    Column("price", Kind.PRICE, "Price"),
    Column("served", Kind.SECONDS, "Ran", "From its start until now or its end"),
    Column("cost", Kind.AMOUNT, "Cost so far", "With the fee; what is proven is settled"),
    Column("lease", Kind.LEASE, "Lease"),
)
_RECEIPT = (
    Column("node", Kind.NODE, "Node"),
    Column("booked_at", Kind.TIME, "Booked"),
    Column("end_reason", Kind.STATE, "Ended because"),
    Column("price", Kind.PRICE, "Price"),
    Column("processors", Kind.COUNT, "GPUs"),
    Column("served_secs", Kind.SECONDS, "Served"),
    Column("missed_secs", Kind.SECONDS, "Missed"),
    Column("paid", Kind.AMOUNT, "Paid"),
    Column("renter_fee", Kind.AMOUNT, "Fee"),
    Column("burned", Kind.AMOUNT, "Burned", "The price of time that nobody is paid for"),
    Column("cost", Kind.AMOUNT, "In all"),
    Column("lease", Kind.LEASE, "Lease"),
)


async def cluster_page(indexer: Indexer, key: str) -> Page:
    """Raises NotKnown."""
    found = await indexer.get("clusters", key)
    network, leases, lists = await asyncio.gather(
        indexer.get("network"),
        indexer.get("leases", cluster=key, limit=MOST),
        together(*(some(indexer, name, cluster=key) for name in ("leases", "payments", "approvals", "disputes"))),
    )
    item, now, params = found["item"], int(time.time()), network["item"]["params"]
    bps = 0 if params is None else renter_fee_bps(params, item["currency"])
    rows = [_row(each, bps, now) for each in reversed(leases["items"])]
    described = facts(
        item,
        ("status", Kind.STATE, "Status"),
        ("kind", Kind.STATE, "Kind"),
        ("renter", Kind.WALLET, "Renter"),
        ("session_key", Kind.HASH, "Session key", "May accept, reject, approve and dispute for the renter."),
        ("opened_at", Kind.TIME, "Opened"),
        ("closed_at", Kind.TIME, "Closed"),
    )
    is_open = item["closed_at"] is None
    blocks: list[Block] = [Facts("", described)]
    if is_open:
        blocks += [_cost(item, rows, bps, now), ways("extend", "end", cluster=key), *_connecting(rows, key)]
    blocks += [_nodes(rows), _money(item), *_receipt(item, rows, key), *lists]
    return Page(f"Cluster {key}", blocks, found["slot"], path=f"/clusters/{key}", again=AGAIN_SECS if is_open else 0)


def _row(lease: Mapping[str, Any], bps: int, now: int) -> dict[str, Any]:
    """A lease with what it waits for and what it has cost: what was settled, or the price of the time it ran."""
    words, field = _NEXT.get(lease["status"], ("", ""))
    until = lease[field] if field else None
    ran, *parts = (int(lease[name] or 0) for name in ("served_secs", "paid", "renter_fee", "burned"))
    cost = sum(parts)
    if lease["status"] in ("active", "ended") and lease["started_at"] is not None:
        ran = max(0, min(now, lease["ends_at"]) - lease["started_at"])
        cost = _with_fee(earned(int(lease["price"]), lease["processors"], ran), bps)
    return {**lease, "next": words, "until": until, "served": ran, "cost": cost}


def _with_fee(units: int, bps: int) -> int:
    return units + fee_on(units, bps)


def _cost(item: Item, rows: Sequence[Mapping[str, Any]], bps: int, now: int) -> Facts:
    """What it costs now: the script lets it tick, until the next of its leases ends."""
    running = [row for row in rows if row["status"] == "active"]
    hourly = _with_fee(sum(int(row["price"]) * row["processors"] for row in running), bps)
    units, left = sum(row["cost"] for row in rows), min((row["ends_at"] - now for row in running), default=0)
    free = int(item["escrow"]) - int(item["locked"])
    found = [
        Fact(
            "Cost so far",
            ticking(units, hourly, max(0, left), item["currency"]),
            "With the fee, of what ran until now.",
        ),
        Fact("An hour", money(hourly, item["currency"]), f"Of {len(running)} running, with the fee."),
        Fact(
            "Can still be spent",
            money(int(item["locked"]), item["currency"]),
            "Set aside for leases; the rest comes back.",
        ),
        Fact("Free", money(max(0, free), item["currency"]), "Of its budget: to extend leases."),
    ]
    return Facts("Cost", found, large=True)


def _connecting(rows: Sequence[Mapping[str, Any]], key: str) -> list[Block]:
    if not any(row["status"] == "active" for row in rows):
        return []
    words = Markup(
        "It runs. With the renter's key <code>ionet cluster run {0} job.py</code> runs a job on it, and "
        "<code>ionet cluster connect {0} --to FOLDER</code> writes what Ray's own client needs."
    )
    return [Note(words.format(key))]


def _nodes(rows: Sequence[Mapping[str, Any]]) -> Table:
    going = [row for row in rows if row["status"] in _OPEN]
    return table("Nodes, phase by phase", _NODES, going, empty="Nothing runs or is booked.")


def _money(item: Item) -> Facts:
    found = facts(
        item,
        ("deposit", Kind.AMOUNT, "Deposit"),
        ("escrow", Kind.AMOUNT, "In escrow"),
        ("locked", Kind.AMOUNT, "Of that set aside for leases"),
        ("paid", Kind.AMOUNT, "Paid"),
        ("fees", Kind.AMOUNT, "Fees", "With the price of time that nobody is paid for."),
        ("refunded", Kind.AMOUNT, "Refunded"),
    )
    return Facts("Money", found)


def _receipt(item: Item, rows: Sequence[Mapping[str, Any]], key: str) -> list[Block]:
    """Of what is settled: it stays as it is."""
    over = [row for row in rows if row["status"] not in _OPEN]
    if not over:
        return []
    total = money(sum(row["cost"] for row in over), str(item["currency"]))
    settled = "one settled lease" if len(over) == 1 else f"{len(over)} settled leases"
    note = Markup("{} in all, of {}. From the chain alone: <code>ionet receipt {}</code>")
    return [
        table("Receipt", _RECEIPT, over, source=f"leases?cluster={key}&limit={MOST}"),
        Note(note.format(total, settled, key)),
    ]

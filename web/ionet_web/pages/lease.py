"""A lease, interval by interval."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ionet_web.blocks import Block, Column, Facts, Page, address, facts, table
from ionet_web.indexer import Indexer
from ionet_web.pages.listing import some
from ionet_web.shown import Item, Kind, link, show

_INTERVALS = 50
_LOG = (
    Column("interval", Kind.COUNT, "Interval"),
    Column("starts_at", Kind.TIME, "From"),
    Column("served_secs", Kind.SECONDS, "Served"),
    Column("kept", Kind.YES, "Kept", "Served for at least half of its length"),
    Column("root", Kind.HASH, "Root of its results"),
    Column("proof", Kind.TRANSACTION, "Proof"),
    Column("challenge", Kind.STATE, "Challenge"),
    Column("amount", Kind.AMOUNT, "Price"),
    Column("paid", Kind.AMOUNT, "Paid"),
    Column("settlement", Kind.TRANSACTION, "Settlement"),
)


async def lease_page(indexer: Indexer, key: str, cursor: str = "") -> Page:
    """Raises NotKnown, and Refused for a wrong cursor."""
    found = await indexer.get("leases", key)
    log, payments, disputes, slashes = await asyncio.gather(
        indexer.get("leases", key, "intervals", cursor=cursor, limit=_INTERVALS),
        some(indexer, "payments", lease=key),
        some(indexer, "disputes", lease=key),
        some(indexer, "slashes", lease=key),
    )
    item, path = found["item"], f"/leases/{key}"
    rows = [_row(each, item["currency"]) for each in log["items"]]
    blocks: list[Block] = [
        _booking(item),
        _amounts(item),
        table(
            "Interval by interval",
            _LOG,
            rows,
            empty="The meter has not run.",
            more=address(path, cursor=log["next"]) if log["next"] else "",
            source=f"leases/{key}/intervals",
        ),
        payments,
        disputes,
        slashes,
    ]
    lead = Markup("{} of {} for {}").format(
        show(Kind.STATE, item["status"], item), link(Kind.NODE, item["node"]), link(Kind.CLUSTER, item["cluster"])
    )
    return Page(f"Lease {key}", blocks, found["slot"], lead, path)


def _row(interval: Mapping[str, Any], currency: str) -> Item:
    proof = interval["proof"] or {}
    challenge = interval["challenge"]
    settlement = interval["settlement"]
    return {
        **interval,
        "currency": currency,
        **{name: proof.get(name) for name in ("served_secs", "kept", "root")},
        "proof": proof.get("signature"),
        "challenge": challenge,
        "settlement": settlement.get("signature") if isinstance(settlement, dict) else settlement,
    }


def _booking(item: Item) -> Facts:
    found = facts(
        item,
        ("status", Kind.STATE, "Status"),
        ("role", Kind.STATE, "Role", "The lease that was accepted first runs the head."),
        ("end_reason", Kind.STATE, "Ended because"),
        ("renter", Kind.WALLET, "Renter"),
        ("owner", Kind.WALLET, "Supplier"),
        ("price", Kind.PRICE, "Price", "For a processor and hour."),
        ("processors", Kind.COUNT, "GPUs"),
        ("duration", Kind.SECONDS, "Booked for"),
        ("interval_secs", Kind.SECONDS, "An interval is"),
        ("booked_at", Kind.TIME, "Booked"),
        ("ready_by", Kind.TIME, "To be ready by"),
        ("started_at", Kind.TIME, "Started"),
        ("ends_at", Kind.TIME, "Ends"),
        ("closed_at", Kind.TIME, "Closed"),
        ("report_hash", Kind.HASH, "Report of its readiness"),
        ("proof_head", Kind.HASH, "Head of its proofs"),
    )
    return Facts("", found)


def _amounts(item: Item) -> Facts:
    found = facts(
        item,
        ("locked", Kind.AMOUNT, "Set aside"),
        ("paid", Kind.AMOUNT, "Paid", "Before fees."),
        ("supplier_fee", Kind.AMOUNT, "Fee of the supplier"),
        ("renter_fee", Kind.AMOUNT, "Fee of the renter"),
        ("burned", Kind.AMOUNT, "Burned", "The price of time that nobody is paid for."),
        ("released", Kind.AMOUNT, "Given back to the budget"),
        ("served_secs", Kind.SECONDS, "Served"),
        ("missed_secs", Kind.SECONDS, "Missed"),
    )
    return Facts("Money", found)

"""A node: what it is, what it costs, whether it keeps its word, who stands behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ionet.cli import human
from markupsafe import Markup

from ionet_web.blocks import Block, Chart, Column, Facts, Page, facts, table
from ionet_web.charts import Bar, bars
from ionet_web.indexer import Indexer, NotKnown
from ionet_web.pages.listing import some, together
from ionet_web.series import DAY, day_name
from ionet_web.shown import Kind

_DAYS = 60
_GPUS = (Column("name", Kind.TEXT, "GPU"), Column("memory_mib", Kind.COUNT, "Memory (MiB)"))


async def node_page(indexer: Indexer, key: str) -> Page:
    """Raises NotKnown."""
    found = await indexer.get("nodes", key)
    reputation, days, advert, lists = await asyncio.gather(
        indexer.get("nodes", key, "reputation"),
        indexer.get("nodes", key, "days", days=_DAYS),
        _advert(indexer, key),
        together(
            some(indexer, "leases", node=key),
            some(indexer, "stakes", node=key),
            some(indexer, "slashes", node=key),
            some(indexer, "node-terms", "History of its terms", node=key),
        ),
    )
    item = found["item"]
    blocks: list[Block] = [
        _standing(item),
        _terms(item),
        *_hardware(advert),
        _score(reputation["item"]),
        _calendar(days["items"], f"/v1/nodes/{key}/days?days={_DAYS}"),
        _stake(item),
        *lists,
    ]
    lead = Markup("{} × {} in {}").format(
        item["processors"], item["model_name"] or item["model"], human.country(item["country"])
    )
    return Page(f"Node {key}", blocks, found["slot"], lead, f"/nodes/{key}")


async def _advert(indexer: Indexer, key: str) -> Mapping[str, Any] | None:
    try:
        answer = await indexer.get("nodes", key, "advert")
    except NotKnown:
        return None
    item: Mapping[str, Any] = answer["item"]
    return item


def _standing(item: Mapping[str, Any]) -> Facts:
    return Facts(
        "",
        facts(
            item,
            ("rentable", Kind.YES, "Rentable now", "Can be hired by the chain's word, and online."),
            ("hireable", Kind.YES, "Hireable", "No flag, no lease, its model enabled, enough stake that counts."),
            ("online", Kind.YES, "Online", "With a valid advert, of which one came within three minutes."),
            ("flags", Kind.STATE, "Held back by"),
            ("current_lease", Kind.LEASE, "Hired by"),
            ("open_case", Kind.CASE, "Accused in"),
        ),
    )


def _terms(item: Mapping[str, Any]) -> Facts:
    found = facts(
        item,
        ("price", Kind.HOURLY, "Price", "For a processor and hour."),
        ("currencies", Kind.STATE, "Takes"),
        ("min_duration", Kind.SECONDS, "Booked for at least"),
        ("max_duration", Kind.SECONDS, "At most"),
        ("owner", Kind.WALLET, "Owner"),
        ("payout", Kind.WALLET, "Paid to"),
        ("device_key", Kind.HASH, "Device key"),
        ("registered_at", Kind.TIME, "Registered"),
        ("earned", Kind.DOLLARS, "Earned in IOSD"),
        ("earned_usdc", Kind.DOLLARS, "Earned in USDC"),
        ("earned_io", Kind.IO, "Earned in IO"),
        ("served_secs", Kind.SECONDS, "Served"),
        ("missed_secs", Kind.SECONDS, "Missed"),
        ("leases_booked", Kind.COUNT, "Leases"),
    )
    return Facts("Terms and work", found)


def _hardware(advert: Mapping[str, Any] | None) -> list[Block]:
    """What it says of itself, which nobody else vouches for."""
    if advert is None:
        return []
    said = facts(
        advert,
        ("isolation", Kind.STATE, "Isolation", "What keeps a renter's code from the machine."),
        ("isolation_reason", Kind.TEXT, "Because"),
        ("ray", Kind.TEXT, "Ray"),
        ("cuda", Kind.TEXT, "CUDA"),
        ("seen_at", Kind.TIME, "Last advert"),
    )
    if advert["bandwidth"] is not None:
        said += facts(
            advert["bandwidth"],
            ("up_mbits", Kind.COUNT, "To its relay (Mbit/s)"),
            ("down_mbits", Kind.COUNT, "From its relay (Mbit/s)"),
            ("at", Kind.TIME, "Measured"),
        )
    title = "What it says of itself"
    return [Facts(title, said), table("GPUs", _GPUS, advert["gpus"], empty="It names no GPU.")]


def _score(item: Mapping[str, Any]) -> Facts:
    one = int(item["terms"]["one"])
    shares = {
        name: 10_000 * int(item[name]) // one
        for name in ("score", "served", "deviation", "time_score")
        if item[name] is not None
    }
    found = facts(
        {**item, **shares},
        ("score", Kind.SHARE, "Score", "The share served, less a caution for few records."),
        ("served", Kind.SHARE, "Share served", "Of what was weighed, what was kept."),
        ("deviation", Kind.SHARE, "Deviation"),
        ("halved", Kind.FLAG, "Halved by a slash"),
        ("time_score", Kind.SHARE, "Time score", "Minutes with an advert, of the last days."),
        ("kept", Kind.COUNT, "Weight kept"),
        ("weight", Kind.COUNT, "Weight in all"),
    )
    return Facts("Score", found)


def _calendar(items: Sequence[Mapping[str, Any]], source: str) -> Chart:
    """Kept intervals by day."""
    kept = [
        Bar(
            day_name(each["starts_at"]),
            int(each["intervals_kept"]),
            f"{each['intervals_kept']} of {each['intervals_proven']} proven intervals kept",
        )
        for each in sorted(items, key=lambda day: int(day["starts_at"]))
    ]
    first = int(items[0]["starts_at"]) if items else 0
    before = [Bar(day_name(first - back * DAY), None, "nothing yet") for back in range(_DAYS - len(kept), 0, -1)]
    title = "Intervals kept, by day"
    return Chart(
        title,
        bars([*before, *kept] if kept else [], title),
        "An interval is kept when it was served for at least half of it.",
        source,
    )


def _stake(item: Mapping[str, Any]) -> Facts:
    found = facts(
        item,
        ("bonded", Kind.IO, "Bonded"),
        ("owner_bonded", Kind.IO, "Of that the owner's"),
        ("counted_stake", Kind.IO, "Counts", "The owner's, and co-stake up to its part of the two together."),
        ("required_stake", Kind.IO, "Required"),
        ("unbonding", Kind.IO, "Unbonding"),
        ("slashed", Kind.IO, "Slashed so far"),
        ("co_share_bps", Kind.SHARE, "Rewards on co-stake to co-stakers"),
        ("income_share_bps", Kind.SHARE, "Income of leases to all stakers"),
    )
    return Facts("Stake", found)

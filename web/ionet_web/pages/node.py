"""A node: what it is, what it costs, whether it keeps its word, who stands behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ionet.cli import human
from markupsafe import Markup

from ionet_web.acts import ways
from ionet_web.blocks import Block, Chart, Column, Facts, Page, facts, table
from ionet_web.charts import Square, calendar
from ionet_web.indexer import Indexer, NotKnown
from ionet_web.pages.listing import FEW, some, together
from ionet_web.series import DAY, day_name
from ionet_web.shown import Kind

_DAYS = 60
_GPUS = (Column("name", Kind.TEXT, "GPU"), Column("memory_mib", Kind.COUNT, "Memory (MiB)"))


_RECORDS = (
    Column("renter", Kind.WALLET, "Renter"),
    Column("day", Kind.TIME, "Day"),
    Column("why", Kind.STATE, "What"),
    Column("kept", Kind.DOLLARS, "Kept", "Fees on what was kept"),
    Column("unkept", Kind.DOLLARS, "Not kept", "Fees on what was not"),
)


async def node_page(indexer: Indexer, key: str) -> Page:
    """Raises NotKnown."""
    found = await indexer.get("nodes", key)
    reputation, days, advert, lists = await asyncio.gather(
        indexer.slow("nodes", key, "reputation"),
        indexer.get("nodes", key, "days", days=_DAYS),
        _advert(indexer, key),
        together(
            some(indexer, "leases", node=key),
            some(indexer, "payments", "Its income", node=key),
            some(indexer, "proofs", node=key),
            some(indexer, "stakes", "Its stakers", node=key),
            some(indexer, "slashes", node=key),
            some(indexer, "cases", node=key),
            some(indexer, "disputes", node=key),
            some(indexer, "node-terms", "History of its terms", node=key),
            some(indexer, "co-stake-terms", "History of its terms for stake", node=key),
        ),
    )
    item = found["item"]
    blocks: list[Block] = [
        _standing(item),
        ways("stake", node=key),
        _terms(item),
        *_hardware(advert),
        _calendar(days["items"], f"/v1/nodes/{key}/days?days={_DAYS}"),
        *_score(reputation["item"]),
        _stake(item),
        *lists,
    ]
    lead = Markup("{} × {} in {}. {}").format(
        item["processors"],
        item["model_name"] or item["model"],
        human.country(item["country"]),
        Markup('<a href="/supply?owner={}">What its owner sees</a>').format(item["owner"]),
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


def _score(item: Mapping[str, Any]) -> list[Block]:
    """The score with every term of its formula, and the records that they are made of."""
    terms, one = item["terms"], int(item["terms"]["one"])
    shares = {
        name: 10_000 * int(item[name]) // one
        for name in ("score", "served", "deviation", "time_score")
        if item[name] is not None
    }
    caution = f"{terms['caution_percent'] / 100:g}"
    formula = f"(served − {caution} deviations){', halved' if item['halved'] else ''}"
    prior = (
        f"({terms['prior_kept']} + kept) ÷ ({terms['prior']} + weight), in units of {human.dollars(int(terms['unit']))}"
    )
    found = facts(
        {**item, **shares},
        ("score", Kind.SHARE, "Score", f"{formula}."),
        ("served", Kind.SHARE, "Served", f"{prior}."),
        ("deviation", Kind.SHARE, "Deviation", "√(served (1 − served) ÷ (weight + the same start))."),
        ("kept", Kind.DOLLARS, "Kept", "Fees on intervals kept, each renter's at most by their square root."),
        ("weight", Kind.DOLLARS, "Weight", f"The same of all; half is gone in {terms['half_life_days']} days."),
        ("halved", Kind.FLAG, "Halved by a slash", f"For {terms['slash_days']} days after one."),
        ("time_score", Kind.SHARE, "Online", "Minutes with a valid advert, of the last 30 days."),
    )
    records = [{**each, "day": each["day"] * DAY} for each in item["records"]]
    shown = sorted(records, key=lambda each: -each["day"])[:FEW]
    source = {"All as JSON": f"/v1/nodes/{item['node']}/reputation"}
    made_of = table(
        "What the score is made of",
        _RECORDS,
        shown,
        empty="No record yet: every node starts near 0.32.",
        exports=source,
    )
    return [Facts("Score", found), made_of]


def _calendar(items: Sequence[Mapping[str, Any]], source: str) -> Chart:
    """Kept intervals by day."""
    by_day = {int(each["starts_at"]) // DAY: each for each in items}
    last = max(by_day, default=0)
    squares = [_square(day, by_day.get(day)) for day in range(last - _DAYS + 1, last + 1)] if by_day else []
    title = "Intervals kept, by day"
    note = "A square is a day, full where every proven interval was kept; a frame marks a slash."
    if not squares:
        return Chart(title, Markup('<p class="empty">Nothing yet.</p>'), note, source)
    ends = Markup('<p class="ends"><span>{}</span><span>{}</span></p>')
    told = Markup('<div class="days">{}{}</div>').format(
        calendar(squares, title), ends.format(day_name(squares[0].day * DAY), day_name(last * DAY))
    )
    return Chart(title, told, note, source)


def _square(day: int, each: Mapping[str, Any] | None) -> Square:
    name = day_name(day * DAY)
    if each is None or not each["intervals_proven"]:
        served = "" if each is None else f", {each['slashes']} slashes" if each["slashes"] else ""
        return Square(day, None, f"{name}: no interval was proven{served}", bool(each and each["slashes"]))
    proven, kept = int(each["intervals_proven"]), int(each["intervals_kept"])
    words = f"{name}: {kept:,} of {proven:,} proven intervals kept"
    return Square(day, kept / proven, words, bool(each["slashes"]))


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

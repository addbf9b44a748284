"""A node's reputation: a number from what the chain recorded, that anybody can compute again. Integers only. Pure.

Weights are micro-dollars of fees, so that a record that looks good has cost something; old ones fade, and one renter's
count by their square root, so that a friend alone makes none. A new node starts near 0.32 and never at 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isqrt

import msgspec

ONE = 10**9
"""What a share or score of 1 is written as."""
UNIT = 100_000
"""Micro-dollars of fees that weigh as much as one of the three intervals which every node starts with."""
PRIOR_KEPT, PRIOR = 2, 3
CAUTION_PERCENT = 128
"""How many hundredths of a standard deviation the score stays below the share that was served."""
HALF_LIFE_DAYS, SLASH_DAYS, WINDOW_DAYS = 30, 90, 180
PENALTIES = {"rejected": 3, "promise": 3, "left": 2}
"""What counts as this many intervals that were not kept, of the seconds that it cost: a readiness that the renter
rejected, a node that was not ready in time, a lease left without challenges."""
_FRACTION = 64  # bits
TIME_WINDOW_MINUTES = 30 * 24 * 60
"""Minutes that the time score looks back."""
DAY_MINUTES = 24 * 60


NOT_COUNTED = ("disputed", "unchallenged")
"""Challenges of intervals that count for nothing: not yet, or with what the supplier's leaving counts for."""


def counted(length: int, secs: int, *, kept: bool, challenge: str | None, paid: bool) -> tuple[int, int]:
    """What one interval counts for, by the log of its lease: seconds that were kept and paid for, of the `secs` that
    count for the supplier, and seconds that were not kept, which are all of its length.
    """
    if challenge in NOT_COUNTED:
        return 0, 0
    good = kept and challenge != "undefended"
    return secs if good and paid else 0, 0 if good else length


class Record(msgspec.Struct, frozen=True):
    """What one renter saw on one day (since 1970): fees on the intervals that were kept and that were not."""

    renter: str
    day: int
    kept: int
    unkept: int


class Reputation(msgspec.Struct, frozen=True):
    """The score and what it comes from: weights in micro-dollars, shares of `ONE`."""

    kept: int
    weight: int
    served: int
    deviation: int
    halved: bool
    score: int


def _root(value: int, degree: int) -> int:
    """The largest integer whose power is at most `value`."""
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
    return low


# 2^(−days / 30) for the days of one half-life, rounded down.
_FADES = [_root(1 << (_FRACTION * HALF_LIFE_DAYS - day), HALF_LIFE_DAYS) for day in range(HALF_LIFE_DAYS)]


def faded(amount: int, days: int) -> int:
    """What is left of a weight after some days, rounded down; nothing after the window."""
    if days >= WINDOW_DAYS:
        return 0
    halvings, rest = divmod(max(days, 0), HALF_LIFE_DAYS)
    return amount * _FADES[rest] >> (_FRACTION + halvings)


def time_score(days: Mapping[int, bytes], minute: int) -> int:
    """Share, of `ONE`, of the 30 days before a minute (since 1970) in whose minutes the node had a valid advert.

    days: day since 1970 → 1,440 bits, the lowest bit of a byte first.
    """
    seen = 0
    first = minute - TIME_WINDOW_MINUTES
    for day, bits in days.items():
        begin, end = max(first - day * DAY_MINUTES, 0), min(minute - day * DAY_MINUTES, DAY_MINUTES)
        if begin < end:
            seen += (int.from_bytes(bits, "little") >> begin & ((1 << (end - begin)) - 1)).bit_count()
    return seen * ONE // TIME_WINDOW_MINUTES


def of_one_renter(fees: int) -> int:
    """What one renter's fees count for, micro-dollars: their square root from `UNIT` on."""
    return min(fees, isqrt(fees * UNIT))


def reputation(records: Iterable[Record], *, today: int, slashed_on: int | None = None) -> Reputation:
    """The reputation on a day. slashed_on: day of the last slash; for 90 days it halves the score."""
    renters: dict[str, tuple[int, int]] = {}
    for record in records:
        kept, unkept = renters.get(record.renter, (0, 0))
        age = today - record.day
        renters[record.renter] = (kept + faded(record.kept, age), unkept + faded(record.unkept, age))
    all_kept = all_weight = 0
    for kept, unkept in renters.values():
        total = kept + unkept
        counted = of_one_renter(total)
        part = kept * counted // total if total else 0
        all_kept += part
        all_weight += counted
    served = (PRIOR_KEPT * UNIT + all_kept) * ONE // (PRIOR * UNIT + all_weight)
    deviation = isqrt(served * (ONE - served) * UNIT // (PRIOR * UNIT + all_weight))
    score = max(0, served - CAUTION_PERCENT * deviation // 100)
    halved = slashed_on is not None and 0 <= today - slashed_on < SLASH_DAYS
    return Reputation(all_kept, all_weight, served, deviation, halved, score // 2 if halved else score)

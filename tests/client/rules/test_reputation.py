"""The score of a node: a second implementation, written from the formula alone, agrees with the first."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import ROUND_FLOOR, Decimal, localcontext

import pytest
from ionet.rules.reputation import (
    DAY_MINUTES,
    ONE,
    TIME_WINDOW_MINUTES,
    UNIT,
    Record,
    counted,
    faded,
    reputation,
    time_score,
)

pytestmark = pytest.mark.matrix

MONTH = 30


def floor(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_FLOOR)


def by_decimals(records: list[Record], today: int, slashed_on: int | None) -> tuple[int, int, int]:
    """served, weight and score, by decimal arithmetic of 80 digits."""
    with localcontext() as context:
        context.prec = 80
        kept: dict[str, Decimal] = defaultdict(Decimal)
        both: dict[str, Decimal] = defaultdict(Decimal)
        for record in records:
            age = max(today - record.day, 0)
            if age >= 180:
                continue
            step = floor(Decimal(2) ** (64 - Decimal(age % MONTH) / MONTH)) / Decimal(2) ** (64 + age // MONTH)
            kept[record.renter] += floor(record.kept * step)
            both[record.renter] += floor(record.kept * step) + floor(record.unkept * step)
        sum_kept = sum_both = Decimal(0)
        for renter, total in both.items():
            counted = min(total, floor((total * 100_000).sqrt()))
            sum_kept += floor(kept[renter] * counted / total) if total else 0
            sum_both += counted
        served = floor((200_000 + sum_kept) * 10**9 / (300_000 + sum_both))
        deviation = floor(floor(served * (10**9 - served) * 100_000 / (300_000 + sum_both)).sqrt())
        score = max(Decimal(0), served - floor(deviation * 128 / 100))
        if slashed_on is not None and 0 <= today - slashed_on < 90:
            score = floor(score / 2)
        return int(served), int(sum_both), int(score)


@pytest.mark.parametrize("seed", range(50))
def test_two_implementations_agree_to_the_last_digit(seed: int) -> None:
    draw = random.Random(seed)
    today = draw.randrange(20_000, 30_000)
    size = 10 ** draw.randrange(1, 12)
    records = [
        Record(
            f"renter {draw.randrange(4)}",
            today - draw.randrange(0, 200),
            draw.randrange(size) if draw.random() < 0.9 else 0,
            draw.randrange(size) if draw.random() < 0.3 else 0,
        )
        for _ in range(draw.randrange(60))
    ]
    slashed_on = draw.choice([None, today, today - 89, today - 90, today - draw.randrange(400)])
    found = reputation(records, today=today, slashed_on=slashed_on)
    assert (found.served, found.weight, found.score) == by_decimals(records, today, slashed_on)


def test_a_new_node_starts_near_a_third() -> None:
    """2/3 − 1.28 · √(2/9 / 3) = 0.3183…"""
    fresh = reputation([], today=20_000)
    assert (fresh.served, fresh.weight) == (666_666_666, 0)
    assert fresh.deviation == 272_165_527  # √(0.666666666 · 0.333333334 / 3)
    assert fresh.score == 666_666_666 - 272_165_527 * 128 // 100 == 318_294_792
    assert reputation([], today=20_000, slashed_on=19_911).score == fresh.score // 2
    assert reputation([], today=20_000, slashed_on=19_910).score == fresh.score


def test_weights_halve_every_thirty_days_and_end() -> None:
    assert [faded(1 << 20, days) for days in (0, 30, 60, 150, 179, 180)][:4] == [1 << 20, 1 << 19, 1 << 18, 1 << 15]
    assert (faded(1 << 20, 180), faded(10**9, 15)) == (0, 707_106_781)  # 10⁹ / √2
    assert faded(10**9, -1) == 10**9


def test_one_renter_counts_by_the_square_root_and_many_by_their_sum() -> None:
    """A hundred units from one renter weigh as much as ten, from a hundred renters as a hundred."""
    friend = reputation([Record("friend", 20_000, 100 * UNIT, 0)], today=20_000)
    crowd = reputation([Record(f"renter {i}", 20_000, UNIT, 0) for i in range(100)], today=20_000)
    assert (friend.weight, crowd.weight) == (10 * UNIT, 100 * UNIT)
    assert friend.served == 12 * ONE // 13
    assert crowd.served == 102 * ONE // 103
    assert friend.score < crowd.score < ONE
    # Splitting an amount under the unit changes nothing: below it, the fee itself is the weight.
    assert reputation([Record("one", 20_000, UNIT // 4, 0)], today=20_000).weight == UNIT // 4


def test_what_was_not_kept_lowers_the_score() -> None:
    kept = [Record("a", 20_000, UNIT, 0), Record("b", 20_000, UNIT, 0)]
    scores = [reputation([*kept, Record("c", 20_000, 0, part)], today=20_000).score for part in (0, UNIT // 2, UNIT)]
    assert scores[0] > scores[1] > scores[2] >= 0


def test_what_an_interval_counts_for() -> None:
    """600 s long, 400 of which count for the supplier."""
    good, bad, nothing = (400, 0), (0, 600), (0, 0)
    for challenge in (None, "approved", "defended"):
        assert counted(600, 400, kept=True, challenge=challenge, paid=True) == good
        assert counted(600, 400, kept=True, challenge=challenge, paid=False) == nothing
        assert counted(600, 400, kept=False, challenge=challenge, paid=True) == bad
    assert counted(600, 0, kept=True, challenge="undefended", paid=False) == bad
    for challenge in ("disputed", "unchallenged"):
        assert counted(600, 400, kept=False, challenge=challenge, paid=False) == nothing


@pytest.mark.parametrize("seed", range(20))
def test_a_time_score_counts_the_minutes_of_thirty_days(seed: int) -> None:
    draw = random.Random(seed)
    minute = draw.randint(30 * DAY_MINUTES, 60 * DAY_MINUTES)
    edges = [minute - TIME_WINDOW_MINUTES + by for by in (-1, 0, 1)] + [minute - 1, minute, minute + 1]
    seen = [*edges, *(draw.randint(0, 60 * DAY_MINUTES) for _ in range(5_000))]
    days: dict[int, bytearray] = {}
    for at in seen:
        days.setdefault(at // DAY_MINUTES, bytearray(180))[at % DAY_MINUTES // 8] |= 1 << at % 8
    within = sum(minute - TIME_WINDOW_MINUTES <= at < minute for at in set(seen))
    found = time_score({day: bytes(bits) for day, bits in days.items()}, minute)
    assert found == within * ONE // TIME_WINDOW_MINUTES


def test_a_time_score_ends_at_one() -> None:
    days = dict.fromkeys(range(31), b"\xff" * 180)
    assert time_score(days, 30 * DAY_MINUTES + 7) == ONE
    assert time_score(days, 30 * DAY_MINUTES + 7 + DAY_MINUTES) < ONE
    assert time_score({}, 30 * DAY_MINUTES) == 0

"""Redemption without a price: at the last rate, after a day in which no price was used."""

from __future__ import annotations

from typing import NamedTuple

from simulate_iosd import paths, scenarios
from simulate_iosd import rules as formulas
from simulate_iosd.books import Books
from simulate_iosd.paths import DAY
from simulate_iosd.rules import USD_UNIT, Refused, Rules

STEP = 600
SUPPLY = 20_000_000 * USD_UNIT
DAILY_VOLS = (0.042, 0.084)
SILENCES = (1, 3, 7)


class Silence(NamedTuple):
    """After `days` without a used price. Gains are per IOSD redeemed, after the spread; losses are gains below 0.

    profitable: part of the paths on which one who sees the true price redeems with a gain. mean_gain, most: of one who
    redeems only then. honest_worst: dollars for one IOSD on the path where the price fell most.
    """

    days: int
    daily_vol: float
    coverage_bps: int
    profitable: float
    mean_gain: float
    most: float
    honest_worst: float

    @property
    def most_percent(self) -> float:
        return self.most * 100


def silence(days: int, daily_vol: float, coverage_bps: int, seeds: range) -> Silence:
    """The price moves on while the program sees none; then somebody redeems at the last rate."""
    got = []
    for seed in seeds:
        walk = paths.noise(seed, days * DAY // STEP + 1, STEP, daily_vol)
        path = paths.make(scenarios.START_PRICE, scenarios.FLAT, walk, STEP)
        books = _opened(coverage_bps, path.prices[0])
        books.use(path.quote(0, 0), 0)
        io = books.redeem(1_000 * USD_UNIT, None, days * DAY)
        got.append(formulas.value_of(io, path.prices[-1]) / (1_000 * USD_UNIT))
    gains = [each - 1 for each in got]
    good = [gain for gain in gains if gain > 0]
    return Silence(
        days,
        daily_vol,
        coverage_bps,
        len(good) / len(gains),
        sum(good) / len(gains),
        max(gains),
        min(got),
    )


def refreshed(days: int, daily_vol: float, coverage_bps: int, seeds: range) -> float:
    """The most that anyone gains per IOSD when `refresh_price` was called just before on every path."""
    most = -1.0
    for seed in seeds:
        walk = paths.noise(seed, days * DAY // STEP + 1, STEP, daily_vol)
        path = paths.make(scenarios.START_PRICE, scenarios.FLAT, walk, STEP)
        books, last = _opened(coverage_bps, path.prices[0]), len(path.prices) - 1
        books.use(path.quote(last, 60), days * DAY)
        try:
            books.redeem(1_000 * USD_UNIT, None, days * DAY)
        except Refused:
            io = books.redeem(1_000 * USD_UNIT, path.quote(last, 60), days * DAY)
            most = max(most, formulas.value_of(io, path.prices[last]) / (1_000 * USD_UNIT) - 1)
        else:
            raise AssertionError("the last rate was used although a price was seen")
    return most


def _opened(coverage_bps: int, price: int) -> Books:
    backing = SUPPLY * coverage_bps // 10_000 * 10**10 // price
    return Books.opened(Rules(), SUPPLY, backing)

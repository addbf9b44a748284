"""What one who sees the true price gains from an oracle that lags, and what keeping them out costs everybody else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from simulate_iosd import paths, scenarios
from simulate_iosd import rules as formulas
from simulate_iosd.paths import CONF_BPS, DAY, Knots, Path
from simulate_iosd.rules import BPS, IO_UNIT, USD_UNIT, Rules

LAGS = (10, 60, 300)
STEP, DAYS, HOUR = 10, 7, 3_600
# Twice the movement of the other scenarios, and sudden jumps.
STORMY_VOL = 0.084
JUMPS_PER_DAY = 3
PROTECTIONS = {
    "the oracle's price, no spread": Rules(spread_bps=0, two_prices=False),
    "spread only": Rules(two_prices=False),
    "two prices only": Rules(spread_bps=0),
    "both, as the program": Rules(),
}


class Edge(NamedTuple):
    """Gains in dollars per dollar of IOSD that passes a limiter once an hour, at the best moment of each hour.

    sold: they mint and sell at a dollar, or buy at a dollar and redeem. round_trip: they must mint and redeem
    themselves, one of the two at a moment without lag. Each is the sum over all hours of a week; hours: how many have a
    gain.
    """

    sold: float
    sold_hours: int
    round_trip: float
    round_trip_hours: int


def jumps(seed: int, days: int) -> Knots:
    """Moves of 2 to 10 % up or down, each within one step, at random times."""
    source, level = random.Random(seed), 1.0
    knots = [(0.0, 1.0)]
    for number in range(days * JUMPS_PER_DAY):
        at = (number + source.random() * 0.9) / JUMPS_PER_DAY
        size = 1.02 + 0.08 * source.random()
        knots.append((at, level))
        level = level * size if source.random() < 0.5 else level / size
        knots.append((at + STEP / DAY, level))
    return knots


def path_of(seed: int, *, stormy: bool, days: int = DAYS) -> Path:
    walk = paths.noise(seed, days * DAY // STEP, STEP, STORMY_VOL if stormy else scenarios.DAILY_VOL)
    return paths.make(scenarios.START_PRICE, jumps(seed, days) if stormy else scenarios.FLAT, walk, STEP)


def edge(path: Path, rules: Rules, lag_secs: int) -> Edge:
    """What perfect knowledge of the true price is worth against these rules."""
    kept = (BPS - rules.spread_bps) / BPS
    width = 2 * CONF_BPS / BPS if rules.two_prices else 0.0
    fair_mint, fair_redeem = (1 - width) * kept, kept / (1 + width)
    sold, round_trip = [], []
    per_hour = HOUR // path.step
    for start in range(0, len(path.prices), per_hour):
        best_mint = best_redeem = 0.0
        for index in range(start, min(start + per_hour, len(path.prices))):
            quote, price = path.quote(index, lag_secs), path.prices[index]
            low, high = (quote.low, quote.high) if rules.two_prices else (quote.price, quote.price)
            best_mint, best_redeem = max(best_mint, low / price), max(best_redeem, price / high)
        mint, redeem = best_mint * kept, best_redeem * kept
        sold.append(max(0.0, mint - 1) + max(0.0, redeem - 1))
        round_trip.append(max(0.0, mint * fair_redeem - 1) + max(0.0, redeem * fair_mint - 1))
    return Edge(sum(sold), sum(map(bool, sold)), sum(round_trip), sum(map(bool, round_trip)))


def honest_cost(path: Path, rules: Rules, lag_secs: int) -> tuple[float, float]:
    """What minting and redeeming at any hour cost on average against the true price, in basis points."""
    mint = redeem = 0.0
    hours = range(0, len(path.prices), HOUR // path.step)
    for index in hours:
        price, quote = path.prices[index], path.quote(index, lag_secs)
        mint += 1 - formulas.mint_out(1_000 * IO_UNIT, quote, rules) / formulas.value_of(1_000 * IO_UNIT, price)
        io = formulas.redeem_out(1_000 * USD_UNIT, quote, 2**62, 1, rules)
        redeem += 1 - formulas.value_of(io, price) / (1_000 * USD_UNIT)
    return mint / len(hours) * BPS, redeem / len(hours) * BPS


def after_a_move(change: float, hours: Sequence[float]) -> list[tuple[float, float, float]]:
    """(hours later, dollars of IO for one IOSD redeemed, IOSD for a dollar of IO burned) after a sudden change.

    The backing is plentiful, so only the two prices and the spread count.
    """
    steps = round(max(hours) * HOUR / STEP) + 2
    path = paths.make(scenarios.START_PRICE, ((0, 1.0), (STEP / DAY, change)), [1.0] * steps, STEP)
    found = []
    for hour in hours:
        index = 1 + round(hour * HOUR / STEP)
        quote, price = path.quote(index, 0), path.prices[index]
        io = formulas.redeem_out(1_000 * USD_UNIT, quote, 2**62, 1, Rules())
        burned = 1_000 * IO_UNIT
        minted = formulas.mint_out(burned, quote, Rules()) / formulas.value_of(burned, price)
        found.append((hour, formulas.value_of(io, price) / (1_000 * USD_UNIT), minted))
    return found

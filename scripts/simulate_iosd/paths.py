"""Seeded price paths, and what an oracle shows of them.

Only +, −, ×, ÷ and the square root of floats, which IEEE 754 rounds exactly, and `random()`: the same numbers on every
machine and Python.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from simulate_iosd.rules import BPS, Quote

DAY = 86_400
Knots = Sequence[tuple[float, float]]
# Pyth's moving average: a sample an hour old has half its weight.
EMA_HALF_LIFE = 3_600
# Confidence of a liquid feed, in parts of the price.
CONF_BPS = 10


class Path(NamedTuple):
    """True prices and their moving average, one each `step` seconds."""

    step: int
    prices: list[int]
    emas: list[int]

    def quote(self, index: int, lag_secs: int) -> Quote:
        """The freshest quote that can be posted at this moment: it shows the truth of `lag_secs` ago."""
        seen = max(0, index - lag_secs // self.step)
        price, ema = self.prices[seen], self.emas[seen]
        return Quote(price, ema, price * CONF_BPS // BPS, ema * CONF_BPS // BPS)


def along(knots: Knots, at: float) -> float:
    """The value of a broken line through (day, value) points; constant before the first and after the last."""
    before = knots[0]
    for knot in knots:
        if at < knot[0]:
            part = (at - before[0]) / (knot[0] - before[0]) if knot[0] > before[0] else 1.0
            return before[1] + (knot[1] - before[1]) * part
        before = knot
    return before[1]


def noise(seed: int, steps: int, step: int, daily_vol: float) -> list[float]:
    """A random walk that starts at 1, with nearly normal steps; `daily_vol` is the deviation of one day's move."""
    source = random.Random(seed)
    # The variance of a sum of four uniform numbers is a third.
    scale = daily_vol * math.sqrt(3.0 * step / DAY)
    level, walk = 1.0, []
    for _ in range(steps):
        walk.append(level)
        level *= 1.0 + scale * (source.random() + source.random() + source.random() + source.random() - 2.0)
    return walk


def make(start: int, shape: Knots, walk: Sequence[float], step: int) -> Path:
    """Prices that follow a shape with a walk on top, and their moving average. The average starts at the price."""
    weight = 1.0 - _half_life_factor(step)
    prices = [max(1, round(start * along(shape, i * step / DAY) * level)) for i, level in enumerate(walk)]
    emas, ema = [], float(prices[0])
    for price in prices:
        ema += (price - ema) * weight
        emas.append(round(ema))
    return Path(step, prices, emas)


def _half_life_factor(step: int) -> float:
    """2^(−step / half-life), rounded: the power function may differ in its last digit from machine to machine."""
    factor: float = 0.5 ** (step / EMA_HALF_LIFE)
    return round(factor, 9)

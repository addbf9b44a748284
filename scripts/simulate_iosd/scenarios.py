"""What happens to the price of IO and to the demand for work."""

from __future__ import annotations

from typing import NamedTuple

from simulate_iosd.paths import Knots
from simulate_iosd.rules import USD_UNIT

START_PRICE = 2 * 10**8  # $2 in units of 10^-8
DAYS = 30
STEP = 60
LAG_SECS = 60
# About 80 % a year.
DAILY_VOL = 0.042
DEMAND_PER_HOUR = 20_000 * USD_UNIT
FLAT: Knots = ((0, 1.0),)
LESS_DEMAND: Knots = ((0, 1.0), (10, 1.0), (13, 0.45))
CRASH: Knots = ((0, 1.0), (10, 1.0), (10.25, 0.5))


class Scenario(NamedTuple):
    """Price and demand as broken lines over days, times their starting values.

    run_below_bps: coverage below which a third of the first holders run. market: renters buy IOSD from those who would
    redeem it while it is worth less than a dollar, instead of burning IO for it.
    """

    name: str
    price: Knots = FLAT
    demand: Knots = FLAT
    run_below_bps: int = 0
    market: bool = False


SCENARIOS = (
    Scenario("calm"),
    Scenario("demand −55 %", demand=LESS_DEMAND),
    Scenario("price −50 % in six hours", price=CRASH),
    Scenario("price −50 %, demand −55 %", price=CRASH, demand=LESS_DEMAND),
    Scenario("price −50 %, demand −55 %, a run", price=CRASH, demand=LESS_DEMAND, run_below_bps=9_000),
    Scenario("the same with a market for IOSD", CRASH, LESS_DEMAND, run_below_bps=9_000, market=True),
    Scenario("price −50 % and back", price=((0, 1.0), (10, 1.0), (10.25, 0.5), (15, 0.5), (20, 1.0))),
    Scenario("price −50 % over twenty days", price=((0, 1.0), (5, 1.0), (25, 0.5))),
    Scenario("price × 4 and back", price=((0, 1.0), (2, 1.0), (10, 4.0), (14, 4.0), (20, 1.0))),
)

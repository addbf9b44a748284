"""Everything the report is made of, computed once."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from simulate_iosd import lag, last_rate, run, scenarios
from simulate_iosd.lag import Edge
from simulate_iosd.last_rate import Silence
from simulate_iosd.rules import BPS, USD_UNIT, Rules
from simulate_iosd.run import Queue, Wrong
from simulate_iosd.world import World, live

SEEDS = (1, 2, 3)
SILENCE_PATHS = 100
RUN_SUPPLIES = (5, 20, 100)  # million IOSD
RUN_HOURS = 48
UNLIMITED = Rules(limit_bps=None)
FACTORS = ((2, 1), (10, 1), (1, 2), (1, 10))
HOURS_AFTER = (0, 0.5, 1, 2, 4, 8)
LATE_PERCENTS = (10, 50, 100)


class Outcome(NamedTuple):
    """Who ends how in one run; dollars per IOSD, at the last day's price, unless said otherwise.

    lowest, last: coverage in percent. renters: dollars per dollar of work. io: what a dollar of IO, kept, is worth.
    served: percent of the hours in which the suppliers who insist on coverage worked. arbitrage: micro-dollars.
    """

    lowest: float
    last: float
    renters: float
    at_once: float
    holding: float
    insisting: float
    served: float
    idle: float
    runners: float
    io: float
    arbitrage: float


class Results(NamedTuple):
    outcomes: dict[str, Outcome]
    coverage: dict[str, list[int]]
    edges: dict[bool, dict[tuple[str, int], Edge]]
    costs: dict[bool, dict[str, tuple[float, float]]]
    after_fall: list[tuple[float, float, float]]
    after_rise: list[tuple[float, float, float]]
    queues: list[Queue]
    left: dict[int, list[int]]
    wrong: list[tuple[Wrong, Wrong]]
    diluted: dict[int, float]
    doubling_minutes: int
    silences: list[Silence]
    refreshed: float


def outcome(world: World) -> Outcome:
    price = world.path.prices[-1]
    left = world.books.worth(price) * (BPS - world.rules.spread_bps) / BPS
    hours = len(world.coverage)
    suppliers = (world.at_once, world.holding, world.insisting)
    at_once, holding, insisting = (each.end_worth(left) / max(1, each.earned) for each in suppliers)
    return Outcome(
        lowest=min(world.coverage) / 100,
        last=world.coverage[-1] / 100,
        renters=world.renters.paid / max(1, world.renters.earned),
        at_once=at_once,
        holding=holding,
        insisting=insisting,
        served=100 - world.hours_not_offered * 100 / hours,
        idle=left,
        runners=world.runners.end_worth(left) / 10_000_000 / USD_UNIT,
        io=price / world.path.prices[0],
        arbitrage=world.arbitrage_gain,
    )


def median(outcomes: Sequence[Outcome]) -> Outcome:
    return Outcome(*(statistics.median(column) for column in zip(*outcomes, strict=True)))


def compute() -> Results:
    outcomes, coverage = {}, {}
    for scenario in scenarios.SCENARIOS:
        worlds = [live(scenario, seed) for seed in SEEDS]
        outcomes[scenario.name] = median([outcome(world) for world in worlds])
        coverage[scenario.name] = worlds[0].coverage
    weeks = {stormy: lag.path_of(SEEDS[0], stormy=stormy) for stormy in (False, True)}
    protections = lag.PROTECTIONS.items()
    return Results(
        outcomes=outcomes,
        coverage=coverage,
        edges={
            stormy: {(name, secs): lag.edge(path, rules, secs) for name, rules in protections for secs in lag.LAGS}
            for stormy, path in weeks.items()
        },
        costs={
            stormy: {name: lag.honest_cost(path, rules, scenarios.LAG_SECS) for name, rules in protections}
            for stormy, path in weeks.items()
        },
        after_fall=lag.after_a_move(0.5, HOURS_AFTER),
        after_rise=lag.after_a_move(2.0, HOURS_AFTER),
        queues=run.queues(6_000),
        left={supply: run.left_over_time(supply * 10**6 * USD_UNIT, RUN_HOURS, Rules()) for supply in RUN_SUPPLIES},
        wrong=[(_wrong(*factor, Rules()), _wrong(*factor, UNLIMITED)) for factor in FACTORS],
        diluted={percent: run.diluted(4, percent) / 100 for percent in LATE_PERCENTS},
        doubling_minutes=run.minutes_to_double(20_000_000 * USD_UNIT),
        silences=[_silence(days, vol) for vol in last_rate.DAILY_VOLS for days in last_rate.SILENCES],
        refreshed=last_rate.refreshed(3, last_rate.DAILY_VOLS[-1], 20_000, range(SILENCE_PATHS)),
    )


def _wrong(times: int, over: int, rules: Rules) -> Wrong:
    return run.wrong_for_an_hour(times, over, rules, 20_000_000 * USD_UNIT)


def _silence(days: int, vol: float) -> Silence:
    return last_rate.silence(days, vol, 20_000, range(SILENCE_PATHS))

"""docs/iosd-simulation.md and its charts, from the results and the template beside this file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from simulate_iosd import chart, lag, last_rate, results, run, scenarios, world
from simulate_iosd.chart import Axis, Line
from simulate_iosd.paths import CONF_BPS
from simulate_iosd.results import Results
from simulate_iosd.rules import USD_UNIT, Rules

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEMPLATE = Path(__file__).with_name("report.template.md")
LINE = 118
SHOWN = (0, 2, 4, 5, 6, 8)  # scenarios in the chart
PROGRAM, NAKED, SPREAD = "both, as the program", "the oracle's price, no spread", "spread only"
MILLION = 10**6 * USD_UNIT


def files(found: Results) -> dict[Path, str]:
    """Each file of the report and its text."""
    return {
        DOCS / "iosd-simulation.md": document(found),
        DOCS / "iosd-coverage.svg": coverage_chart(found),
        DOCS / "iosd-run.svg": run_chart(found),
    }


def document(found: Results) -> str:
    filled = TEMPLATE.read_text(encoding="utf-8").format(**settings(), **figures(found), **tables(found))
    return "\n".join(wrapped(line) for line in filled.split("\n"))


def wrapped(line: str) -> str:
    """A paragraph or list item, which the template keeps on one line, over several lines."""
    if line.startswith(("|", "#", "!")):
        return line
    item = re.match(r"(?:- |\d+\. )?", line)
    return textwrap.fill(
        line,
        LINE,
        subsequent_indent=" " * len(item[0] if item else ""),
        break_long_words=False,
        break_on_hyphens=False,
    )


def coverage_chart(found: Results) -> str:
    names = [scenarios.SCENARIOS[number].name for number in SHOWN]
    lines = [
        Line(name, [(hour / 24, found.coverage[name][hour] / 100) for hour in range(0, len(found.coverage[name]), 3)])
        for name in names
    ]
    return chart.draw("Dollars of IO behind 100 IOSD", Axis("day", scenarios.DAYS, 5), Axis("", 300, 50), lines)


def run_chart(found: Results) -> str:
    lines = [
        Line(f"{supply} M IOSD at first", [(hour, left * 100 / hours[0]) for hour, left in enumerate(hours)])
        for supply, hours in found.left.items()
    ]
    x, y = Axis("hour", results.RUN_HOURS, 6), Axis("", 100, 20, " %")
    return chart.draw("Everybody runs: IOSD that still exists", x, y, lines)


def settings() -> dict[str, object]:
    """What was simulated."""
    rules = Rules()
    return {
        "rules": rules,
        "limit": (rules.limit_bps or 0) / 100,
        "floor": rules.floor // USD_UNIT,
        "last_rate_hours": rules.last_rate_after_secs // 3_600,
        "days": scenarios.DAYS,
        "scenario_count": len(scenarios.SCENARIOS),
        "seeds": len(results.SEEDS),
        "start_price": scenarios.START_PRICE // 10**8,
        "daily_vol": scenarios.DAILY_VOL * 100,
        "stormy_vol": lag.STORMY_VOL * 100,
        "jumps_per_day": lag.JUMPS_PER_DAY,
        "stock": (world.IDLE + world.RUNNERS + world.MARKET) // USD_UNIT,
        "idle": world.IDLE // USD_UNIT,
        "demand_per_hour": scenarios.DEMAND_PER_HOUR // USD_UNIT,
        "insisted": world.INSISTED_BPS / 100,
        "lag_secs": scenarios.LAG_SECS,
        "week_hours": lag.DAYS * 24,
        "conf_bps": CONF_BPS,
        "capital": run.CAPITAL // MILLION,
        "silence_paths": results.SILENCE_PATHS,
    }


def figures(found: Results) -> dict[str, object]:
    """What the conclusions quote."""
    outcomes, ordinary, storm = found.outcomes, found.edges[False], found.edges[True]
    mint_cost, redeem_cost = found.costs[False][PROGRAM]
    fall = {hours: io for hours, io, _ in found.after_fall}
    return {
        "calm": outcomes["calm"],
        "demand": outcomes["demand −55 %"],
        "crash": outcomes["price −50 % in six hours"],
        "back": outcomes["price −50 % and back"],
        "stayed": outcomes["price −50 %, demand −55 %"],
        "ran": outcomes["price −50 %, demand −55 %, a run"],
        "market": outcomes["the same with a market for IOSD"],
        "arbitrage": max(one.arbitrage for one in outcomes.values()) / USD_UNIT,
        "par": found.queues[0],
        "ours": found.queues[1],
        "first_hour": 100 - found.left[20][1] * 100 / found.left[20][0],
        "high": found.wrong[0][0],
        "high_free": found.wrong[0][1],
        "half": found.wrong[2][0],
        "diluted": found.diluted[100],
        "doubling_hours": found.doubling_minutes / 60,
        "calm_naked": ordinary[NAKED, 60],
        "calm_both": ordinary[PROGRAM, 60],
        "calm_late": ordinary[PROGRAM, 300],
        "storm_naked": storm[NAKED, 60],
        "storm_spread": storm[SPREAD, 60],
        "storm_both": storm[PROGRAM, 60],
        "storm_taken": storm[PROGRAM, 60].round_trip * 10,
        "mint_cost": mint_cost,
        "redeem_cost": redeem_cost,
        "fall_0": fall[0],
        "fall_2": fall[2],
        "fall_8": fall[8],
        "silence": found.silences[1],
        "stormy_silence": found.silences[4],
        "refreshed": found.refreshed,
    }


def tables(found: Results) -> dict[str, str]:
    moves = zip(found.after_fall, found.after_rise, strict=True)
    wrong = [
        (f"× {one.factor}", name, f"{one.coverage:.1f} %", f"${one.taken:,.1f} M")
        for limited, free in found.wrong
        for one, name in ((limited, "with the limiters"), (free, "without"))
    ]
    return {
        "scenario_table": scenario_table(found),
        "calm_lags": lag_table(found, stormy=False),
        "storm_lags": lag_table(found, stormy=True),
        "moves_table": table(
            ["hours later", "after a fall: IO for 1 IOSD, $", "after a rise: IOSD for $1 of IO"],
            [(f"{fall[0]:g}", f"{fall[1]:.3f}", f"{rise[2]:.3f}") for fall, rise in moves],
        ),
        "queue_table": table(
            ["rule", "first tenth", "middle tenth", "last tenth"],
            [(one.name, *(f"{value:.3f}" for value in (one.first, one.middle, one.last))) for one in found.queues],
        ),
        "wrong_table": table(["price shown", "limiters", "true coverage after", "taken"], wrong),
        "late_table": table(
            ["minted at the top", "coverage after"],
            [(f"{late} %", f"{coverage:.1f} %") for late, coverage in found.diluted.items()],
        ),
        "silence_table": silence_table(found),
    }


def scenario_table(found: Results) -> str:
    head = ["scenario", "coverage, %: lowest / last", "renter pays", "redeems daily", "holds", "insists (hours worked)"]
    rows = []
    for name, one in found.outcomes.items():
        coverage, insisting = f"{one.lowest:.1f} / {one.last:.1f}", f"{one.insisting:.3f} ({one.served:.0f} %)"
        dollars = [f"{value:.3f}" for value in (one.renters, one.at_once, one.holding)]
        rows.append([name, coverage, *dollars, insisting, *(f"{v:.3f}" for v in (one.idle, one.runners, one.io))])
    return table([*head, "does nothing", "may run", "kept IO instead"], rows)


def lag_table(found: Results, *, stormy: bool) -> str:
    rows = []
    for name in lag.PROTECTIONS:
        edges = [found.edges[stormy][name, secs] for secs in lag.LAGS]
        mint, redeem = found.costs[stormy][name]
        cells = [f"{one.sold:.2f} / {one.round_trip:.2f} ({one.round_trip_hours} h)" for one in edges]
        rows.append([name, *cells, f"{mint:.0f} / {redeem:.0f}"])
    return table(["rules", *(f"lag {secs} s" for secs in lag.LAGS), "cost to others, bps"], rows)


def silence_table(found: Results) -> str:
    assert len(found.silences) == len(last_rate.DAILY_VOLS) * len(last_rate.SILENCES)
    rows = []
    for one in found.silences:
        gains = [f"{value:.3f}" for value in (one.mean_gain, one.most, one.honest_worst)]
        rows.append([f"{one.days}", f"{one.daily_vol * 100:.1f} %", f"{one.profitable * 100:.0f} %", *gains])
    head = ["days without a used price", "moves a day", "paths with a gain", "mean gain", "most", "least one gets"]
    return table(head, rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])

"""Compute units of every instruction: one call that succeeds, in a transaction of its own, with fixed keys.

Fixed keys matter: finding a new account's address costs 1,500 units per bump seed tried.
"""

from __future__ import annotations

from bench.figures import Figures, count
from program import stages

TARGETS = {
    "mint_iosd": 8_000,
    "open_cluster": 10_900,
    "add_lease": 6_200,
    "mark_ready": 2_500,
    "append_proof": 2_900,
    "settle_lease": 10_000,
    "stake": 6_400,
    "report_missed": 12_000,
}
# What it takes to end a lease that was the last of its cluster.
ENDING = ("end_lease", "close_lease", "close_cluster")
ENDING_TARGET = 18_000


def measure() -> Figures:
    units = {name: _units(name) for name in stages.INSTRUCTIONS}
    found = {f"cu.{name}": count("compute", value, "CU", target=TARGETS.get(name)) for name, value in units.items()}
    ending = sum(units[name] for name in ENDING)
    found["cu.end_and_close"] = count("compute", ending, "CU", target=ENDING_TARGET)
    return found


def _units(name: str) -> int:
    stage = stages.make(name, usual=True)
    return stage.world.do(stage.call).units

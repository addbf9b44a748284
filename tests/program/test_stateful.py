"""Everybody does anything in any order, right or wrong, with every instruction of the program, while time moves or
stands still and a thief exchanges accounts.

After every step the chain is compared with what the events alone say (`books.py`) and with what must hold of shares,
seconds, supplies (`lives/truths.py`); at the end everything is unwound by its rightful owners and every vault is empty.

`IONET_STATEFUL_STEPS=20000 pytest tests/program/test_stateful.py` runs as many steps; `IONET_STATEFUL_SEED` chooses
others. What a failure prints (`state.start(…)`, `state.rent(…)`) belongs into `test_stateful_found.py`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from ionet.program import PROGRAM
from program.lives.base import ATTACKED, DONE, REACHED
from program.lives.truths import Truths

STEPS = int(os.environ.get("IONET_STATEFUL_STEPS", "1500"))
SEED = int(os.environ.get("IONET_STATEFUL_SEED", "1"))
LIFE = 100
# What every run must have met, and what a long one must.
ALWAYS = {"LeaseSettled", "LeaseClosed", "ClusterClosed", "StakeWithdrawn", "StakeVaultClosed", "TokensBurned"}
ENDS = {f"LeaseEnded{reason}" for reason in (1, 2, 3, 4, 7)} | {f"LeaseCancelled{reason}" for reason in (5, 6, 8)}
TURNS = {"LeaseDisputed", "DisputeDefended", "DisputeResolved", "IosdRedeemed", "RewardsClaimed", "OwedClaimed"}
SHARES = {"IncomeVaultOpened", "IncomeShared", "IncomeClaimed", "IncomeVaultClosed", "PayoutLocked", "PayoutReleased"}
SLASHES = {"NodeSlashed1", "NodeSlashed2", "NodeSlashed3", "NodeSlashed4"}


def live(start: int, steps: int) -> None:
    """Lives of this many steps, or a few less; a failure is shrunk to the fewest steps that still fail."""
    chosen = settings(
        max_examples=-(-steps // LIFE),
        stateful_step_count=LIFE,
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(start)(Truths), settings=chosen)


def test_random_lives() -> None:
    start = SEED
    while DONE["steps"] < STEPS:
        live(start, STEPS - DONE["steps"])
        start += 1
    steps = DONE.pop("steps")
    print(f"{steps} steps, {sum(DONE.values())} instructions, {sum(ATTACKED.values())} attacks refused")
    names = {item.name for item in PROGRAM.codec.idl.instructions} - {"init_network"}
    for name in sorted(names):
        print(f"{name:20} done {DONE[name]:6} attacked {ATTACKED[name]:5}")
    assert ALWAYS <= REACHED
    if STEPS >= 20_000:
        assert ENDS | TURNS | SHARES | SLASHES <= REACHED
        assert {name for name in names if not DONE[name]} == set()

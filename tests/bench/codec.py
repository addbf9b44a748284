"""Decoding accounts and events, against anchorpy on the same bytes in the same run."""

from __future__ import annotations

from bench.figures import Figures, timed
from bench.machine import COMPUTING, NOTHING
from client.anchorpy import decode_rate

# Our decoder does a round in tens of microseconds: fewer rounds than these measure how the processor wakes up.
REPEATS, ROUNDS = 3, 8_000


def measure() -> Figures:
    runs = [decode_rate.measure(ROUNDS) for _ in range(REPEATS)]
    found: Figures = {}
    for kind in ("accounts", "events"):
        theirs = timed(
            "codec", [run[f"{kind}_per_s_anchorpy"] for run in runs], f"{kind}/s", bound_by=COMPUTING, higher=True
        )
        note = f"anchorpy 0.21.0: {theirs.value:,.0f} {kind}/s"
        ours = [run[f"{kind}_per_s"] for run in runs]
        ratios = [run[f"{kind}_ratio"] for run in runs]
        found[f"codec.{kind}"] = timed("codec", ours, f"{kind}/s", bound_by=COMPUTING, higher=True, note=note)
        found[f"codec.{kind}_over_anchorpy"] = timed("codec", ratios, "times as fast", bound_by=NOTHING, higher=True)
    return found

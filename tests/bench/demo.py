"""Wall time of the demonstration, everything downloaded: `ionet demo` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench.figures import Figures, timed
from bench.machine import STARTING

REPEATS, TARGET_SECS = 3, 90
RAY = "Ray: head and two workers up, checked, accepted"


def measure() -> Figures:
    runs = [_run() for _ in range(REPEATS)]
    return {
        "demo": timed("demo", [run["seconds"] for run in runs], "s", bound_by=STARTING, target=TARGET_SECS),
        "demo.ray": timed(
            "demo", [run["steps"][RAY] for run in runs], "s", bound_by=STARTING, note="booked → every meter runs"
        ),
    }


def _run() -> dict[str, Any]:
    """Raises CalledProcessError with the demonstration's own words when it fails."""
    command = [sys.executable, "-m", "ionet", "demo", "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=400)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer

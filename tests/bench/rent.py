"""From `ionet run` to the first line of the job's output, on a warm network of this machine, as a user waits for it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.figures import Figures, timed
from bench.machine import STARTING
from e2e.renter import Renter, rented_from

REPEATS, TARGET_SECS, SLOT_MS = 4, 10, 400
FIRST = "first line"


def measure() -> Figures:
    with tempfile.TemporaryDirectory(prefix="", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root PostgreSQL runs as `nobody`
        with rented_from(folder, slot_ms=SLOT_MS) as renter:
            (renter.folder / "job.py").write_text(f"print('{FIRST}', flush=True)")
            # The first is the network's own: Ray's files come from the disk.
            runs = [_seconds(renter) for _ in range(1 + REPEATS)][1:]
    note = f"one node, slots of {SLOT_MS} ms; found, booked, Ray started, hardware checked, job sent"
    return {"run.first_line": timed("rent", runs, "s", bound_by=STARTING, target=TARGET_SECS, note=note)}


def _seconds(renter: Renter) -> float:
    """Raises AssertionError, with what was said, when the job does not run."""
    begun = time.monotonic()
    with renter.begin("run", "--gpu", "4090", "--hours", "0.2", "--workdir", ".", "--yes", "--", "job.py") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        took = time.monotonic() - begun
        _, said = process.communicate(timeout=300)
    assert (line, process.returncode) == (f"{FIRST}\n", 0), said
    return took

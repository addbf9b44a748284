"""How many seeds of chance end as they should: an indexer that is lied to, a network of which every part is killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec
from bench.figures import Figure, Figures, count

ROOT = Path(__file__).parents[2]
LIED_TO, CHAOS = 50, 3


class Suite(NamedTuple):
    """A test with a parameter of seeds, what runs as many, and what it says that it went through."""

    file: str
    setting: tuple[str, str]
    seeds: int
    holds: str


SUITES = {
    "indexer.lied_to": Suite(
        "tests/indexer/test_lying_node.py",
        ("IONET_LYING_SEEDS", str(LIED_TO)),
        LIED_TO,
        "tables equal to those of the chain",
    ),
    "network.chaos": Suite(
        "tests/chaos/test_chaos.py",
        ("IONET_CHAOS_SEEDS", ",".join(map(str, range(1, CHAOS + 1)))),
        CHAOS,
        "every second served, proven and paid once",
    ),
}


def measure() -> Figures:
    return {name: read(suite, _output(suite)) for name, suite in SUITES.items()}


def read(suite: Suite, output: str) -> Figure:
    """The figure of a run of pytest, by its last line; a run that did not end has none."""
    last = output.strip().splitlines()[-1]
    told = {outcome: int(number) for number, outcome in re.findall(r"(\d+) (passed|failed|error)", last)}
    run = sum(told.values())
    if not run:
        raise ValueError(f"{suite.file}: {last}")
    lies = [
        int(number) for line in re.findall(r"^lies: (.+)$", output, re.M) for number in re.findall(r"\d+(?=,|$)", line)
    ]
    note = f"of {run} seeds: {suite.holds}" + (f"; after {sum(lies):,} lies" if lies else "")
    figure = count("seeds", told.get("passed", 0), "seeds", target=run, higher=True)
    return msgspec.structs.replace(figure, note=note)


def _output(suite: Suite) -> str:
    name, value = suite.setting
    command = [sys.executable, "-m", "pytest", suite.file, "-s"]
    environment = {**os.environ, name: value}
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return found.stdout

"""How many seeds of chance end as they should: an indexer that is lied to, a network whose parts are killed."""

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


class Suite(NamedTuple):
    """A test with a parameter of seeds, what runs as many of them, and what it says that it went through.

    events: the first word of the lines that count what a seed brought, as `lies: late 10, 429 3`.
    """

    figure: str
    topic: str
    events: str
    file: str
    setting: tuple[str, str]
    holds: str


LIES = Suite(
    "indexer.lied_to",
    "lies",
    "lies",
    "tests/indexer/test_lying_node.py",
    ("IONET_LYING_SEEDS", "50"),
    "tables equal to those of the chain",
)
CHAOS = Suite(
    "network.killed",
    "chaos",
    "kills",
    "tests/chaos/test_chaos.py",
    ("IONET_CHAOS_SEEDS", "1,2,3"),
    "served, proven and paid once",
)


def lies() -> Figures:
    """Seeds of an indexer that is lied to."""
    return {LIES.figure: read(LIES, _output(LIES))}


def chaos() -> Figures:
    """Seeds of a network whose every part is killed again and again."""
    return {CHAOS.figure: read(CHAOS, _output(CHAOS))}


def read(suite: Suite, output: str) -> Figure:
    """The figure of a run of pytest, by its last line; a run that did not end has none."""
    last = output.strip().splitlines()[-1]
    told = {outcome: int(number) for number, outcome in re.findall(r"(\d+) (passed|failed|error)", last)}
    run = sum(told.values())
    if not run:
        raise ValueError(f"{suite.file}: {last}")
    # The first one follows what pytest has written of the test.
    lines = re.findall(rf"{suite.events}: (.+)$", output, re.MULTILINE)
    events = sum(int(number) for line in lines for number in re.findall(r"\d+(?=,|$)", line))
    note = f"of {run} seeds: {suite.holds}" + (f"; after {events:,} {suite.events}" if events else "")
    figure = count(suite.topic, told.get("passed", 0), "seeds", target=run, higher=True)
    return msgspec.structs.replace(figure, note=note)


def _output(suite: Suite) -> str:
    """What the suite says, which is shown while it runs: it takes long."""
    name, value = suite.setting
    command = [sys.executable, "-m", "pytest", suite.file, "-s"]
    environment = {**os.environ, name: value, "PYTHONUNBUFFERED": "1"}
    said = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            said.append(line)
    return "".join(said)

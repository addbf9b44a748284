"""How many seeds of chance end as they should: an indexer that is lied to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
from bench.figures import Figure, Figures, count

ROOT = Path(__file__).parents[2]
FILE, SEEDS = "tests/indexer/test_lying_node.py", 50


def lies() -> Figures:
    """Seeds of an indexer that is lied to."""
    return {"indexer.lied_to": read(_output())}


def read(output: str) -> Figure:
    """The figure of a run of pytest, by its last line; a run that did not end has none."""
    last = output.strip().splitlines()[-1]
    told = {outcome: int(number) for number, outcome in re.findall(r"(\d+) (passed|failed|error)", last)}
    run = sum(told.values())
    if not run:
        raise ValueError(f"{FILE}: {last}")
    lies = [
        int(number) for line in re.findall(r"^lies: (.+)$", output, re.M) for number in re.findall(r"\d+(?=,|$)", line)
    ]
    note = f"of {run} seeds: tables equal to those of the chain" + (f"; after {sum(lies):,} lies" if lies else "")
    figure = count("lies", told.get("passed", 0), "seeds", target=run, higher=True)
    return msgspec.structs.replace(figure, note=note)


def _output() -> str:
    """What the test says, which is shown while it runs: it takes long."""
    command = [sys.executable, "-m", "pytest", FILE, "-s"]
    environment = {**os.environ, "IONET_LYING_SEEDS": str(SEEDS), "PYTHONUNBUFFERED": "1"}
    said = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            said.append(line)
    return "".join(said)

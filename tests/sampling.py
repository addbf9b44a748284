"""What a run tries of the tests that take long: all of them, or with `IONET_SAMPLE` a part.

`IONET_SAMPLE=8` divides them into eight parts and runs the one that the commit chooses; `IONET_SAMPLE=3/8` the third.
What is divided: the cases of each test marked `matrix`, of which at least one runs, and all tests marked `drill`.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
DRILLS = "drills"


@dataclass(frozen=True)
class Part:
    """One of `of` parts, from 0."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Part:
        """`8`, or `3/8`, which counts from 1. Raises pytest.UsageError."""
        found = re.fullmatch(r"(?:([1-9]\d*)/)?([1-9]\d*)", text)
        if found is None or int(found[1] or 1) > int(found[2]):
            raise pytest.UsageError(f"IONET_SAMPLE={text} is not a number of parts, nor a part such as 3/8")
        of = int(found[2])
        return cls(int(found[1]) - 1 if found[1] else _commit() % of, of)

    def choose(self, name: str, cases: Sequence[T]) -> list[T]:
        """This part of a group, in its order: each case is in one part, and no part is empty."""
        mixed = list(range(len(cases)))
        random.Random(name).shuffle(mixed)  # cases beside each other are alike
        chosen = set(mixed[self.number :: self.of] or [mixed[self.number % len(mixed)]])
        return [case for place, case in enumerate(cases) if place in chosen]


@dataclass
class Sampled:
    """What was chosen. groups: by name, how many tests were chosen, of how many."""

    part: Part
    groups: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __str__(self) -> str:
        counts = [count for name, count in self.groups.items() if name != DRILLS and count[1] > 1]
        run, whole = (sum(column) for column in zip((0, 0), *counts, strict=True))
        drilled, drills = self.groups.get(DRILLS, (0, 0))
        return (
            f"part {self.part.number + 1} of {self.part.of}: {run:,} of {whole:,} cases of {len(counts)} matrices, "
            f"{drilled} of {drills} drills; all run without IONET_SAMPLE"
        )


def sample(part: Part, items: Iterable[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item], Sampled]:
    """The tests that run, those that do not, and what to say of it."""
    items = list(items)
    groups: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("drill") is not None:
            groups[DRILLS].append(item)
        elif item.get_closest_marker("matrix") is not None:
            groups[item.nodeid.partition("[")[0]].append(item)
    told = Sampled(part)
    left: set[pytest.Item] = set()
    for name, cases in groups.items():
        chosen = part.choose(name, cases)
        told.groups[name] = len(chosen), len(cases)
        left |= set(cases) - set(chosen)
    return [item for item in items if item not in left], [item for item in items if item in left], told


def _commit() -> int:
    """The checkout's commit, 0 without one."""
    command = ["git", "rev-parse", "HEAD"]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return int(found.stdout or "0", 16)

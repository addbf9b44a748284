"""How fast this machine is right now, by a fixed piece of work; times are stated against it.

One commit replayed 15,326 and 7,279 events per second on two idle machines of one kind, so a time alone says little.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

Part = Literal["hashing", "json", "fsync", "process"]
# What a figure is bound by: computing, making small things durable, starting processes. NOTHING: it is no time of this
# machine's, such as a ratio of two times.
COMPUTING: tuple[Part, ...] = ("hashing", "json")
STORING: tuple[Part, ...] = ("json", "fsync")
STARTING: tuple[Part, ...] = ("process",)
NOTHING: tuple[Part, ...] = ()

_RUNS, _RUN_SECS = 5, 0.06
_DATA = bytes(range(256)) * 16_384  # 4 MiB
_DOCUMENT = [{"name": f"item {number}", "values": list(range(20)), "text": "x" * 100} for number in range(2_000)]


class Speed(msgspec.Struct, frozen=True):
    """Pieces of work per second: 4 MiB hashed with SHA-256, a document of 440 kB written and read as JSON, 4 KiB made
    durable with fsync, a Python process started and ended.
    """

    hashing: float
    json: float
    fsync: float
    process: float

    def against_reference(self, parts: Sequence[Part]) -> float:
        """The geometric mean of these parts, each against `REFERENCE`; 1 is as fast as that machine."""
        ratios = [getattr(self, part) / getattr(REFERENCE, part) for part in parts]
        return statistics.geometric_mean(ratios)

    def halfway(self, other: Speed) -> Speed:
        """Between two measurements, part by part: what lies between them ran at neither."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Speed(*(round(math.sqrt(one * two), 1) for one, two in pairs))


# An idle virtual machine of two cores, rounded. It may be any machine, but must stay the same: tables of before and
# after a change of it are not comparable.
REFERENCE = Speed(hashing=400.0, json=100.0, fsync=7_000.0, process=80.0)


def measure() -> Speed:
    """The median of five runs of each; under two seconds."""
    with tempfile.TemporaryFile() as file:

        def durable() -> None:
            file.seek(0)
            file.write(_DATA[:4_096])
            file.flush()
            os.fsync(file.fileno())

        return Speed(
            hashing=_per_second(lambda: hashlib.sha256(_DATA).digest()),
            json=_per_second(lambda: json.loads(json.dumps(_DOCUMENT))),
            fsync=_per_second(durable),
            process=_per_second(lambda: subprocess.run([sys.executable, "-S", "-c", ""], check=True)),
        )


def _per_second(work: Callable[[], object]) -> float:
    """Repeats of `work` per second: the median over the runs."""
    work()
    rates = []
    for _ in range(_RUNS):
        count, start = 0, time.perf_counter()
        while (taken := time.perf_counter() - start) < _RUN_SECS:
            work()
            count += 1
        rates.append(count / taken)
    return statistics.median(rates)

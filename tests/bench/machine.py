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
from collections.abc import Callable

import msgspec

_RUNS = 5
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

    @property
    def relative(self) -> float:
        """The geometric mean of the four, each against `REFERENCE`; 1 is as fast as that machine."""
        parts = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(REFERENCE), strict=True)
        return float(math.prod(here / there for here, there in parts) ** (1 / 4))


# An idle virtual machine of two cores, rounded: the kind on which the table was measured.
REFERENCE = Speed(hashing=400.0, json=100.0, fsync=7_000.0, process=80.0)


def measure() -> Speed:
    """The median of five runs of each; about two seconds."""
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
    """Repeats of `work` per second: the median over runs of about 80 ms."""
    work()
    rates = []
    for _ in range(_RUNS):
        count, start = 0, time.perf_counter()
        while (taken := time.perf_counter() - start) < 0.08:
            work()
            count += 1
        rates.append(count / taken)
    return statistics.median(rates)

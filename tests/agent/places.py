"""Where members of tests run: small, and by default without isolation."""

from __future__ import annotations

from pathlib import Path

from ionet.isolation import Limits
from ionet_agent.isolation.base import Level
from ionet_agent.isolation.place import Place
from ionet_agent.isolation.runtime import Runtime

MIB = 1024 * 1024
SMALL = Limits(1, 4096 * MIB, 1024 * MIB, 80 * MIB, 8192)
TRUSTING = ("--trust-renters", "--num-cpus", "1", "--object-store-mib", "80", "--disk-mib", "1024")
"""For `ionet node run`: as small, with the best isolation that the machine has, or none."""


def place(state: Path, level: Level = Level.NONE, limits: Limits = SMALL) -> Place:
    """state: the folder of the agent."""
    return Place(level, Runtime.own(), limits, state)

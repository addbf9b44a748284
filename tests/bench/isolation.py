"""What isolation adds to the start of a member, and what its room costs by itself."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agent.places import SMALL
from agent.ray_members import members, settled
from bench.figures import Figures, timed
from bench.machine import STARTING
from ionet.agent_api import Phase
from ionet_agent.isolation import disks, ladder
from ionet_agent.isolation.base import Level
from ionet_agent.isolation.place import Place
from ionet_agent.isolation.runtime import Runtime

HEADS, ROOMS, TARGET_SECS = 3, 9, 0.5


def measure() -> Figures:
    with tempfile.TemporaryDirectory(prefix="ionet-bench-") as folder:
        state = Path(folder)
        level = ladder.choose("best", Runtime.own(), state, disks.best(state), trust=True)[0].level
        pairs = [
            (_head(state / f"{number}a", Level.NONE), _head(state / f"{number}b", level)) for number in range(HEADS)
        ]
        rooms = [_room(state, level) for _ in range(ROOMS)]
    added = [isolated - plain for plain, isolated in pairs]
    plain = statistics.median(plain for plain, _ in pairs)
    alone = f"{level}; a head alone, by turns without and with it; {plain:.2f} s without"
    return {
        "agent.isolation_adds": timed("isolation", added, "s", bound_by=STARTING, target=TARGET_SECS, note=alone),
        "agent.room": timed(
            "isolation", rooms, "s", bound_by=STARTING, target=TARGET_SECS, note=f"{level}; made, entered, taken down"
        ),
    }


def _head(folder: Path, level: Level) -> float:
    """Seconds until it is up."""

    async def start() -> float:
        [head] = members(folder, 1, level=level)
        began = time.monotonic()
        await head.provider.start(head.spec)
        phase = await settled(head)
        took = time.monotonic() - began
        await head.provider.stop(head.spec.lease)
        await head.provider.close()
        assert phase is Phase.UP
        return took

    return asyncio.run(start())


def _room(state: Path, level: Level) -> float:
    """Seconds that a room takes of what an empty command needs."""
    place = Place(level, Runtime.own(), SMALL, state)
    room = place.room("bench", state / "bench.own", 1)  # what has to be tried out is tried here
    began = time.monotonic()
    room.folder.mkdir(mode=0o700)
    place.furnish(room)
    command = place.isolation(room).wrap(["/bin/true"], room)
    subprocess.run(command, cwd=room.folder, check=True, stdout=sys.stderr)
    place.clear(room)
    return time.monotonic() - began

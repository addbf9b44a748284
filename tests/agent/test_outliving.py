"""Nothing that a renter's code starts outlives its lease, at any level of isolation, whatever it does to stay."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent.places import SMALL
from agent.test_isolation import runtime as runtime
from ionet_agent import processes
from ionet_agent.isolation import ladder
from ionet_agent.isolation.base import OWN, Level, Room
from ionet_agent.isolation.place import Place
from ionet_agent.isolation.runtime import Runtime
from waiting import until

pytestmark = pytest.mark.matrix

LEVELS = [Level.CONTAINER, Level.BUBBLEWRAP, Level.OWN_USER, Level.LANDLOCK, Level.NONE]
_ALONE = "os.setsid(); os.chdir('/')"
# The dead count against the user's limit of processes until they are reaped: what is refused is tried again.
_CHAIN = "while True:\n  try:\n    if os.fork(): os._exit(0)\n  except BlockingIOError: pass\n"
_GOING = b"it goes"
WAYS = {
    "double fork": f"(os.fork() and os._exit(0)); {_ALONE}; (os.fork() and os._exit(0)); time.sleep(600)",
    # Without its tag in environment and folder, as another program.
    "empty environment": f"{_ALONE}; os.execve(sys.executable, [sys.executable, '-c', SLEEP], {{}})",
    # Each lives for a moment and has forked before anybody can kill it.
    "fork chain": f"{_ALONE}\n{_CHAIN}  time.sleep(0.0005)",
    "three chains": f"os.fork(); os.fork(); {_ALONE}\n{_CHAIN}",
}


def script(way: str, mark: str) -> str:
    """A program that sets this going, says so, and stays."""
    sleep = f"import time; mark = {mark!r}; time.sleep(600)"
    return f"""import os, sys, time
SLEEP = {sleep!r}
mark = {mark!r}
if not os.fork():
    code = {WAYS[way]!r}
    os.execve(sys.executable, [sys.executable, "-c", "import os, sys, time; mark = {mark!r}; SLEEP = " + repr(SLEEP)
              + chr(10) + "os.write(1, {_GOING!r})" + chr(10) + code], {{}} if "chain" in {way!r} else dict(os.environ))
time.sleep(600)
"""


def marked(mark: str) -> list[int]:
    found = []
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdecimal() and mark.encode() in Path(entry.path, "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.fixture
def mark() -> Iterator[str]:
    made = f"mark{secrets.token_hex(8)}"
    yield made
    for _ in range(100):
        for pid in marked(made):
            os.kill(pid, signal.SIGKILL)


def tried(level: Level, python: Path, state: Path) -> Place:
    """A place of this level; skips a test where the machine does not have it."""
    here = Runtime(python)
    if level is not Level.NONE and (reason := ladder.why_not(ladder.of(level, state), here)) is not None:
        pytest.skip(f"{level}: {reason}")
    return Place(level, here, SMALL, state)


def furnished(here: Place) -> Room:
    tag = f"outlive{secrets.token_hex(4)}"
    room = here.room(tag, Path(tempfile.gettempdir(), f"ionet-{tag}{OWN}"), 1)
    room.folder.mkdir(mode=0o700)
    here.furnish(room)
    return room


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("level", LEVELS)
async def test_nothing_outlives_a_lease(tmp_path: Path, level: Level, way: str, mark: str, runtime: Path) -> None:
    if level is Level.NONE and way != "double fork":
        pytest.skip("without isolation only what keeps its tag is found")
    here = tried(level, runtime, tmp_path)
    room = await asyncio.to_thread(furnished, here)
    isolation = here.isolation(room)
    try:
        command = isolation.wrap([str(here.runtime.python), "-c", script(way, mark)], room)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(room.home)}
        child = processes.spawn(command, environment, room.tag, room.folder / "log", room.folder)
        # A link of a chain lives too shortly to be met in a list of processes.
        await until(lambda: _GOING in (room.folder / "log").read_bytes(), "it runs")
        await asyncio.sleep(0.2)
        assert child.poll() is None, (room.folder / "log").read_text()
        await processes.stop(room.tag, None, 0, lambda: isolation.sweep(room))
        child.wait()
        assert marked(mark) == []
    finally:
        await asyncio.to_thread(here.clear, room)
    assert marked(mark) == []


@pytest.mark.parametrize("how", ["ends", "killed", "its group killed"])
async def test_under_landlock_all_ends_with_the_first(tmp_path: Path, how: str, mark: str) -> None:
    here = tried(Level.LANDLOCK, Path(sys.executable), tmp_path)
    room = await asyncio.to_thread(furnished, here)
    try:
        code = script("fork chain", mark).replace("time.sleep(600)\n", "time.sleep(1); os._exit(3)\n")
        command = here.isolation(room).wrap(
            [sys.executable, "-c", code if how == "ends" else script("fork chain", mark)], room
        )
        child = processes.spawn(command, {"PATH": "/usr/bin:/bin"}, room.tag, room.folder / "log", room.folder)
        if how != "ends":
            await until(lambda: _GOING in (room.folder / "log").read_bytes(), "it runs")
            (os.kill if how == "killed" else os.killpg)(child.pid, signal.SIGKILL)
        ended = await asyncio.to_thread(child.wait)
        assert ended == (3 if how == "ends" else -signal.SIGKILL)
        await until(lambda: marked(mark) == [], "nothing is left")
        await until(lambda: not here.isolation(room).sweep(room), "nor the guard")
    finally:
        await asyncio.to_thread(here.clear, room)

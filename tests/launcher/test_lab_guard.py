"""A test in the lab that is killed leaves nothing: no process, network, mount, socket or file."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import lab_guard
import pytest
from agent.overlay_lab import why_no_lab
from ionet_agent import processes
from launcher.joined import LONG
from launcher.stack import until
from leftovers import processes_of
from ordinary_user import why_no_network

if WHY := why_no_lab():
    pytest.skip(WHY, allow_module_level=True)
TESTS = Path(__file__).parents[1]


def left(about: dict[str, list[str]]) -> list[object]:
    """What there is of a lab that has told this of itself."""
    found: list[object] = [*lab_guard.namespaces(str(about["namespaces"]))]
    found += [pid for pid in about["networks"] if processes.start_ticks(int(pid)) is not None]
    found += [pid for tag in about["tags"] for pid in processes.tagged(tag)]
    mounts = Path("/proc/mounts").read_text()
    found += [tag for tag in about["tags"] if tag in mounts]
    for folder in map(Path, about["folders"]):
        found += [*processes_of(folder).values(), *([folder] if folder.exists() else [])]
    return found + [tag for base in about["bases"] for tag in lab_guard.tags_of(Path(base))]


@pytest.mark.drill
@pytest.mark.parametrize(
    ("phase", "user"),
    [pytest.param("joins", (), id="root, while it joins"), pytest.param("runs", ("user",), id="ordinary user")],
)
async def test_a_lab_whose_test_is_killed_leaves_nothing(phase: str, user: tuple[str, ...]) -> None:
    if user and (why := why_no_network()):
        pytest.skip(why)
    sockets = set(lab_guard.SOCKETS.glob("*"))
    command = [sys.executable, str(TESTS / "launcher/held_lab.py"), phase, *user]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    child = await asyncio.create_subprocess_exec(*command, stdout=PIPE, env=environment, start_new_session=True)
    assert child.stdout is not None
    try:
        async with asyncio.timeout(LONG):
            about = json.loads(await child.stdout.readline())
        assert left(about) != []
        assert about["networks"], "it is killed where there is something to leave"
    finally:
        child.kill()
        await child.wait()

    async def is_clear() -> bool:
        return left(about) == [] and set(lab_guard.SOCKETS.glob("*")) <= sockets

    await until(is_clear, LONG, "nothing is left")


def test_a_guard_ends_what_knows_its_folder_and_keeps_that_where_its_owner_ends_by_itself(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"], cwd=tmp_path) as asleep, lab_guard.guard(f"guard{os.getpid()}") as guard:
        guard.clears(tmp_path)
    assert asleep.returncode == -signal.SIGKILL
    assert tmp_path.exists()

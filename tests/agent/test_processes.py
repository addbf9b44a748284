from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from pathlib import Path

from ionet_agent import processes
from ionet_agent.isolation import users
from ionet_agent.isolation.base import remove_tree


async def test_a_process_that_lost_its_environment_is_found_and_ended(tmp_path: Path) -> None:
    tag = secrets.token_hex(8)
    folder = tmp_path / f"ionet-{tag}"
    folder.mkdir()
    # As after a change of its title: nothing of the environment is left to see.
    command = ["/usr/bin/env", "-i", "/bin/sleep", "60"]
    child = processes.spawn(command, {}, tag, tmp_path / "log", folder)
    assert processes.tagged(tag) == [child.pid]
    assert _environment_of_sleep(child.pid) == b""
    assert processes.tagged(tag) == [child.pid]
    await processes.stop(tag, child.pid, 5.0)
    assert processes.tagged(tag) == []
    assert child.wait(5) == -15


async def test_a_name_that_is_no_text_hides_nobody_and_stops_nothing(tmp_path: Path) -> None:
    tag = secrets.token_hex(8)
    folder = tmp_path / f"ionet-{tag}"
    folder.mkdir()
    code = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'\\xff\\xfe (', 0, 0, 0); time.sleep(60)"
    child = processes.spawn([sys.executable, "-c", code], {}, tag, tmp_path / "log", folder)
    _wait_for_name(child.pid, b"\xff")
    assert processes.tagged(tag) == [child.pid]
    assert child.pid in users.processes_of(os.getuid())
    assert users.free_user(users.USERS) in users.USERS
    await processes.stop(tag, child.pid, 5.0)
    assert child.wait(5) == -15


def test_folders_nested_deeper_than_python_goes_are_removed(tmp_path: Path) -> None:
    """Also where they cannot be entered as they are."""
    top = tmp_path / "room"
    top.mkdir()
    there = os.open(top, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("d", dir_fd=there)
        below = os.open("d", os.O_RDONLY, dir_fd=there)
        os.close(there)
        there = below
    os.close(there)
    (tmp_path / "kept").write_text("")
    (top / "link").symlink_to(tmp_path / "kept")
    (top / "d").chmod(0)
    remove_tree(top)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


async def test_a_process_elsewhere_is_found_by_its_environment(tmp_path: Path) -> None:
    tag = secrets.token_hex(8)
    folder = tmp_path / f"ionet-{tag}"
    folder.mkdir()
    child = processes.spawn(["/bin/sh", "-c", "cd /; exec /bin/sleep 60"], {}, tag, tmp_path / "log", folder)
    assert tag.encode() in _environment_of_sleep(child.pid)
    assert processes.tagged(tag) == [child.pid]
    assert processes.tagged(secrets.token_hex(8)) == []
    await processes.stop(tag, None, 0)
    assert child.wait(5) == -9


async def test_a_child_without_environment_and_folder_is_found_by_its_parent_and_all_are_swept(tmp_path: Path) -> None:
    tag = secrets.token_hex(8)
    folder = tmp_path / f"ionet-{tag}"
    folder.mkdir()
    script = "cd / && env -i /bin/sleep 61 & wait"
    child = processes.spawn(["/bin/sh", "-c", script], {}, tag, tmp_path / "log", folder)
    deadline = time.monotonic() + 5
    while not any(processes.runs(pid, "61") for pid in processes.children(child.pid)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    [sleeper] = processes.children(child.pid)
    assert processes.tagged(tag) == [child.pid, sleeper]
    swept = [True, False]
    await processes.stop(tag, None, 0, lambda: swept.pop(0))
    assert swept == []
    assert child.wait(5) == -9
    assert processes.start_ticks(sleeper) is None


def _wait_for_name(pid: int, part: bytes) -> None:
    deadline = time.monotonic() + 30
    while part not in Path(f"/proc/{pid}/stat").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _environment_of_sleep(pid: int) -> bytes:
    """What the system shows of a process's environment, once it runs /bin/sleep."""
    deadline = time.monotonic() + 5
    while not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/bin/sleep"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return Path(f"/proc/{pid}/environ").read_bytes()

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path

from ionet_agent import processes


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


def _environment_of_sleep(pid: int) -> bytes:
    """What the system shows of a process's environment, once it runs /bin/sleep."""
    deadline = time.monotonic() + 5
    while not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/bin/sleep"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return Path(f"/proc/{pid}/environ").read_bytes()

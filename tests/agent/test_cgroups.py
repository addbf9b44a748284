"""Control groups of version 2: where a room's may stand, by layouts as systemd and containers make them.

A real one holds processes together on every machine that mounts one; limits only where it has the controllers.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from agent.trial import LIMITS
from ionet_agent.isolation import cgroups
from ionet_agent.isolation.cgroups import Cgroups
from waiting import WITHIN_SECS

ALL = "cpuset cpu io memory hugetlb pids rdma misc"


class Layout:
    """A /sys/fs/cgroup below `root`, and what /proc/self/cgroup says."""

    def __init__(self, folder: Path, own: str) -> None:
        self.root, self.own = folder / "cgroup", folder / "own"
        self.root.mkdir()
        self.own.write_text(own)

    def group(self, path: str, enabled: str) -> Layout:
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.controllers").write_text(f"{ALL}\n")
        (folder / "cgroup.subtree_control").write_text(f"{enabled}\n")
        return self

    def candidates(self) -> dict[str, str]:
        found = cgroups.candidates(self.root, self.own)
        return {name: str(path.relative_to(self.root)) for name, path in found.items()}


def test_a_service_of_the_system_puts_rooms_beside_itself(tmp_path: Path) -> None:
    """A group with processes may have no limited groups below it."""
    layout = Layout(tmp_path, "0::/system.slice/ionet.service\n").group("", "cpuset cpu io memory pids")
    layout.group("system.slice", "cpu memory pids").group("system.slice/ionet.service", "")
    assert layout.candidates() == dict.fromkeys(("memory", "pids", "cpu"), "system.slice")


def test_a_users_service_gets_what_is_delegated(tmp_path: Path) -> None:
    """As systemd delegates by default: no `cpu`."""
    slices = "user.slice/user-1000.slice/user@1000.service/app.slice"
    layout = Layout(tmp_path, f"0::/{slices}/ionet.service\n").group("", ALL).group("user.slice", "memory pids")
    layout.group(slices, "memory pids").group(f"{slices}/ionet.service", "")
    assert layout.candidates() == dict.fromkeys(("memory", "pids"), slices)


def test_a_login_session_without_delegation_has_none(tmp_path: Path) -> None:
    session = "user.slice/user-1000.slice/session-3.scope"
    layout = Layout(tmp_path, f"0::/{session}\n").group("", ALL).group("user.slice/user-1000.slice", "")
    assert layout.candidates() == {}


def test_in_a_container_nothing_is_enabled_below_its_root(tmp_path: Path) -> None:
    assert Layout(tmp_path, "0::/\n").group("", "").candidates() == {}


def test_a_group_outside_of_what_is_mounted_is_none(tmp_path: Path) -> None:
    """What a process sees that was put into a namespace whose root it is not below."""
    assert Layout(tmp_path, "0::/../../outside\n").group("", ALL).candidates() == {}


def test_where_both_versions_are_mounted_each_controller_is_taken_where_it_is(tmp_path: Path) -> None:
    own = "9:name=systemd:/\n8:pids:/\n4:memory:/jobs/1\n2:cpu,cpuacct:/\n0::/\n"
    found = Layout(tmp_path, own).candidates()
    assert found == {"pids": "pids", "memory": "memory/jobs/1", "cpu": "cpu"}


def test_a_group_that_cannot_be_made_or_has_no_limits_is_not_taken(tmp_path: Path) -> None:
    layout = Layout(tmp_path, "0::/system.slice/ionet.service\n").group("system.slice", ALL).group("", ALL)
    assert cgroups.find(layout.root, layout.own) == Cgroups({})
    assert [path.name for path in (layout.root / "system.slice").iterdir() if path.is_dir()] == []


def test_limits_are_written_as_version_2_has_them(tmp_path: Path) -> None:
    parent = Layout(tmp_path, "").group("system.slice", "cpu memory pids").root / "system.slice"
    found = Cgroups(dict.fromkeys(("memory", "pids", "cpu"), parent))
    [group] = found.groups("t")
    group.mkdir()
    for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.max"):
        (group / name).write_text("max\n")
    found.make("t", LIMITS)
    assert {path.name: path.read_text() for path in group.iterdir()} == {
        "memory.max": str(LIMITS.memory_bytes),
        "memory.swap.max": "0",
        "pids.max": str(LIMITS.processes),
        "cpu.max": f"{(LIMITS.cpus + 1) * 100_000} 100000",
    }
    assert cgroups.controllers([group]) == {"cpu", "memory", "pids"}


@pytest.fixture
def real() -> Path:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    found = [Path(where) for _, where, kind, *_ in mounts if kind == "cgroup2" and os.access(where, os.W_OK)]
    if not found:
        pytest.skip("no hierarchy of version 2 that this user may write")
    return found[0]


def test_a_real_one_holds_processes_together(real: Path) -> None:
    tag, found = f"v2-{os.getpid()}", Cgroups({"memory": real})
    groups = found.groups(tag)
    found.make(tag, LIMITS)
    child = subprocess.Popen([*cgroups.enter(groups), "/bin/sh", "-c", "setsid /bin/sleep 600 & exec /bin/sleep 600"])
    try:
        _until(lambda: len(_inside(groups[0])) == 2)
        assert child.pid in _inside(groups[0])
        assert cgroups.kill(groups)
        assert child.wait() == -9
        _until(lambda: not cgroups.kill(groups))
    finally:
        child.kill()
        cgroups.remove(groups)
    assert not groups[0].exists()


def _inside(group: Path) -> list[int]:
    return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_SECS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)

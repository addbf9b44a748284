"""Control groups: what holds memory, processes and CPUs of a room together, however many processes share them.

Both kinds of hierarchy, as far as this process may write them. A room's groups stand beside the agent's own where the
hierarchy is of version 2, since a group that has processes may have no limited groups below it, else below it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ionet.isolation import Limits

_ROOT = Path("/sys/fs/cgroup")
_CONTROLLERS = ("memory", "pids", "cpu")
_PERIOD_USECS = 100_000
# Of Ray itself, beside what it gives to tasks.
OWN_CPUS = 1
# Joins the groups before it becomes the command, so that nothing of the room is ever outside.
_ENTER = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 126; shift; done; shift; exec "$@"'


@dataclass(frozen=True)
class Cgroups:
    """parents: controller → the group below which rooms get theirs; empty where no group can be made."""

    parents: dict[str, Path]

    def groups(self, tag: str) -> tuple[Path, ...]:
        """The groups of a room, made or not."""
        return tuple(dict.fromkeys(parent / f"ionet-{tag}" for parent in self.parents.values()))

    def make(self, tag: str, limits: Limits) -> None:
        """Raises OSError."""
        for group in self.groups(tag):
            group.mkdir(exist_ok=True)
        for controller, parent in self.parents.items():
            for name, value in _settings(controller, limits).items():
                path = parent / f"ionet-{tag}" / name
                if path.exists():
                    path.write_text(str(value))


def find(root: Path = _ROOT, own: Path = Path("/proc/self/cgroup")) -> Cgroups:
    """The controllers with which a room can be held; each was tried."""
    parents = {}
    for controller, parent in candidates(root, own).items():
        trial = parent / f"ionet-trial-{secrets.token_hex(4)}"
        with contextlib.suppress(OSError):
            trial.mkdir()
            try:
                if any((trial / name).exists() for name in _settings(controller, _ANY)):
                    parents[controller] = parent
            finally:
                trial.rmdir()
    return Cgroups(parents)


def candidates(root: Path, own: Path) -> dict[str, Path]:
    """Controller → where groups with it may be made, if at all. root, own: as `find` has them."""
    found: dict[str, Path] = {}
    for line in own.read_text().splitlines():
        _, names, path = line.split(":", 2)
        inside = root / path.lstrip("/")
        if not names and (root / "cgroup.controllers").exists():
            parent = inside.parent if inside != root else root
            with contextlib.suppress(OSError):
                enabled = (parent / "cgroup.subtree_control").read_text().split()
                found |= {name: parent for name in _CONTROLLERS if name in enabled}
        for name in names.split(","):
            if name in _CONTROLLERS:
                found[name] = root / name / path.lstrip("/")
    return found


_ANY = Limits(1, 2**30, 2**30, 2**30, 1)


def _settings(controller: str, limits: Limits) -> dict[str, int | str]:
    """Of both versions; those of one do not exist in the other."""
    if controller == "memory":
        most = limits.memory_bytes
        return {
            "memory.max": most,
            "memory.swap.max": 0,
            "memory.limit_in_bytes": most,
            "memory.memsw.limit_in_bytes": most,
        }
    if controller == "pids":
        return {"pids.max": limits.processes}
    quota = (limits.cpus + OWN_CPUS) * _PERIOD_USECS
    return {"cpu.max": f"{quota} {_PERIOD_USECS}", "cpu.cfs_quota_us": quota}


def controllers(groups: Sequence[Path]) -> set[str]:
    """What the groups of a room hold, told by where they are."""
    if len(groups) == 1 and not set(groups[0].parts) & set(_CONTROLLERS):  # version 2 has all in one
        with contextlib.suppress(OSError):
            return set((groups[0].parent / "cgroup.subtree_control").read_text().split())
    return {name for name in _CONTROLLERS for group in groups if name in group.parts}


def enter(groups: Sequence[Path]) -> list[str]:
    """What to write before a command so that it runs in these groups."""
    if not groups:
        return []
    return ["/bin/sh", "-c", _ENTER, "sh", *(str(group / "cgroup.procs") for group in groups), "--"]


def kill(groups: Sequence[Path]) -> bool:
    """Kill all that is in these groups; True when there was anything."""
    found: set[int] = set()
    for group in groups:
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in (group / "cgroup.procs").read_text().split()}
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(found)


def remove(groups: Sequence[Path]) -> None:
    """Once nothing runs in them."""
    for group in groups:
        with contextlib.suppress(OSError):
            group.rmdir()

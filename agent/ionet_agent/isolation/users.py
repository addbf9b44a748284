"""Users that nobody is: one for each lease, out of a range that the system gives to nobody."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from pathlib import Path

USERS = range(1_900_000_000, 1_900_065_536)
"""By default; beyond what systemd and containers take."""
_KILL_SECS = 10.0


def free_user(users: range) -> int:
    """A user of whom no process runs."""
    taken = set(_owners().values())
    while (user := random.choice(users)) in taken:
        pass
    return user


def processes_of(user: int) -> list[int]:
    """Ids of its processes; zombies have nothing left."""
    return [pid for pid, owner in _owners().items() if owner == user]


def kill_all(user: int) -> bool:
    """Kill what this user runs, all in one moment, so that nothing forks in between. True when there was anything."""
    if not processes_of(user):
        return False
    drop = ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [*drop, "/bin/sh", "-c", "kill -KILL -1"], capture_output=True, timeout=_KILL_SECS, stdin=subprocess.DEVNULL
        )
    return True


def _owners() -> dict[int, int]:
    """Process id → user id of the processes that run."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                # Not by the owner of the folder: a process can hide behind root there.
                status = Path(entry.path, "status").read_text(errors="replace")
                if _field(status, "State")[0] not in "ZX":
                    found[int(entry.name)] = int(_field(status, "Uid")[0])
    return found


def _field(status: str, name: str) -> list[str]:
    return next(line for line in status.splitlines() if line.startswith(f"{name}:")).split()[1:]

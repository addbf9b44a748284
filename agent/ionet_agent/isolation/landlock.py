"""Level `landlock`: the agent's user, but only the files of the lease, and no signals to what is outside.

Needs neither root nor namespaces. A guard stays beside the lease's processes, outside their reach but not they outside
its own, so that nothing outlives the lease.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from ionet_agent.isolation import bounds, cgroups, landlock_exec
from ionet_agent.isolation.base import Level, Room, is_root

_READ = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/proc", "/sys"),
    *("/etc/alternatives", "/etc/ca-certificates", "/etc/ld.so.conf.d", "/etc/pki", "/etc/ssl"),
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")


def program(room: Room, *options: str) -> list[str]:
    """What to write before a command that may touch nothing but the room."""
    rules = {
        "read": [*_READ, *_public_configuration(), str(room.folder), *map(str, room.read)],
        "write": [str(room.inner), "/dev/shm"],
        "device": [*(f"/dev/{name}" for name in _DEVICES), *map(str, room.devices)],
    }
    script = str(Path(landlock_exec.__file__))
    return [sys.executable, "-I", "-S", script, json.dumps(rules), *options, "--"]


def _public_configuration() -> list[str]:
    """Files of /etc that everybody may read. Programs can do without a file, but not with one they may not open."""
    found = []
    for entry in os.scandir("/etc"):
        with contextlib.suppress(OSError):
            about = entry.stat()
            if stat.S_ISREG(about.st_mode) and about.st_mode & stat.S_IROTH:
                found.append(entry.path)
    return sorted(found)


def _guarded(tag: str) -> bool:
    """Whether a guard of a room is still there."""
    needle = f"{landlock_exec.GUARDS}={tag}".encode()
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdecimal() and Path("/proc", name, "environ").read_bytes().startswith(needle):
                return True
    return False


class Landlock:
    """An `Isolation`."""

    level = Level.LANDLOCK

    def plan(self, room: Room) -> Room:
        return room

    def furnish(self, room: Room) -> None:
        pass

    def wrap(self, command: Sequence[str], room: Room) -> list[str]:
        # Who enters a network of the agent's has all rights there, whoever they were before.
        has_rights = is_root() or room.network is not None
        drop = ["/usr/bin/setpriv", "--inh-caps=-all", "--bounding-set=-all", "--"] if has_rights else []
        inside = [*drop, "/usr/bin/env", f"--chdir={room.home}"]
        return [*bounds.enter(room), *inside, *program(room, "--keep"), *command]

    def join(self, first: int, command: Sequence[str], room: Room) -> list[str]:  # noqa: ARG002
        return self.wrap(command, room)

    def sweep(self, room: Room) -> bool:
        # What started a guard is killed by its tag; the guard is left to do its work.
        found = cgroups.kill(room.groups)
        return _guarded(room.tag) or found

    def clear(self, room: Room) -> None:
        pass

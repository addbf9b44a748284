"""Level `own-user`: for an agent that is root where namespaces cannot be had, as in many containers.

Each lease is a user of its own, whose processes and files are known by that, whatever they do. Where the kernel has
Landlock it also writes into nothing but its own folder and /dev/shm.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from ionet_agent.isolation import bounds, cgroups, disks, landlock, landlock_exec, users
from ionet_agent.isolation.base import Disk, Level, Room, remove_tree

_SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")
_IPC = {"shm": "--shmem-id", "sem": "--semaphore-id", "msg": "--queue-id"}


class OwnUser:
    """An `Isolation`. state: the agent's folder, for the leases' file systems. disk: what bounds files."""

    level = Level.OWN_USER

    def __init__(self, state: Path, disk: Disk = Disk.NONE, between: range = users.USERS) -> None:
        self._state, self._disk, self._users = state, disk, between

    def plan(self, room: Room) -> Room:
        image = self._state / "rooms" / f"{room.tag}.img" if self._disk is Disk.LOOP else None
        return replace(room, user=users.free_user(self._users), disk=self._disk, image=image)

    def furnish(self, room: Room) -> None:
        disks.mount(room)

    def wrap(self, command: Sequence[str], room: Room) -> list[str]:
        fence = landlock.program(room) if landlock_exec.abi() else []
        change = ["/usr/bin/setpriv", f"--reuid={room.user}", f"--regid={room.user}", "--clear-groups"]
        change += ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"]
        return [*bounds.enter(room), "/usr/bin/env", f"--chdir={room.home}", *fence, *change, *command]

    def join(self, first: int, command: Sequence[str], room: Room) -> list[str]:  # noqa: ARG002
        return self.wrap(command, room)

    def sweep(self, room: Room) -> bool:
        assert room.user is not None
        found = users.kill_all(room.user)
        return cgroups.kill(room.groups) or found

    def clear(self, room: Room) -> None:
        assert room.user is not None
        disks.unmount(room)
        for folder in _SHARED:
            _remove_of(room.user, Path(folder))
        for kind, option in _IPC.items():
            for number in _ipc_of(room.user, kind):
                subprocess.run(["/usr/bin/ipcrm", option, number], capture_output=True, check=False)


def _remove_of(user: int, folder: Path) -> None:
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid != user:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    remove_tree(Path(entry.path))
                else:
                    os.unlink(entry.path)


def _ipc_of(user: int, kind: str) -> list[str]:
    """Ids of its System V objects of a kind."""
    try:
        rows = [line.split() for line in Path("/proc/sysvipc", kind).read_text().splitlines()]
    except OSError:
        return []
    return [row[1] for row in rows[1:] if row[rows[0].index("uid")] == str(user)]

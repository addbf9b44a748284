"""Level `bubblewrap`: namespaces of its own for the processes, mounts, IPC and host name of a lease.

Started by root it also changes to a user of the lease's own, so that what escapes from the namespaces is nobody.
Without root it lives in a user namespace, in which the agent's user is itself but may do nothing outside.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from ionet_agent import processes
from ionet_agent.isolation import bounds, cgroups, disks, system
from ionet_agent.isolation.base import Disk, Level, Room, is_root
from ionet_agent.isolation.users import free_user

_TO_CHANGE_USER = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")


class Bubblewrap:
    """An `Isolation`. state: the agent's folder, for the leases' file systems. Root only: disk, what bounds files."""

    level = Level.BUBBLEWRAP

    def __init__(self, state: Path, disk: Disk = Disk.MEMORY, users: range = range(0)) -> None:
        self._state, self._disk, self._users = state, disk, users

    def plan(self, room: Room) -> Room:
        if not is_root():
            return replace(room, disk=Disk.MEMORY)
        image = self._state / "rooms" / f"{room.tag}.img" if self._disk is Disk.LOOP else None
        return replace(room, user=free_user(self._users), disk=self._disk, image=image)

    def furnish(self, room: Room) -> None:
        if is_root():
            disks.mount(room)
        system.name_user(room)

    def wrap(self, command: Sequence[str], room: Room) -> list[str]:
        program = shutil.which("bwrap") or "bwrap"
        inside = [*_as_user(room), "/usr/bin/env", f"--chdir={room.home}", *command]
        return [*bounds.enter(room), program, *_namespaces(room), *_files(room), "--", *inside]

    def join(self, first: int, command: Sequence[str], room: Room) -> list[str]:
        """Enters through the first process of the namespaces, which is the program's own and never the renter's."""
        inside = _first_inside(first)
        entering = ["/usr/bin/nsenter", f"--target={inside}", "--mount", "--pid", "--ipc", "--uts"]
        if is_root():
            entering += [f"--setuid={room.user}", f"--setgid={room.user}"]
        else:
            entering += ["--user", "--preserve-credentials"]
        # Both before it enters, so that no program of the room is ever run with more.
        before = [*bounds.enter(room), "/usr/bin/setpriv", "--no-new-privs"]
        return [*before, *entering, "--", "/usr/bin/env", f"--chdir={room.home}", *command]

    def sweep(self, room: Room) -> bool:
        return cgroups.kill(room.groups)

    def clear(self, room: Room) -> None:
        if is_root():
            disks.unmount(room)


def _first_inside(program: int) -> int:
    """The process that holds the namespaces together. It has a child of its own once they are furnished."""
    for pid in processes.children(program):
        if processes.children(pid):
            return pid
    raise OSError("the member is not inside its namespaces")


def _as_user(room: Room) -> list[str]:
    if room.user is None:
        return []
    return [
        *("/usr/bin/setpriv", f"--reuid={room.user}", f"--regid={room.user}", "--clear-groups", "--no-new-privs"),
        *("--inh-caps=-all", "--bounding-set=-all", "--"),
    ]


def _namespaces(room: Room) -> list[str]:
    words = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "lease", "--cap-drop", "ALL"]
    if room.user is None:
        return [*words, "--unshare-user"]
    return [*words, *(word for name in _TO_CHANGE_USER for word in ("--cap-add", name))]


def _devices(room: Room) -> list[str]:
    if room.user is not None:
        return ["--dev", "/dev"]
    # The program's own has terminals, for which it makes a second user namespace, and nobody could join the first.
    words = ["--perms", "0755", "--tmpfs", "/dev"]
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        words += ["--symlink", f"/proc/self/fd/{number}", f"/dev/{name}"]
    return [*words, "--symlink", "/proc/self/fd", "/dev/fd", "--perms", "1777", "--dir", "/dev/shm"]


def _files(room: Room) -> list[str]:
    words = ["--perms", "1777", "--size", str(system.TEMPORARY_BYTES), "--tmpfs", "/tmp"]
    # The program would make these for nobody but itself.
    above = {folder for path in (Path("/etc/x"), room.folder, *room.read) for folder in path.parents}
    for folder in sorted(above - {Path("/"), Path("/tmp"), *room.read}):
        words += ["--perms", "0755", "--dir", str(folder)]
    for name, target in system.links().items():
        words += ["--symlink", target, f"/{name}"]
    for path, source in system.read_only(room).items():
        words += ["--ro-bind-try", str(source), str(path)]
    words += ["--ro-bind", "/sys", "/sys", "--proc", "/proc", *_devices(room)]
    words += ["--perms", "1777", "--size", str(room.limits.shm_bytes), "--tmpfs", "/dev/shm"]
    for device in room.devices:
        words += ["--dev-bind", str(device), str(device)]
    words += ["--perms", "0755", "--dir", "/var"]
    words += ["--symlink", "/tmp", "/var/tmp"]
    inner = str(room.inner)
    if room.user is None and room.disk is Disk.MEMORY:
        words += ["--perms", "0700", "--size", str(room.limits.disk_bytes), "--tmpfs", inner]
        words += ["--perms", "0700", "--dir", str(room.home), "--perms", "0700", "--dir", str(room.temporary)]
    else:
        words += ["--bind", inner, inner]
    # What the program itself has made is memory without a limit.
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]

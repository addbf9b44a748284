"""What a level of isolation does: put commands into the room of a lease, and leave nothing of it behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec
from ionet.isolation import Limits

OWN = ".own"
"""How the names of the folders end that are the agent's own."""


class Level(StrEnum):
    """From the strongest to none at all."""

    CONTAINER = "container"
    BUBBLEWRAP = "bubblewrap"
    OWN_USER = "own-user"
    LANDLOCK = "landlock"
    NONE = "none"


class Disk(StrEnum):
    """What bounds the files of a lease: a file system of its own in a file, one in memory, nothing."""

    LOOP = "file system of its own"
    MEMORY = "in memory"
    NONE = "not bounded"


class Room(msgspec.Struct, frozen=True):
    """Where the processes of one lease live. It is on disk before the first of them starts, so that a kill of the agent
    loses no part of it.

    folder: the agent's own, of which the lease may read what it is shown; only `inner` is the lease's to write.
    read: what of the machine the lease may read beside the system. user: the lease's own user, None for the agent's.
    groups: its cgroups. image: the file that holds its file system. visible: the GPUs as its processes name them, None
    without. network: path of a network namespace, None for the machine's own network. runner: the program
    that starts its container.
    """

    level: Level
    tag: str
    folder: Path
    limits: Limits
    read: tuple[Path, ...] = ()
    user: int | None = None
    groups: tuple[Path, ...] = ()
    disk: Disk = Disk.NONE
    image: Path | None = None
    devices: tuple[Path, ...] = ()
    visible: str | None = None
    network: Path | None = None
    runner: str | None = None

    @property
    def inner(self) -> Path:
        """The folder of bounded size. It is beside the agent's since Ray's sockets leave no room for a longer name."""
        return self.folder.with_name(self.folder.name.removesuffix(OWN))

    @property
    def home(self) -> Path:
        return self.inner / "home"

    @property
    def temporary(self) -> Path:
        return self.inner / "tmp"


class Isolation(Protocol):
    """One level. Every call may be repeated, also by another agent after a kill."""

    @property
    def level(self) -> Level: ...

    def plan(self, room: Room) -> Room:
        """The room with what this level adds to it (a user, a file system), which nobody has made yet."""

    def furnish(self, room: Room) -> None:
        """Make it; the folder and `inner` are there. May block. Raises OSError."""

    def wrap(self, command: Sequence[str], room: Room) -> list[str]:
        """The command that runs `command` as the first of the room, with the environment it is given itself."""

    def join(self, first: int, command: Sequence[str], room: Room) -> list[str]:
        """The command that runs `command` beside it. first: the process of what `wrap` returned. Raises OSError."""

    def sweep(self, room: Room) -> bool:
        """Kill what no tag tells; True when there was anything."""

    def clear(self, room: Room) -> None:
        """Take down what `furnish` made, once no process is left. May block."""


def is_root() -> bool:
    return os.geteuid() == 0


def own_room(room: Room) -> None:
    """Give the lease's user what it may write; the folders are the agent's still."""
    for path in (room.inner, room.home, room.temporary):
        path.mkdir(mode=0o700, exist_ok=True)
        if room.user is not None:
            os.chown(path, room.user, room.user, follow_symlinks=False)


def remove_tree(path: Path) -> None:
    """With all that a renter's code has put there: Python's own recurses as deeply as folders are nested."""
    for before in ([], ["/bin/chmod", "-R", "u+rwX", "--", str(path)]):
        for command in (before, ["/bin/rm", "-rf", "--", str(path)]):
            if command:
                subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if not os.path.lexists(path):
            return


def show(room: Room, path: Path) -> None:
    """Let the lease's user read a file of the agent's in the room's folder."""
    if room.user is not None:
        os.chown(path, -1, room.user)
        path.chmod(0o640)

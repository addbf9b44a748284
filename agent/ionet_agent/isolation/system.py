"""What a room of its own mounts is shown of the machine: what programs need, and nothing that tells about its owner."""

from __future__ import annotations

import os
from pathlib import Path

from ionet_agent.isolation.base import Room, show

TEMPORARY_BYTES = 256 * 1024 * 1024
"""The size of /tmp."""
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_CONFIGURATION = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "nsswitch.conf",
    "pki",
    "resolv.conf",
    "ssl",
)
_LISTS = {"passwd": "renter:x:{0}:{0}::/:/bin/sh\n", "group": "renter:x:{0}:\n"}


def links() -> dict[str, str]:
    """Names in the root that are links, and where they lead."""
    paths = [Path("/", name) for name in _SYSTEM]
    return {path.name: str(path.readlink()) for path in paths if path.is_symlink()}


def read_only(room: Room) -> dict[Path, Path]:
    """Path in the room → what is shown there, those below others last; the room's own folder is among them."""
    shown = {Path("/usr"): Path("/usr")}
    for name in _SYSTEM:
        path = Path("/", name)
        if path.is_dir() and not path.is_symlink():
            shown[path] = path
    for name in _CONFIGURATION:
        # Some are links into folders that are not shown.
        path = Path("/etc", name)
        if path.exists():
            shown[path] = path.resolve()
    shown |= {Path("/etc", name): room.folder / name for name in _LISTS}
    return shown | {path: path for path in (*room.read, room.folder)}


def name_user(room: Room) -> None:
    """Make the lists of users, in which there is the lease's alone."""
    user = os.getuid() if room.user is None else room.user
    for name, line in _LISTS.items():
        path = room.folder / name
        path.write_text(line.format(user))
        show(room, path)

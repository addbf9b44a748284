"""A file system of its own for a lease: as large as its limit, on the owner's disk, gone in one step.

A file and not memory, since Ray moves objects there that do not fit into memory; with its blocks reserved, so that
the owner's disk cannot run full of what was promised to a lease; without a journal, since it outlives nothing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from ionet.isolation import Limits

from ionet_agent.isolation.base import OWN, Disk, Level, Room, is_root

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_SECS = 60.0
_TRIAL_BYTES = 8 * 1024 * 1024


def mount(room: Room) -> None:
    """Mount the room's file system on `inner`, unless it is. Raises OSError."""
    if room.inner.is_mount():
        return
    if room.disk is Disk.MEMORY:
        _do("mount", "-t", "tmpfs", "-o", f"nosuid,nodev,size={room.limits.disk_bytes}", "ionet", str(room.inner))
    if room.disk is not Disk.LOOP or room.image is None:
        return
    room.image.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with room.image.open("wb") as file:
        file.truncate(room.limits.disk_bytes)
        with contextlib.suppress(OSError):  # a file system that cannot: it takes blocks as they are written
            os.posix_fallocate(file.fileno(), 0, room.limits.disk_bytes)
    options = "nodiscard,lazy_itable_init=1,root_owner=0:0"
    _do("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", "-E", options, str(room.image))
    _do("mount", "-o", "loop,nosuid,nodev", str(room.image), str(room.inner))


def unmount(room: Room) -> None:
    """Take it away with all its files."""
    while room.inner.is_mount():
        _do("umount", "--lazy", str(room.inner))
    if room.image is not None:
        room.image.unlink(missing_ok=True)


def _do(*command: str) -> None:
    environment = {"PATH": _PATH, "LANG": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_SECS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"{command[0]} does not end within {_SECS:g} s") from None
    if done.returncode:
        raise OSError(f"{command[0]}: {' '.join(done.stderr.split())[:200] or done.returncode}")


def best(folder: Path) -> Disk:
    """What can bound files here; each is tried with a small one below `folder`, which is made. Nothing but for root."""
    if not is_root():
        return Disk.NONE
    for disk in (Disk.LOOP, Disk.MEMORY):
        trial = folder / f"trial-{secrets.token_hex(4)}{OWN}"
        trial.mkdir(mode=0o700, parents=True)
        limits = Limits(1, 0, _TRIAL_BYTES, 0, 0)
        room = Room(Level.NONE, "", trial, limits, disk=disk, image=trial / "image")
        room.inner.mkdir(mode=0o700)
        try:
            mount(room)
        except OSError:
            continue
        finally:
            unmount(room)
            room.inner.rmdir()
            shutil.rmtree(trial, ignore_errors=True)
        return disk
    return Disk.NONE

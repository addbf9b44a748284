"""The results of a lease's tasks between their arrival (`results`) and their proof: a file of the agent's own.

Only the agent writes it, so it grows no further than the agent lets it, and a line has the time of its arrival. It is
read as if it were a stranger's all the same: a line that is not an entry is skipped, a line that never ends is cut, and
the number of leaves per interval is bounded.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
from pathlib import Path

import msgspec
from ionet.ray import MAX_LINE
from ionet.rules.merkle import HASH_LEN

from ionet_agent.files import read_foreign
from ionet_agent.journal import Leaf

MAX_LEAVES = 100_000
MAX_BYTES = 64 * 1024 * 1024
"""Most room on disk for results that are not proven yet."""
_CHUNK = 4 * 1024 * 1024
_KEEP_SIZE_AND_PUNCH_HOLE = 1 | 2
_log = logging.getLogger(__name__)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line: a result, by hash."""

    task: str
    """Task id, 32 bytes in hex."""
    sha256: str
    """sha256 of the result bytes, in hex."""
    ts: int
    """Unix time in nanoseconds at which it arrived."""


def append(path: Path, entry: Entry) -> bool:
    """Add an entry; False when there is too much already. Raises OSError."""
    line = msgspec.json.encode(entry) + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        about = os.fstat(descriptor)
        if about.st_blocks * 512 > MAX_BYTES:
            return False
        if os.write(descriptor, line) != len(line):
            os.ftruncate(descriptor, about.st_size)  # the disk is full
            return False
    finally:
        os.close(descriptor)
    return True


def read(path: Path, offset: int, before_ns: int) -> tuple[list[Leaf], int]:
    """Entries from `offset` on that arrived before `before_ns` (unix nanoseconds).

    Returns them in file order and the offset after the last one; a half-written line is left for the next time.
    """
    text = read_foreign(path, offset, _CHUNK)
    leaves: list[Leaf] = []
    while len(leaves) < MAX_LEAVES:
        line, newline, text = text.partition(b"\n")
        if not newline:
            # A line is written in one piece, so one that is longer than any entry is garbage without an end: skip it.
            return leaves, offset + len(line) if len(line) > MAX_LINE else offset
        entry = _parse(line)
        if entry is not None and entry.ts >= before_ns:
            break
        offset += len(line) + 1
        if entry is None:
            _log.warning("%s: skipped a line that is not a result", path.name, extra={"action": "spool_skip"})
        else:
            leaves.append(Leaf(bytes.fromhex(entry.task), bytes.fromhex(entry.sha256)))
    return leaves, offset


def release(path: Path, offset: int) -> None:
    """Give back the room of what was read; offsets stay. Does nothing on a file system that cannot."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            length = ctypes.c_int64(offset)
            ctypes.CDLL(None).fallocate(descriptor, _KEEP_SIZE_AND_PUNCH_HOLE, ctypes.c_int64(0), length)
        finally:
            os.close(descriptor)


def _parse(line: bytes) -> Entry | None:
    if len(line) > MAX_LINE:
        return None
    try:
        entry = msgspec.json.decode(line, type=Entry)
    except ValueError:
        return None
    return entry if is_pair(entry.task, entry.sha256) else None


def is_pair(task: str, hashed: str) -> bool:
    """Whether both are what they should be in hex."""
    try:
        return len(bytes.fromhex(task)) == len(bytes.fromhex(hashed)) == HASH_LEN
    except ValueError:
        return False

"""Reads the spool into which tasks of the lease write their results' hashes (`ionet.ray`).

The renter's code writes it, so nothing in it is trusted: a line that is not an entry is skipped, a line that never
ends is cut, and the number of leaves per interval is bounded.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
from ionet.ray import MAX_LINE, Entry
from ionet.rules.merkle import HASH_LEN

from ionet_agent.journal import Leaf

MAX_LEAVES = 100_000
_CHUNK = 4 * 1024 * 1024
_log = logging.getLogger(__name__)


def read(path: Path, offset: int, before_ns: int) -> tuple[list[Leaf], int]:
    """Entries from `offset` on that were recorded before `before_ns` (unix nanoseconds).

    Returns them in file order and the offset after the last one; a half-written line is left for the next time.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            text = file.read(_CHUNK)
    except FileNotFoundError:
        return [], offset
    leaves: list[Leaf] = []
    while len(leaves) < MAX_LEAVES:
        line, newline, text = text.partition(b"\n")
        if not newline:
            # Writers send a line in one piece, so a line longer than any entry is garbage that will never end: skip it.
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


def _parse(line: bytes) -> Entry | None:
    if len(line) > MAX_LINE:
        return None
    try:
        entry = msgspec.json.decode(line, type=Entry)
        sizes = len(bytes.fromhex(entry.task)), len(bytes.fromhex(entry.sha256))
    except ValueError:
        return None
    return entry if sizes == (HASH_LEN, HASH_LEN) else None

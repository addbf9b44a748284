"""The ledger on disk: one append-only file of checked records.

A record is `kind u8 · length u32 · crc32 u32 · payload`, little endian. Every record reaches the kernel by one write
before the request that caused it is answered, so it survives the death of the process; it is forced to the disk when
the journal is closed, and after every record with `fsync=True`. A last record cut short by a crash is removed when
the file is opened; damage anywhere else raises JournalCorrupt.

Blocks without transactions are stored as runs: a Blocks record covers consecutive slots of one unix time and is
written when the time changes, when something else is recorded, or after RUN_LIMIT blocks.
"""

from __future__ import annotations

import enum
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from ionet_localnet.errors import JournalCorrupt, LedgerBusy

_HEAD = struct.Struct("<BII")
_BLOCKS = struct.Struct("<QIq")
# Longest run of empty blocks that a crash can lose.
RUN_LIMIT = 32


class Kind(enum.IntEnum):
    GENESIS = 1
    BLOCKS = 2
    TRANSACTION = 3
    ACCOUNT = 4
    REWIND = 5
    CLOSED = 6


class Journal:
    """An open journal file. `read` must be run to its end before anything is appended."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self.path = path
        self._fsync = fsync
        self._run: tuple[int, int, int] | None = None
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as failure:
            os.close(self._file)
            raise LedgerBusy(f"{path} is open in another process") from failure

    def read(self) -> Iterator[tuple[Kind, bytes]]:
        """Yield every record, then cut off a torn last one."""
        content = self.path.read_bytes()
        offset = 0
        while offset < len(content):
            end = offset + _HEAD.size
            kind, length, checksum = _HEAD.unpack_from(content, offset) if end <= len(content) else (0, 0, 0)
            payload = content[end : end + length]
            if end + length > len(content):
                break
            if kind not in set(Kind) or zlib.crc32(payload, kind) != checksum:
                # A power cut can leave the last record half written, or the end of the file as zeros.
                if end + length == len(content) or not any(content[offset:]):
                    break
                raise JournalCorrupt(f"{self.path}: bad record at byte {offset}")
            yield Kind(kind), payload
            offset = end + length
        os.ftruncate(self._file, offset)
        os.lseek(self._file, offset, os.SEEK_SET)

    def append(self, kind: Kind, payload: bytes) -> None:
        self.flush()
        self._write(kind, payload)

    def add_block(self, slot: int, unix_time: int) -> None:
        """Record the beginning of a block."""
        if self._run is not None:
            first, count, run_time = self._run
            if run_time == unix_time and first + count == slot and count < RUN_LIMIT:
                self._run = (first, count + 1, run_time)
                return
            self.flush()
        self._run = (slot, 1, unix_time)

    def flush(self) -> None:
        """Write the run of empty blocks that is being collected."""
        if self._run is not None:
            self._write(Kind.BLOCKS, _BLOCKS.pack(*self._run))
            self._run = None

    def _write(self, kind: Kind, payload: bytes) -> None:
        record = _HEAD.pack(kind, len(payload), zlib.crc32(payload, kind)) + payload
        while record:
            record = record[os.write(self._file, record) :]
        if self._fsync:
            os.fsync(self._file)

    def close(self) -> None:
        """Write what is pending and mark the journal as complete up to the last block."""
        self.append(Kind.CLOSED, b"")
        os.fsync(self._file)
        self.abandon()

    def abandon(self) -> None:
        """Release the file as a crash would: nothing pending is written."""
        os.close(self._file)


def unpack_blocks(payload: bytes) -> tuple[int, int, int]:
    """First slot, number of blocks, unix time of a Blocks record."""
    first, count, unix_time = _BLOCKS.unpack(payload)
    return first, count, unix_time

"""How much of the machine a lease gets where the owner does not say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
from ionet.isolation import Limits

_GIB = 1024**3
_MAX_STORE = 200 * _GIB


class Wanted(msgspec.Struct, frozen=True):
    """What the owner of a machine says; None takes what the machine has."""

    cpus: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    object_store_bytes: int | None = None
    processes: int | None = None


def sized(wanted: Wanted, folder: Path) -> Limits:
    """Limits that stay the same while the machine does. folder: on the disk that holds the leases' files.

    All but a tenth of the memory, though at least 1 GiB is left to the owner on machines that have it; a quarter of the
    disk; three tenths of the lease's memory for Ray's objects.
    """
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    memory = wanted.memory_bytes or max(total // 2, total - max(total // 10, _GIB))
    cpus = wanted.cpus or os.cpu_count() or 1
    return Limits(
        cpus=cpus,
        memory_bytes=memory,
        disk_bytes=wanted.disk_bytes or shutil.disk_usage(folder).total // 4 // _GIB * _GIB or _GIB,
        object_store_bytes=wanted.object_store_bytes or min(memory * 3 // 10, _MAX_STORE),
        processes=wanted.processes or 4096 + 512 * cpus,
    )

"""What a node says of how it keeps its renters' code apart from itself."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """What a lease may use of its machine. A limit holds as far as `Isolation.held` says."""

    cpus: int
    memory_bytes: int
    disk_bytes: int
    object_store_bytes: int
    """Of the memory: Ray's objects."""
    processes: int
    """Threads count."""

    @property
    def shm_bytes(self) -> int:
        """The size of /dev/shm: Ray's objects, and some for the renter's own."""
        return self.object_store_bytes + self.object_store_bytes // 10 + 64 * 1024 * 1024


class Isolation(msgspec.Struct, frozen=True):
    """level: container, bubblewrap, own-user, landlock or none. held: how each is kept within bounds, by its name."""

    level: str
    limits: Limits
    held: dict[str, str]


STRENGTHS = ("container", "bubblewrap", "own-user", "landlock", "none")
"""The levels, from the strongest to none at all."""


def at_least(weakest: str) -> tuple[str, ...]:
    """The levels that isolate as well as this one of `STRENGTHS`."""
    return STRENGTHS[: STRENGTHS.index(weakest) + 1]

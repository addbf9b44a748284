"""Client of the ionet program: codec, transactions, CLI; `cluster` and `cluster_sync` rent for a block."""

from __future__ import annotations

from typing import Any

_RENTING = ("cluster", "cluster_sync")


def __getattr__(name: str) -> Any:
    """What renters import first, read when it is used: the command line starts without it."""
    if name in _RENTING:
        from ionet.renting import cluster

        return getattr(cluster, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

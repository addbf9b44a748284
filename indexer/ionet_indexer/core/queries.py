"""The SQL of this package, by the name of each block."""

from __future__ import annotations

from ionet.sql import blocks


def load(file: str = "queries.sql") -> dict[str, str]:
    """name → SQL of a file in this package."""
    return blocks("ionet_indexer", file)

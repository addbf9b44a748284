"""Named SQL blocks. A block starts with `-- name: <name>` and runs to the next one."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_HEADER = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def load(file: str = "queries.sql") -> dict[str, str]:
    """name → SQL of a file in this package."""
    parts = _HEADER.split((files("ionet_indexer") / file).read_text())
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}

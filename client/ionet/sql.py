"""Named SQL blocks in a file of a package. A block starts with `-- name: <name>` and runs to the next one."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_HEADER = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def blocks(package: str, file: str) -> dict[str, str]:
    """name → SQL of a file in `package`; what comes before the first name is ignored."""
    parts = _HEADER.split((files(package) / file).read_text())
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}

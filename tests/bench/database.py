"""A throw-away PostgreSQL with the settings that users get: commits are on the disk before they count."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ionet_indexer.postgres import EmbeddedPostgres


@contextmanager
def durable_server() -> Iterator[EmbeddedPostgres]:
    # Not below the usual temporary folder: as root the server runs as `nobody`.
    base = Path(tempfile.mkdtemp(prefix="ionet-bench-", dir="/var/tmp"))
    try:
        with EmbeddedPostgres(base) as server:
            yield server
    finally:
        shutil.rmtree(base, ignore_errors=True)

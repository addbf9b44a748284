from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder with a name short enough for Ray's sockets, that other users may pass through: as root the
    database runs as `nobody`."""
    made = Path(tempfile.mkdtemp(prefix="", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)

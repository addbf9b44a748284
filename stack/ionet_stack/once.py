"""One `ionet up` per folder: said in one line before anything starts."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ionet.errors import AlreadyRunning, ConfigError


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder. Raises AlreadyRunning, with the process that holds it; a killed one holds nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "up.lock").open("a+")
    except OSError as error:
        raise ConfigError(f"cannot use {folder}: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunning(f"`ionet up` runs already in {folder} (pid {file.read().strip() or '?'})") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield

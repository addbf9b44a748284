"""`ionet …` as a user runs it: a process with its output, interrupted or not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Run:
    """One running command. `errors` grows with what it writes to stderr."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.errors: list[str] = []
        self._began = time.monotonic()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    def until(self, text: str, within_secs: float) -> None:
        """Wait for a line of stderr with `text`."""
        deadline = time.monotonic() + within_secs
        while not any(text in line for line in list(self.errors)):
            assert self.process.poll() is None, "".join(self.errors)
            assert time.monotonic() < deadline, "".join(self.errors)
            time.sleep(0.05)

    def finish(self, within_secs: float) -> tuple[int, str, list[str]]:
        """Exit code, stdout, and the lines of stderr that say what went wrong."""
        code = self.process.wait(within_secs)
        assert self.process.stdout is not None
        output = self.process.stdout.read()
        self._reader.join()
        return code, output, [line for line in self.errors if line.startswith("error: ")]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began


@contextmanager
def ionet(temporary: Path, *arguments: str) -> Iterator[Run]:
    """`ionet ARGUMENTS`, with `temporary` for everything it keeps for a while."""
    with subprocess.Popen(
        [sys.executable, "-m", "ionet", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as process:
        run = Run(process)
        try:
            yield run
        finally:
            if process.poll() is None:
                process.terminate()

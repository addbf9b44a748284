"""Child processes of `ionet up`: each is an `ionet` command that prints one JSON line when it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec
from ionet.errors import IonetError
from ionet.ready import Ready, read_ready

# Seconds that a child has to become ready, and to end after SIGTERM before it is killed.
READY_TIMEOUT, STOP_TIMEOUT = 90.0, 60.0


class ChildFailed(IonetError):
    """a part of the stack ended by itself"""


class Child:
    """One process in a session of its own, so that Ctrl-C reaches only its parent, which ends it in order."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._copying: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, name: str, *arguments: str, logs: Path, environment: dict[str, str] | None = None) -> Child:
        """Start `ionet ARGUMENTS`; what it prints goes to a log file."""
        log = logs / f"{name}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ionet",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        return cls(name, process, log)

    async def ready(self, kind: type[Ready]) -> Ready:
        """What its first line says. Raises ChildFailed when it ends first, says anything else or takes too long."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), READY_TIMEOUT)
        except TimeoutError:
            raise ChildFailed(f"{self.name} is not ready after {READY_TIMEOUT:.0f} s; see {self.log}") from None
        try:
            said = read_ready(kind, line)
        except msgspec.MsgspecError:
            await self.stop()
            raise ChildFailed(f"{self.name}; see {self.log}") from None
        self._copying = asyncio.create_task(self._copy())
        return said

    async def _copy(self) -> None:
        """Move further output into the log, so that the child never blocks on a full pipe."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            with self.log.open("ab") as file:
                file.write(line)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone, not to what it started."""
        self._process.send_signal(number)

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def ended(self) -> None:
        """Wait for its end, which nobody asked for: always raises ChildFailed."""
        code = await self._process.wait()
        raise ChildFailed(f"{self.name} (exit code {code}); see {self.log}")

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL to its whole session when that does not help in time."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.send_signal(signal.SIGCONT)  # one that is stopped could not end in order
            try:
                await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()
        if self._copying is not None:
            await self._copying

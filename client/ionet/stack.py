"""Child processes of a local stack: started one after the other, stopped in reverse order, whatever happens.

Each child leads a process group of its own and writes to a log file of its own. A child that prints a JSON line on
stdout says with it that it is ready and where it can be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ionet.errors import IonetError

READY_SECS = 60.0
# Ray drains for some seconds; the database checkpoints.
STOP_SECS = 20.0
_TAIL_LINES = 8


class ChildFailed(IonetError):
    """A process of the stack ended or never became ready."""

    exit_code = 5


@dataclass
class Child:
    """One running process. about: what its first JSON line said."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def tail(self) -> str:
        """The last lines of its log, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return " | ".join(lines[-_TAIL_LINES:])


class Stack:
    """An async context manager: leaving it, also by an error or Ctrl-C, leaves no process behind.

    folder: where the logs go (`NAME.log`).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []
        folder.mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, name: str, arguments: Sequence[str], *, env: dict[str, str] | None = None) -> Child:
        """Start `ionet ARGUMENTS…` and wait for its JSON line. Raises ChildFailed with the end of its log."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ionet",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._children.append(child)
        try:
            child.about = await asyncio.wait_for(_announcement(child), READY_SECS)
        except TimeoutError:
            raise ChildFailed(f"{name} was not ready after {READY_SECS:.0f} s: {child.tail()}") from None
        return child

    async def end(self, child: Child, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop one child: the signal, then after a while SIGKILL, for its whole process group."""
        if child.running:
            _signal(child, number)
            try:
                await asyncio.wait_for(child.process.wait(), STOP_SECS)
            except TimeoutError:
                _signal(child, signal.SIGKILL)
                await child.process.wait()
        self._children.remove(child)

    async def stop(self) -> None:
        """Stop every child, the last started first."""
        while self._children:
            await self.end(self._children[-1])

    def check(self) -> None:
        """Raises ChildFailed when a child has ended by itself."""
        for child in self._children:
            if not child.running:
                raise ChildFailed(f"{child.name} ended with {child.process.returncode}: {child.tail()}")


async def _announcement(child: Child) -> dict[str, Any]:
    """The first JSON object that the child prints; whatever else it prints goes to its log."""
    stdout = child.process.stdout
    if stdout is None:
        raise ChildFailed(f"{child.name} has no output")
    while line := await stdout.readline():
        try:
            about = json.loads(line)
        except ValueError:
            continue
        if isinstance(about, dict):
            # Keep reading, so that the child never blocks on a full pipe.
            child_reader = asyncio.create_task(_drain(stdout, child.log))
            _READERS.add(child_reader)
            child_reader.add_done_callback(_READERS.discard)
            return about
    code = await child.process.wait()
    raise ChildFailed(f"{child.name} ended with {code} before it was ready: {child.tail()}")


# Tasks that nobody awaits must be held, or they may be collected.
_READERS: set[asyncio.Task[None]] = set()


async def _drain(stream: asyncio.StreamReader, log: Path) -> None:
    with log.open("ab") as out:
        while line := await stream.readline():
            out.write(line)
            out.flush()


def _signal(child: Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)

"""What runs in the room of a member beside its Ray node: drivers, what answers the check, Ray's dashboard."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from ionet.agent_api import Spec
from ionet.agent_errors import NodeIdle
from ionet.agent_ports import ON_DEMAND, Port

from ionet_agent import processes
from ionet_agent.files import create_foreign, remove_foreign
from ionet_agent.isolation.base import OWN, Level, Room, show
from ionet_agent.isolation.place import Place
from ionet_agent.providers.ray_node import RayNode

_READ_BYTES = 65536
_CHECK_PAUSE_SECS = 5.0
CHECK = "check"
# How a job's own process, and Ray's of a job that was submitted to it, are told from all others of the room.
_JOBS = (b'"do": "supervise"', b":JobSupervisor")
_log = logging.getLogger(__name__)


class Record(msgspec.Struct):
    """The state file: what was started, under which tag, and which process it became."""

    spec: Spec
    tag: str
    since: float
    """Unix seconds at which it was started."""
    pid: int | None = None
    start_ticks: int | None = None
    room: Room | None = None
    moved: float | None = None
    """Unix seconds at which it was told of another head last."""


class LocalDriver:
    """A driver as a child process in a session of its own; its file `script` goes when it is killed.

    tag: where the child has it run by another process (a container's), the tag by which that is found.
    """

    def __init__(self, child: asyncio.subprocess.Process, script: Path, tag: str | None = None) -> None:
        assert child.stdout is not None
        self._child, self._output, self._script, self._tag = child, child.stdout, script, tag

    async def read(self) -> bytes:
        return await self._output.read(_READ_BYTES)

    @property
    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """What it prints and what it is told, of one that was begun for both ways."""
        assert self._child.stdin is not None
        return self._output, self._child.stdin

    async def ended(self) -> int:
        return await self._child.wait()

    def kill(self) -> None:
        if self._child.returncode is None:
            processes.end_group(self._child.pid)
            if self._tag is not None:
                processes.end_those_of(self._tag, str(self._script))
        remove_foreign(self._script)


class Beside:
    """Of one node. is_outside: whether a member lives in a network that is gone."""

    def __init__(self, ray: RayNode, place: Place, is_outside: Callable[[Record], bool]) -> None:
        self._ray, self._place, self._is_outside = ray, place, is_outside
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._check_at = 0.0

    def room(self, record: Record) -> Room:
        return record.room or Room(Level.NONE, record.tag, folder_of(record.tag), self._place.limits)

    async def check_again(self, record: Record) -> None:
        """As for results: a renter's code that makes it impossible harms its own lease alone."""
        if await self._runs(CHECK, record) or time.monotonic() < self._check_at:
            return
        self._check_at = time.monotonic() + _CHECK_PAUSE_SECS
        try:
            self._spawn(record, self._ray.check_command(record.spec.lease), CHECK)
        except OSError as error:
            _log.warning("the launcher's check is not answered: %s", error, extra={"action": "no_check"})

    async def show(self, record: Record, port: Port) -> None:
        """Start what a head serves there, unless it runs. Raises OSError."""
        if not await self._runs(port, record):
            self._spawn(record, self._ray.command_on_demand(record.spec.lease, port), port)

    async def _runs(self, what: str, record: Record) -> bool:
        child = self._children.get(what)
        if child is not None:
            return child.poll() is None
        return bool(await asyncio.to_thread(processes.tagged, f"{record.tag}-{what}"))

    def _spawn(self, record: Record, command: list[str], what: str) -> None:
        assert record.pid is not None
        if self._is_outside(record):
            raise OSError("its network is gone")
        room = self.room(record)
        joined = self._place.isolation(room).join(record.pid, command, room)
        environment = self._ray.environment(record.spec, room)
        self._children[what] = processes.spawn(
            joined, environment, f"{record.tag}-{what}", room.folder / f"{what}.log", room.folder
        )

    async def stop(self, tag: str) -> None:
        """End all of it."""
        for what in ("driver", CHECK, *ON_DEMAND):
            await processes.stop(f"{tag}-{what}", None, 0)

    def forget(self) -> None:
        """The member has ended, and all of its room."""
        for child in self._children.values():
            child.wait()
        self._children.clear()
        self._check_at = 0.0

    async def driver(self, record: Record, script: bytes, *, both_ways: bool) -> LocalDriver:
        """Start a Python driver; its output is one pipe, and its input with `both_ways`. Raises NodeIdle."""
        if record.pid is None or self._is_outside(record):
            raise NodeIdle
        room = self.room(record)
        path = room.folder / "drivers" / f"{secrets.token_hex(4)}.py"
        create_foreign(path, script)
        show(room, path)
        environment = self._ray.environment(record.spec, room)
        tag = f"{record.tag}-driver"
        try:
            command = [str(self._place.runtime.python), str(path)]
            child = await asyncio.create_subprocess_exec(
                *self._place.isolation(room).join(record.pid, command, room),
                env={**environment, processes.TAG_VARIABLE: tag},
                cwd=room.folder,
                stdin=subprocess.PIPE if both_ways else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except BaseException:
            remove_foreign(path)
            raise
        contained = room.level is Level.CONTAINER
        return LocalDriver(child, path, tag if contained else None)


def has_jobs(tag: str) -> bool:
    """Whether a job runs that somebody may come back to: one of `ionet run`, or one that was submitted to Ray.

    Whoever is in the room can look like one; it is their own cluster that then goes on.
    """
    for pid in processes.tagged(tag):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if any(mark in words for mark in _JOBS):
                return True
    return False


def folder_of(tag: str) -> Path:
    return Path(tempfile.gettempdir(), f"ionet-{tag}{OWN}")

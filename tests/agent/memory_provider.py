"""A provider whose member is what the test says, without Ray."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ionet.agent_api import Phase, Spec, Status
from ionet.agent_errors import MovedAlready, NodeBusy, NodeIdle
from ionet.agent_ports import Port
from ionet.check.member import CheckServer
from launcher.check_members import Hardware, member


class Printed:
    """A driver that has printed its output and ended."""

    def __init__(self, output: bytes) -> None:
        self._left = [output]

    async def read(self) -> bytes:
        return self._left.pop() if self._left else b""

    async def ended(self) -> int:
        return 0

    @property
    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise NodeIdle

    def kill(self) -> None:
        pass


class Telling(Printed):
    """The driver of a launcher's check: prints what is found each time that it has changed, until it is killed."""

    def __init__(self, find: Callable[[], dict[str, object]]) -> None:
        super().__init__(b"")
        self._find, self._killed = find, False
        self._shown: dict[str, object] | None = None

    async def read(self) -> bytes:
        while not self._killed:
            if (found := self._find()) != self._shown:
                self._shown = found
                return f"ionet-joined:{json.dumps(found)}\n".encode()
            await asyncio.sleep(0.02)
        return b""

    def kill(self) -> None:
        self._killed = True


class MemoryProvider:
    """A `Provider`. `joins`: the phase of a member that was started; `started`: how often one was.

    hardware, folder: with both, its member answers the launcher's check in this process. others: whom a driver here
    finds in the cluster; `denies`: of whom it says nothing all the same, `tells`: what it says of some instead.
    `shown_ip`: where its status says that it is; `names`: where else it says that its check is answered.
    """

    def __init__(self, hardware: Hardware | None = None, folder: Path = Path(), *, ip: str = "127.0.1.1") -> None:
        self.ip, self.shown_ip = ip, ip
        self.spec: Spec | None = None
        self.phase = Phase.IDLE
        self.joins = Phase.UP
        self.started, self.moved = 0, False
        self.hardware, self._folder = hardware, folder
        self.others: Sequence[MemoryProvider] = ()
        self.denies: set[str] = set()
        self.tells: Mapping[str, str] = {}
        self.check: str | None = None
        self.names: str | None = None
        self.jobs = False
        self.server: CheckServer | None = None
        self._check = contextlib.AsyncExitStack()

    async def adopt(self) -> Status:
        return await self.status()

    async def start(self, spec: Spec, move_secs: float = 0) -> Status:
        if self.spec is not None and self.spec.has_moved(spec):
            if self.moved and move_secs:
                raise MovedAlready
            self.phase, self.moved = Phase.IDLE, True
        elif self.spec is not None and not self.spec.same_member(spec):
            raise NodeBusy(f"it serves lease {self.spec.lease}")
        if self.phase not in (Phase.STARTING, Phase.UP):
            self.spec, self.phase = spec, self.joins
            self.started += 1
            await self._answer_check(spec)
        return await self.status()

    async def _answer_check(self, spec: Spec) -> None:
        await self._check.aclose()
        if self.hardware is not None:
            witness = self._folder / "witness"
            answering = member(spec.certificate, spec.key, spec.ca, self.hardware, witness, ip=self.ip)
            self.check, self.server = await self._check.enter_async_context(answering)

    async def aclose(self) -> None:
        self.check = None
        await self._check.aclose()

    async def restart(self) -> Status:
        return await self.status() if self.spec is None else await self.start(self.spec)

    async def status(self, _lease: str | None = None) -> Status:
        lease = None if self.spec is None else self.spec.lease
        since = float(self.started) if self.phase in (Phase.STARTING, Phase.UP) else None
        check = self.names or (self.check and self.check.replace(f"{self.ip}:", f"{self.shown_ip}:"))
        joins = None if self.spec is None else self.spec.address
        return Status(self.phase, f"{self.shown_ip}:7000", self.shown_ip, lease, since=since, check=check, joins=joins)

    async def tend(self) -> Status:
        return await self.status()

    async def stop(self, lease: str) -> Status:
        if self.spec is not None and self.spec.lease != lease:
            raise NodeBusy(f"it serves lease {self.spec.lease}")
        self.spec, self.phase = None, Phase.IDLE
        await self.aclose()
        return await self.status()

    async def show(self, _port: Port) -> None:
        raise NodeIdle

    async def listener(self, _port: int) -> str | None:
        return None

    async def has_jobs(self) -> bool:
        return self.jobs

    async def run_driver(self, _script: bytes, *, both_ways: bool = False) -> Printed:  # noqa: ARG002
        if self.spec is None:
            raise NodeIdle
        return Telling(self._joined)

    def _joined(self) -> dict[str, object]:
        found: dict[str, object] = {
            other.spec.lease: {"processors": other.spec.processors, "witness": other.witness()}
            for other in self.others
            if other.spec is not None and other.phase is Phase.UP and other.spec.lease not in self.denies
        }
        return found | {lease: {"processors": 2, "witness": witness} for lease, witness in self.tells.items()}

    def witness(self) -> str:
        """What a Ray task on its member tells."""
        try:
            return (self._folder / "witness").read_text()
        except FileNotFoundError:
            return ""

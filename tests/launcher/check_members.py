"""Members that answer the hardware check in this process: honest ones, and ones that lie in one way."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
from ionet.agent_api import AgentClient
from ionet.check.devices import Device, Found
from ionet.check.engines import Engine, NumpyEngine
from ionet.check.member import CheckServer, Hired, server_context
from ionet.check.worker import Desk
from ionet.lease_view import LeaseView
from ionet_agent.report import measure
from ionet_launcher.hardware import HardwareCheck, Problem
from ionet_launcher.keeping import Booked
from leases import SESSION
from solders.pubkey import Pubkey


class Here:
    """A worker in this process."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ask(self, content: bytes) -> bytes:
        return await asyncio.to_thread(self._desk.handle, content)

    async def close(self) -> None:
        pass


class Hardware:
    """What a member has: an engine per processor, or fewer. found: what its system shows."""

    def __init__(
        self,
        engine: Callable[[], Engine] = NumpyEngine,
        *,
        most: int = 2**15,
        backend: str = "numpy",
        found: Found | None = None,
    ) -> None:
        self.engine, self.most, self.backend, self.found = engine, most, backend, found or Found([])

    async def hire(self, processors: int) -> Hired:
        engines: Sequence[tuple[int, Engine]] = [
            (number, self.engine()) for number in range(min(processors, self.most))
        ]
        return Hired([Here(Desk(self.backend, engines))], self.found)


@contextlib.asynccontextmanager
async def member(
    certificate: str, key: str, ca: str, hardware: Hardware, witness: Path, *, ip: str = "127.0.0.1"
) -> AsyncIterator[tuple[str, CheckServer]]:
    """A check server with these certificates. Yields its host:port, and itself."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("node.pem", "node.key", "ca.pem")]
        for path, text in zip(paths, (certificate, key, ca), strict=True):
            path.write_text(text)
        tls = server_context(*map(str, paths))
    answering = CheckServer(tls, witness, hardware.hire)
    server = await answering.start(ip, 0)
    try:
        yield f"{ip}:{server.sockets[0].getsockname()[1]}", answering
    finally:
        server.close()


class Wrong(NumpyEngine):
    """Flips one entry of each result."""

    def open(self, block: int) -> bytes:
        content = bytearray(super().open(block))
        content[7] = (content[7] + 1) % 127
        return bytes(content)


class Lazy(NumpyEngine):
    """Computes only what it is asked to show, once it is."""

    def fill(self, seed: bytes, size: int, rounds: int, _key: bytes) -> bytes:
        self.job = (seed, size, rounds)
        return bytes(64 * rounds)

    def again(self, _key: bytes) -> bytes:
        return bytes(64 * self.job[2])

    def open(self, block: int) -> bytes:
        super().fill(*self.job, bytes(32))
        return super().open(block)


class Short(NumpyEngine):
    """Sends a byte less."""

    def open(self, block: int) -> bytes:
        return super().open(block)[:-1]


class Breaking(NumpyEngine):
    """Has no memory for it."""

    def fill(self, _seed: bytes, _size: int, _rounds: int, _key: bytes) -> bytes:
        raise MemoryError("out of memory")


class Card(NumpyEngine):
    """A GPU with this much memory, of which it says it has more or less than it was reported with."""

    def __init__(self, memory_bytes: int) -> None:
        super().__init__()
        self.device = Device(name="card", uuid="GPU-1", memory_bytes=memory_bytes)


async def checked(lease: LeaseView, client: AgentClient, *, processors: int) -> dict[Pubkey, Problem]:
    """What the launcher finds wrong with the running member, for a lease of this many processors."""
    booked = {str(lease.address): Booked(measure().hash().hex(), 0)}
    asked = msgspec.structs.replace(lease, processors=processors)
    checking = HardwareCheck(SESSION, lambda _: contextlib.nullcontext(client), devices=False)
    async with contextlib.aclosing(checking):
        found = await checking.check(asked, [asked], {lease.address: await client.status()}, booked, 60, 0)
    assert found is not None
    return found.problems

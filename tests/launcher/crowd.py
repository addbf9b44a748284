"""Many clusters of one node each, some of whose agents are hostile, and the launcher's real loop over a real database.

Agents are real sockets on loopback; the honest ones say what an agent says, without checking who asks. The chain is in
memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence

import asyncpg
import hostile
import msgspec
from hostile import Hostile
from ionet.generated.enums import LeaseStatus
from ionet.generated.errors import WrongLeaseState
from ionet.lease_view import NONE, LeaseView
from ionet_launcher.hardware import Checked
from ionet_launcher.inspection import Finding
from ionet_launcher.keeping import Work
from ionet_launcher.scheduler import Scheduler
from ionet_launcher.session_chain import ClusterView, SessionChain
from ionet_launcher.stepper import Stepper
from ionet_launcher.store import Store
from launcher.test_store import ME
from leases import DEVICE, SESSION, cluster, lease_view
from solders.pubkey import Pubkey

# Honest bookings in a second, after all of the hostile ones at once.
RATE = 10
# Seconds for which the meters run, and of an interval.
_RUNS, INTERVAL = 3_600, 60
KINDS = (
    *(hostile.hang, hostile.drip, hostile.garbage, hostile.endless_body, hostile.says(ip="nonsense")),
    *(hostile.drip_headers, hostile.endless_line, hostile.no_http, hostile.endless_refusal),
)


class Honest:
    """The agent of one node. started, challenged: when it was first asked to, on this process's clock."""

    def __init__(self, number: int) -> None:
        self.lease = self.joins = ""
        self.ip = f"127.{number // 62_500 % 250 + 2}.{number // 250 % 250}.{number % 250 + 1}"
        self.started: float | None = None
        self.challenged: float | None = None
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        listening = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=hostile.TLS)
        self.url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            listening.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request after the other on a connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next((line for line in head.split("\r\n") if line.startswith("content-length:")), ":0")
                sent = (await reader.readexactly(int(length.split(":")[1]))).decode()
                body = self.answer(head.split()[1], sent).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    def answer(self, path: str, sent: str) -> str:
        now = time.monotonic()
        if path == "/v1/challenge":
            self.challenged = self.challenged or now
        elif path == "/v1/start":
            spec = json.loads(sent)
            self.lease, self.joins, self.started = spec["lease"], spec["address"], self.started or now
        elif path == "/v1/stop":
            self.started = None
        up = {"phase": "up", "lease": self.lease, "joins": self.joins} if self.started else {"phase": "idle"}
        return json.dumps({"address": f"{self.ip}:7000", "ip": self.ip, **up})


class Taking(Stepper):
    """Takes the hardware for granted: these nodes have none."""

    async def _check(self, _work: Work, _look: object, leases: Sequence[LeaseView]) -> Checked:
        found = Finding("numpy", [], 0, 0, 0.0, 0.0, None, timed=False)
        return Checked({}, {lease.address: found for lease in leases})


class Crowd(SessionChain):
    """The chain of all clusters. accepted: lease → when its meter began."""

    def __init__(self, count: int, hostiles: int) -> None:
        self.count, self.hostiles = count, hostiles
        self.honest = {number: Honest(number) for number in range(hostiles, count)}
        self.leases: dict[Pubkey, LeaseView] = {}
        self.begun: dict[int, float] = {}
        self.accepted: dict[Pubkey, float] = {}
        self.some_metered, self.all_metered = asyncio.Event(), asyncio.Event()
        self.urls: dict[Pubkey, str] = {}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for number in range(self.hostiles):
                server = await stack.enter_async_context(Hostile(KINDS[number % len(KINDS)]).serving())
                self.urls[address(number, 2)] = server.url
            for number, honest in self.honest.items():
                await stack.enter_async_context(honest.serving())
                self.urls[address(number, 2)] = honest.url
            yield

    async def book(self, pool: asyncpg.Pool, numbers: Sequence[int]) -> None:
        """Nodes that are ready for these clusters, as the indexer tells of them."""
        rows = []
        for number in numbers:
            parent, lease, node = address(number, 1), address(number, 3), address(number, 2)
            made = lease_view(address=lease, node=node, cluster=parent, head_lease=NONE, status=LeaseStatus.READY)
            self.leases[parent] = msgspec.structs.replace(
                made, ready_at=int(time.time()), accept_deadline_secs=1_200, interval_secs=INTERVAL
            )
            rows.append((str(lease), str(node), str(parent), number))
            self.begun[number] = time.monotonic()
        async with pool.acquire() as connection, connection.transaction():
            await connection.executemany(
                "INSERT INTO lease_work VALUES ($1, $2, $3, 0, 0, null, 2, 'ready', 0, 0, 0, 60, $4, 0, true)", rows
            )
            await connection.execute("NOTIFY lease_work")

    async def cluster(self, address: Pubkey, _leases: Sequence[Pubkey]) -> ClusterView | None:
        lease = self.leases[address]
        head = lease.address if lease.address in self.accepted else NONE
        parent = cluster(head_lease=head)
        return ClusterView(int(time.time()), parent, [msgspec.structs.replace(lease, parent=parent)])

    async def accept(self, leases: Sequence[LeaseView]) -> None:
        for lease in leases:
            if lease.address in self.accepted:
                raise WrongLeaseState
            now = int(time.time())
            self.accepted[lease.address] = time.monotonic()
            self.some_metered.set()
            if len(self.accepted) == len(self.honest):
                self.all_metered.set()
            self.leases[lease.cluster] = msgspec.structs.replace(
                lease, status=LeaseStatus.ACTIVE, started_at=now, ends_at=now + _RUNS
            )

    async def device_keys(self, nodes: Sequence[Pubkey]) -> dict[Pubkey, Pubkey]:
        return dict.fromkeys(nodes, DEVICE.pubkey())

    async def reject(self, lease: LeaseView) -> None:
        raise AssertionError(lease)

    @contextlib.asynccontextmanager
    async def launcher(self, pool: asyncpg.Pool) -> AsyncIterator[asyncio.Task[None]]:
        """A launcher, at work."""
        stepper, stopping = Taking(self, SESSION, self.urls), asyncio.Event()
        working = asyncio.create_task(Scheduler(Store(pool, ME), stepper).run(stopping))
        try:
            yield working
            assert working.cancelled() or not working.done()
        finally:
            stopping.set()
            await asyncio.gather(working, return_exceptions=working.cancelled())
            await stepper.aclose()

    async def come(self, pool: asyncpg.Pool) -> None:
        """All book, and the meters of all honest ones run. Raises TimeoutError."""
        await self.book(pool, range(self.hostiles))
        begun = time.monotonic()
        for at, number in enumerate(self.honest):
            await asyncio.sleep(max(0, begun + at / RATE - time.monotonic()))
            await self.book(pool, [number])
        async with asyncio.timeout(300):
            await self.all_metered.wait()

    def waits(self) -> tuple[list[float], list[float]]:
        """Seconds from each honest cluster's event until its node was asked to start, and until its meter began."""
        begun = [(number, self.begun[number]) for number in self.honest]
        started = [(self.honest[number].started or float("inf")) - at for number, at in begun]
        return started, [self.accepted.get(address(number, 3), float("inf")) - at for number, at in begun]


def address(number: int, kind: int) -> Pubkey:
    """Kinds: 1 cluster, 2 node, 3 lease."""
    return Pubkey(bytes([kind]) + (number + 1).to_bytes(31, "big"))


def percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]

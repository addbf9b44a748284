"""One cluster on machines whose agents are real but for Ray and the chain, and a launcher for it; no chain, no Ray."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import asyncpg
import msgspec
from agent.memory_chain import MemoryChain
from agent.memory_network import MemoryNetwork
from agent.memory_provider import MemoryProvider
from ionet.agent_api import Phase
from ionet.agent_ports import Port
from ionet.agent_tls import serving_context
from ionet.generated.enums import LeaseStatus
from ionet.generated.errors import WrongLeaseState
from ionet.lease_view import NONE, LeaseView
from ionet_agent.auth import Gate
from ionet_agent.journal import Journal
from ionet_agent.loop import Loop
from ionet_agent.opening import Opening
from ionet_agent.ports import MemberPorts
from ionet_agent.report import measure
from ionet_agent.serve import serving_on
from ionet_agent.server import Api
from ionet_launcher.keeping import Overview
from ionet_launcher.networks import MOST_MS
from ionet_launcher.scheduler import Scheduler
from ionet_launcher.session_chain import ClusterView, SessionChain
from ionet_launcher.stepper import Stepper
from ionet_launcher.store import Store
from launcher.check_members import Hardware
from launcher.test_store import ME, booked, work
from leases import CLUSTER, DEVICE, SESSION, cluster, lease_view
from solders.pubkey import Pubkey

REPORT = measure()
NOW = 2_000
ENDS = 10_000


class Machine:
    """An agent with its node, which belongs to one lease. `secs`: its clock."""

    def __init__(self, folder: Path, number: int) -> None:
        self.address, node = (Pubkey(bytes([byte, number] * 16)) for byte in (30, 40))
        lease = lease_view(address=self.address, node=node, head_lease=NONE, status=LeaseStatus.READY, ready_at=NOW)
        self.folder, self.secs, self.number = folder / str(number), 0.0, number
        self.chain = MemoryChain(msgspec.structs.replace(lease, accept_deadline_secs=1_200), lambda: NOW)
        self.folder.mkdir()
        self.provider = MemoryProvider(Hardware(), self.folder, ip=f"127.0.1.{number + 1}")
        self.node, self.url = node, ""
        self.network: MemoryNetwork | None = None

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        with contextlib.closing(Journal(self.folder / "journal")) as journal:
            self.journal = journal
            self.opening = Opening(journal, clock=lambda: self.secs)
            # A poll of zero: each request looks at the chain again.
            self.agent = Loop(self.chain, journal, self.provider, self.opening, report_hash=bytes(32), poll_secs=0)
            gate = Gate(self.agent.view)
            self.api = Api(gate, journal, self.opening, self.provider, REPORT, network=self.network)
            ports = MemberPorts(gate, self.network, {Port.CHECK: 0}).serve if self.network else None
            with socket.create_server(("127.0.0.1", 0)) as listener:
                async with (
                    serving_on(self.api.app(), listener, serving_context(DEVICE), ports),
                    contextlib.aclosing(self.provider),
                ):
                    self.url = f"https://127.0.0.1:{listener.getsockname()[1]}"
                    yield

    @property
    def lease(self) -> LeaseView | None:
        return self.chain.lease

    def put(self, **changes: object) -> None:
        assert self.chain.lease is not None
        self.chain.put(self.chain.lease, **changes)


class Network(SessionChain):
    """One cluster on the chains of these machines, and a launcher for it."""

    def __init__(
        self, pool: asyncpg.Pool, machines: Sequence[Machine], soon_secs: float, most_ms: float | None
    ) -> None:
        self.pool, self.machines, self.store = pool, machines, Store(pool, ME)
        self.accepted: list[int] = []
        self.rejected: list[int] = []
        urls = {machine.node: machine.url for machine in machines}
        self.stepper = Stepper(self, SESSION, urls, most_ms=most_ms, soon_secs=soon_secs)
        for machine in machines:
            machine.provider.others = [other.provider for other in machines]

    def of(self, lease: LeaseView) -> Machine:
        return next(machine for machine in self.machines if machine.address == lease.address)

    async def cluster(self, _address: Pubkey, _leases: Sequence[Pubkey]) -> ClusterView | None:
        head = next((machine.address for machine in self.machines if machine.number in self.accepted[:1]), NONE)
        parent = cluster(head_lease=head)
        leases = [machine.lease for machine in self.machines if machine.lease is not None]
        return ClusterView(NOW, parent, [msgspec.structs.replace(lease, parent=parent) for lease in leases])

    async def accept(self, leases: Sequence[LeaseView]) -> None:
        for lease in leases:
            machine = self.of(lease)
            machine.chain.accept(ENDS - NOW)
            self.accepted.append(machine.number)

    async def reject(self, lease: LeaseView) -> None:
        machine = self.of(lease)
        if machine.lease is None or machine.lease.status != LeaseStatus.READY:
            raise WrongLeaseState
        self.rejected.append(machine.number)
        machine.chain.lease = None

    async def device_keys(self, nodes: Sequence[Pubkey]) -> dict[Pubkey, Pubkey]:
        return dict.fromkeys(nodes, DEVICE.pubkey())

    async def plan(self) -> None:
        for machine in self.machines:
            await work(self.pool, str(machine.address), str(CLUSTER), "booked", machine.number)
            await booked(self.pool, machine.address, machine.node, REPORT.hash())
        await self.store.plan()

    async def steps(self, count: int) -> Overview:
        """Do this many steps, the pauses between them left out."""
        for _ in range(count):
            await self.pool.execute("UPDATE launcher.cluster SET next_at = now()")
            await Scheduler(self.store, self.stepper)._once()
        [seen] = await self.store.overview()
        return seen

    async def until(self, condition: Callable[[Overview], bool], most: int = 200) -> Overview:
        """Do steps until the condition holds."""
        for _ in range(most):
            seen = await self.steps(1)
            if condition(seen):
                return seen
            await asyncio.sleep(0.05)
        raise AssertionError(seen)

    async def passes(self, secs: float) -> None:
        """Time passes on every machine, and its agent looks."""
        for machine in self.machines:
            machine.secs += secs
            await machine.agent.tick()

    async def opened(self, secs: float) -> None:
        """The launcher asked its members so long ago to start."""
        ago = "UPDATE launcher.member SET started_at = now() - make_interval(secs => $1)"
        await self.pool.execute(ago, secs)

    def phases(self) -> list[Phase]:
        return [machine.provider.phase for machine in self.machines]

    def started(self) -> list[int]:
        return [machine.provider.started for machine in self.machines]


@contextlib.asynccontextmanager
async def planned(
    pool: asyncpg.Pool,
    folder: Path,
    count: int,
    *,
    urls: Mapping[int, str] | None = None,
    soon_secs: float = 20,
    ways: Sequence[Mapping[int, float]] | None = None,
    most_ms: float | None = MOST_MS,
) -> AsyncIterator[Network]:
    """A planned cluster of this many machines. urls: where others answer in their place. ways: of machines that are
    joined in a network, what each says of how far it is to others, by their numbers, in milliseconds."""
    async with contextlib.AsyncExitStack() as stack:
        machines = [Machine(folder, number) for number in range(count)]
        for machine, ways_to in zip(machines, ways or [], strict=False):
            machine.network = MemoryNetwork(machine.provider, machine.address)
            machine.network.ways = {machines[number].address: took for number, took in ways_to.items()}
        for machine in machines:
            await stack.enter_async_context(machine.serve())
            machine.url = (urls or {}).get(machine.number, machine.url)
        made = Network(pool, machines, soon_secs, most_ms)
        stack.push_async_callback(made.stepper.aclose)
        await made.plan()
        yield made

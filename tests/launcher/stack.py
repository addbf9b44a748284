"""The whole network for the launcher's tests: chain, database, indexer, agents, launcher; the last three as processes
of their own, so that a test can kill and start any of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from agent.gpu_hosts import Host
from agent.places import TRUSTING
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, Lease
from ionet.generated.events import ClusterOpened, LeaseSettled
from ionet.program import PROGRAM
from ionet.wallet import write_keypair
from ionet_agent import processes
from ionet_agent.providers.local import tag_prefix
from launcher.ports import free_range
from market import USD, Machine, Market, key
from solders.pubkey import Pubkey

PORTS_PER_NODE = 24
SESSION = key("launcher session")


class Command:
    """`ionet …` as a process that announces itself with one JSON line. prefix: of a machine that is not this one."""

    def __init__(self, log: Path, *arguments: str, prefix: Sequence[str] = ()) -> None:
        self.log, self._arguments, self._prefix = log, arguments, prefix
        self.child: subprocess.Popen[bytes] | None = None
        self.about: dict[str, Any] = {}

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "ionet", *self._arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "IONET_TEST_LOG": str(self.log)},  # by which whoever cleans up finds it
            )

    async def ready(self) -> None:
        assert self.child is not None
        assert self.child.stdout is not None
        line = await asyncio.to_thread(self.child.stdout.readline)
        assert line, self.log.read_text()[-3000:]
        self.about = json.loads(line)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.child is not None:
            self.child.send_signal(number)
            # Not here: this process runs the chain that the child may be waiting for.
            await asyncio.to_thread(self.child.wait, 30)
            assert self.child.stdout is not None
            self.child.stdout.close()
            self.child = None

    async def restart(self) -> None:
        await self.end()
        self.start()
        await self.ready()


@dataclass
class NodeProcess:
    """A machine with its agent."""

    machine: Machine
    base: Path
    agent: Command

    def tag(self) -> str | None:
        try:
            return str(json.loads((self.base / "ray.json").read_text())["tag"])
        except FileNotFoundError:
            return None


@dataclass
class Stack:
    market: Market
    dsn: str
    folder: Path
    indexer: Command
    launcher: Command
    nodes: list[NodeProcess] = field(default_factory=list)
    renter_prefix: Sequence[str] = ()
    tends: bool = False
    """Whether agents and launcher settle and close what is theirs; elsewhere tests do that when they want to."""
    renter_url: str = ""
    """Of the machine from which the renter gives commands, and of the chain there, where that is not this one."""

    async def book(self, nodes: Sequence[NodeProcess], duration: int) -> tuple[Pubkey, list[Pubkey]]:
        """A cluster with the launcher's key, and its leases."""
        return await self.book_machines([node.machine for node in nodes], duration)

    async def book_machines(self, machines: Sequence[Machine], duration: int) -> tuple[Pubkey, list[Pubkey]]:
        plan = self.market.renter.cluster.open(
            100 * USD, session_key=SESSION.pubkey(), session_expires_at=int(time.time()) + 3600
        )
        cluster = (await plan).event(ClusterOpened).cluster
        return cluster, await self.market.book(cluster, *machines, duration=duration)

    async def lease(self, address: Pubkey) -> Lease | None:
        return await self.market.renter.find(Lease, address)

    async def fetch(self, query: str, *values: object) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def clusters(self) -> list[dict[str, Any]]:
        """Every cluster the launcher has seen, oldest first."""
        return await self.fetch("SELECT * FROM launcher.cluster ORDER BY planned_at")

    async def served(self, lease: Pubkey) -> dict[int, int]:
        """Proven seconds by interval, as the indexer has them."""
        query = "SELECT interval, max(served_secs) AS secs FROM proofs WHERE lease = $1 GROUP BY interval"
        return {row["interval"]: row["secs"] for row in await self.fetch(query, str(lease))}

    async def repeated_proofs(self, lease: Pubkey) -> int:
        """Proofs that say what an earlier one said."""
        query = "SELECT count(*) - count(DISTINCT (interval, served_secs, root)) AS n FROM proofs WHERE lease = $1"
        return int((await self.fetch(query, str(lease)))[0]["n"])

    async def settle(self, cluster: Pubkey, *leases: Pubkey) -> int:
        """Settle and close what is over, and look that the books of the cluster are exact. Returns what was paid."""
        await until(partial(self._has_proven, leases), 60, "all proofs are indexed")
        self.market.pass_time(30)
        before = await self.market.renter.fetch(Cluster, cluster)
        supplied = 0
        for lease in leases:
            found = await self.lease(lease)
            assert found is not None
            settled = (await self.market.stranger.lease.settle(lease)).event(LeaseSettled)
            price = settled.payable_secs * found.price * found.processors // 3600
            assert settled.paid == price == settled.supplier_amount + settled.supplier_fee + settled.burned
            # Whoever ends a lease very early pays for the rest of the least time too.
            assert settled.payable_secs == sum((await self.served(lease)).values()) + found.rest_secs
            supplied += settled.supplier_amount + settled.bond_paid
            await self.market.stranger.lease.close(lease)
        assert await self.paid(cluster) == before.paid + supplied
        return supplied

    async def paid(self, cluster: Pubkey) -> int:
        """What was paid of a cluster without leases, whose escrow holds the rest to the unit."""
        found = await self.market.renter.fetch(Cluster, cluster)
        assert (found.locked, found.leases_open) == (0, 0)
        held = await self.market.renter.rpc.token_balance(pdas.escrow(PROGRAM.id, cluster))
        assert held == found.deposit - found.paid - found.refunded
        return found.paid

    async def _has_proven(self, leases: Sequence[Pubkey]) -> bool:
        """Whether the indexer has as many proofs of them as the chain."""
        for lease in leases:
            found = await self.lease(lease)
            [row] = await self.fetch("SELECT count(*) AS n FROM proofs WHERE lease = $1", str(lease))
            if found is not None and row["n"] != found.proof_count:
                return False
        return True

    async def phase(self, cluster: Pubkey) -> str | None:
        return next((row["phase"] for row in await self.clusters() if row["cluster"] == str(cluster)), None)

    async def renter_command(
        self, node: NodeProcess, *arguments: str, script: bytes | None = None, within: float = 60
    ) -> bytes:
        """What `ionet cluster …` prints for the renter; `script` becomes its last argument. Raises TimeoutError."""
        wallet, path = self.folder / "renter.json", self.folder / "driver.py"
        if not wallet.exists():
            write_keypair(wallet, key("renter"))
        if script is not None:
            path.write_bytes(script)
            arguments = (*arguments, str(path))
        url = self.renter_url or self.market.net.rpc_url
        child = await asyncio.create_subprocess_exec(
            *(*self.renter_prefix, sys.executable, "-m", "ionet", "--url", url, "--keypair", str(wallet), "cluster"),
            *(*arguments, *self.way(node)["connect" in arguments], "--json"),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            output, _ = await asyncio.wait_for(child.communicate(), within)
        except TimeoutError:
            child.kill()
            await child.wait()
            raise
        return output

    def way(self, node: NodeProcess) -> tuple[tuple[str, str], tuple[str, str]]:
        """Both ways to find its agent."""
        return ("--agent", node.agent.about["api"]), ("--indexer", self.indexer.about["api"])

    def tags(self) -> list[str]:
        return [tag for node in self.nodes if (tag := node.tag()) is not None]


def ray_mains(base: Path) -> list[int]:
    """Process ids of `ray start` whose tag or state lies below a node's folder, found without the state file.

    A child that it has forked looks the same until it executes its own program, and is not counted.
    """
    needle = f"{processes.TAG_VARIABLE}={tag_prefix(base)}".encode()
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            environment = Path(entry.path, "environ").read_bytes()
            command = Path(entry.path, "cmdline").read_bytes()
            parent = int(Path(entry.path, "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if needle in environment and b"ionet.ray_start\0start" in command:
            parents[int(entry.name)] = parent
    own = [pid for pid, parent in parents.items() if parent not in parents]
    return [pid for pid in own if processes.start_ticks(pid) is not None]


async def until(condition: Callable[[], Awaitable[bool]], within: float, what: str) -> float:
    """Wait for a condition; returns the seconds it took."""
    began = time.monotonic()
    while not await condition():
        assert time.monotonic() - began < within, f"not in {within} s: {what}"
        await asyncio.sleep(0.1)
    return time.monotonic() - began


@asynccontextmanager
async def stack(
    market: Market,
    dsn: str,
    folder: Path,
    count: int,
    *,
    replaces: bool = False,
    tends: bool = False,
    hosts: Sequence[Host] = (),
) -> AsyncIterator[Stack]:
    """`count` nodes with agents, an indexer and a launcher on the chain of `market`, all up.

    replaces: the launcher has the renter's wallet, and replaces what is lost. tends: of `Stack`. hosts: the machines of
    the nodes, each a virtual environment with programs of its own, where they are not this one.
    """
    url = market.net.rpc_url
    session, agents = folder / "session.json", folder / "agents.json"
    write_keypair(session, SESSION)
    await market.admin.rpc.airdrop(SESSION.pubkey(), 10**10)
    [port] = free_range(1)  # the same after a restart: agents have been told
    indexer = Command(
        folder / "indexer.log",
        *("--url", url, "indexer", "run", "--dsn", dsn, "--port", str(port), "--poll", "0.3", "--json"),
    )
    renter = folder / "renter.json"
    write_keypair(renter, key("renter"))
    launcher = Command(
        folder / "launcher.log",
        *("--url", url, "launcher", "run", "--dsn", dsn),
        *("--session-key", str(session), "--agents", str(agents), "--json"),
        *(("--renter", str(renter)) if replaces else ()),
        "--close" if tends else "--no-close",
    )
    made = Stack(market, dsn, folder, indexer, launcher, tends=tends)
    try:
        indexer.start()
        await indexer.ready()
        ports = free_range(PORTS_PER_NODE * count)
        for i in range(count):
            own = ports[i * PORTS_PER_NODE : (i + 1) * PORTS_PER_NODE]
            made.nodes.append(await _node(made, i, own, hosts[i] if hosts else None))
        for node in made.nodes:
            await node.agent.ready()
        agents.write_text("{}")  # the launcher finds them by what they say to the indexer
        launcher.start()
        await launcher.ready()
        yield made
    finally:
        await launcher.end(signal.SIGTERM)
        for node in made.nodes:
            await node.agent.end(signal.SIGTERM)
            if (tag := node.tag()) is not None:  # a test failed while the agent was dead
                await processes.stop(tag, None, 0)
        await indexer.end(signal.SIGTERM)


async def _node(made: Stack, number: int, ports: range, host: Host | None) -> NodeProcess:
    machine = await made.market.add_machine(f"launcher test {number}")
    await made.market.admin.rpc.airdrop(machine.device.pubkey(), 10**10)
    base, device = made.folder / f"node{number}", made.folder / f"device{number}.json"
    write_keypair(device, machine.device)
    [api] = free_range(1)
    agent = Command(
        made.folder / f"agent{number}.log",
        *("--url", made.market.net.rpc_url, "agent", "run", "--device-key", str(device), "--base", str(base)),
        *("--ip", f"127.0.{os.getpid() % 250 + 1}.{number + 101}", "--ports", f"{ports[0]}-{ports[-1]}"),
        # Ray may take minutes to start on a busy machine.
        *(
            "--check-secs",
            "900",
            "--listen",
            f"127.0.0.1:{api}",
            "--indexer",
            made.indexer.about["api"],
            "--poll-secs",
            "0.3",
            "--json",
        ),
        *("--settle" if made.tends else "--no-settle", *TRUSTING),
        *(() if host is None else ("--runtime", str(host.root))),
        prefix=() if host is None else ("/usr/bin/env", f"PATH={host.path}:{os.environ['PATH']}"),
    )
    agent.start()
    return NodeProcess(machine, base, agent)

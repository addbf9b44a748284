"""What happens to the process that a renter can reach does not stop the one that proves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import market
import msgspec
import pytest
import pytest_asyncio
from agent.places import TRUSTING
from agent.small_disk import fill, small_disk
from ionet.agent_api import AgentClient, Phase, Role, Spec
from ionet.agent_delegation import delegate
from ionet.agent_errors import AgentUnreachable
from ionet.generated.accounts import Lease
from ionet.generated.enums import LeaseStatus
from ionet.wallet import write_keypair
from ionet_agent import processes
from ionet_agent.providers.beside import Record
from launcher.ports import free_range
from solders.pubkey import Pubkey
from waiting import WITHIN_SECS, until


@dataclass
class Served:
    """A lease whose meter runs, and the agent of its node as real processes; no Ray."""

    market: market.Market
    command: list[str]
    base: Path
    log: Path
    node: Pubkey
    agent: subprocess.Popen[bytes]
    url: str
    device: Pubkey
    lease: Pubkey | None = None
    cluster: Pubkey | None = None

    def machine_side(self) -> int | None:
        """Process id of the agent's child that serves."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z" and int(fields[1]) == self.agent.pid:
                    return int(entry.name)
        return None

    def client(self) -> AgentClient:
        assert self.cluster is not None
        return AgentClient(self.url, self.device, delegate(market.key("renter"), self.cluster, time.time()))

    async def alarms(self) -> list[str]:
        async with self.client() as client:
            return (await client.status()).alarms

    async def seconds_proven(self) -> int:
        assert self.lease is not None
        best: dict[int, int] = {}
        for proof in await self.market.renter.lease.proofs(self.lease):
            best[proof.interval] = max(best.get(proof.interval, 0), proof.served_secs)
        return sum(best.values())

    async def rent(self) -> None:
        """Up to the moment at which the meter runs. This test is the member: the agent sees that it lives."""
        machine = self.market.machines[-1]
        self.cluster = cluster = await self.market.open_cluster()
        [self.lease] = await self.market.book(cluster, machine, duration=300)

        async def ready() -> bool:
            found = await self.market.renter.find(Lease, self.lease or Pubkey.default())
            return found is not None and found.status == LeaseStatus.READY

        await until(ready, "the machine side says that the node is reserved")
        await self.market.renter.lease.accept_ready(self.lease)
        spec = Spec(str(self.lease), str(cluster), Role.HEAD, "127.0.97.1:1", 2, "token", "ca", "certificate", "key")
        record = Record(spec, "no-such-tag", 1.0, os.getpid(), processes.start_ticks(os.getpid()))
        (self.base / "ray.json").write_bytes(msgspec.json.encode(record))


def started(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=output)


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[Served]:
    """An agent whose folder is `node` in this one."""
    async with market.market(slot_ms=50, clock_factor=2) as founded:
        machine = await founded.add_machine("two processes")
        await founded.admin.rpc.airdrop(machine.device.pubkey(), 10**10)
        device, base, log = tmp_path / "device.json", tmp_path / "node", tmp_path / "agent.log"
        write_keypair(device, machine.device)
        ports = free_range(20)
        command = [
            *(sys.executable, "-m", "ionet", "--url", founded.net.rpc_url, "agent", "run", "--json"),
            *("--device-key", str(device), "--base", str(base), "--ip", "127.0.97.1", "--poll-secs", "0.3"),
            *("--listen", "127.0.0.1:0", "--ports", f"{ports[0]}-{ports[-1]}", *TRUSTING),
        ]
        agent = started(command, log)
        assert agent.stdout is not None
        try:
            line = await asyncio.to_thread(agent.stdout.readline)
            assert line, log.read_text()[-3000:]
            url, device_key = json.loads(line)["api"], machine.device.pubkey()
            yield Served(founded, command, base, log, machine.address, agent, url, device_key)
        finally:
            agent.kill()
            await asyncio.to_thread(agent.wait)
            agent.stdout.close()


async def test_a_frozen_machine_side_stops_no_proof(served: Served) -> None:
    await served.rent()
    child = served.machine_side()
    assert child is not None
    os.kill(child, signal.SIGSTOP)
    try:
        before = await served.seconds_proven()

        async def more() -> bool:
            return await served.seconds_proven() > before + 5

        await until(more, "proofs go on")
    finally:
        os.kill(child, signal.SIGCONT)


async def test_a_killed_machine_side_is_started_again_at_the_same_address_and_no_proof_is_lost(served: Served) -> None:
    await served.rent()
    for _ in range(2):
        child = served.machine_side()
        assert child is not None
        os.kill(child, signal.SIGKILL)
        await until(lambda: served.machine_side() not in (None, child), "another one is started")  # noqa: B023

    async def answers() -> bool:
        try:
            async with served.client() as client:
                return (await client.status()).phase is Phase.STARTING
        except AgentUnreachable:
            return False

    await until(answers, "it serves where the first one did")
    before = await served.seconds_proven()

    async def more() -> bool:
        return await served.seconds_proven() > before + 5

    await until(more, "proofs go on")
    served.agent.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(served.agent.wait, WITHIN_SECS) == 0
    assert not (served.base / "ray.json").exists()


@pytest.mark.drill
async def test_with_a_full_disk_proofs_go_on_and_a_killed_machine_side_comes_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "node", 16) as folder:
        async with serving(tmp_path) as served:
            await served.rent()

            async def proven() -> bool:
                return await served.seconds_proven() > 0

            await until(proven, "a first proof, so that all is set aside")
            fill(folder)
            before, child = await served.seconds_proven(), served.machine_side()
            assert child is not None
            os.kill(child, signal.SIGKILL)

            async def more() -> bool:
                return await served.seconds_proven() > before + 10

            await until(more, "proofs go on")

            async def says_so() -> bool:
                try:
                    return any(text.startswith("disk: it is full") for text in await served.alarms())
                except AgentUnreachable:
                    return False

            await until(says_so, "another machine side serves and says what is wrong")


async def test_a_killed_agent_leaves_no_process_and_a_second_one_is_refused(served: Served) -> None:
    child = served.machine_side()
    assert child is not None
    second = await asyncio.to_thread(subprocess.run, served.command, capture_output=True, timeout=WITHIN_SECS)
    assert second.returncode == 1
    assert b"another process works here already" in second.stderr
    assert served.agent.poll() is None
    os.kill(child, signal.SIGSTOP)  # not even one that cannot notice it
    served.agent.kill()
    await until(lambda: processes.start_ticks(child) is None, "the child dies with its parent", within=10)
    await asyncio.to_thread(served.agent.wait)
    third = started(served.command, served.log)
    assert third.stdout is not None
    try:
        assert await asyncio.to_thread(third.stdout.readline), served.log.read_text()[-3000:]
        third.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(third.wait, WITHIN_SECS) == 0
    finally:
        third.kill()
        third.stdout.close()


async def test_what_is_wrong_with_the_proving_side_is_in_the_status(served: Served) -> None:
    """The two sides are told apart by their alarms: this one is rung by the process that proves."""
    await served.rent()
    served.market.pass_time(600)

    async def rings() -> bool:
        return any("clock: this machine's clock is" in text for text in await served.alarms())

    await until(rings, "an alarm of the other process")

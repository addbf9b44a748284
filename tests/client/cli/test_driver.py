"""`ionet cluster run` of a driver that is killed: the exit code is the driver's, and a line says why."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from agent.memory_provider import MemoryProvider, Printed
from client.cli.conftest import Result, Shell
from ionet.agent_api import Phase, Role, Spec
from ionet.agent_tls import serving_context
from ionet.wallet import write_keypair
from ionet_agent.auth import Gate
from ionet_agent.journal import Journal
from ionet_agent.loop import Loop
from ionet_agent.opening import Opening
from ionet_agent.report import measure
from ionet_agent.rpc_node_chain import RpcNodeChain
from ionet_agent.serve import serving
from ionet_agent.server import Api
from market import Market, key, market
from solders.pubkey import Pubkey


class Killed(Printed):
    """A driver that a signal ends; before that the lease ends, where it is to."""

    def __init__(self, place: Place) -> None:
        super().__init__(b"step 1\n")
        self._place = place

    async def ended(self) -> int:
        if self._place.ends:
            await self._place.market.renter.lease.end(self._place.lease)
        return -9


class Provider(MemoryProvider):
    """A member that is up, without Ray."""

    place: Place

    async def run_driver(self, _script: bytes, *, both_ways: bool = False) -> Printed:  # noqa: ARG002
        return Killed(self.place)


@dataclass
class Place:
    market: Market
    cluster: Pubkey
    lease: Pubkey
    url: str
    folder: Path
    ends: bool = False

    async def run(self, *options: str) -> Result:
        (self.folder / "job.py").write_text("print('step 1')")
        write_keypair(self.folder / "renter.json", key("renter"))
        shell = Shell(self.market.net.rpc_url, self.folder / "renter.json")
        words = ["cluster", "run", str(self.cluster), str(self.folder / "job.py"), "--agent", self.url, *options]
        return await asyncio.to_thread(shell.run, *words)


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A running lease whose agent is real but for Ray."""
    async with market() as founded:
        machine = await founded.add_machine("head")
        cluster = await founded.open_cluster()
        [lease] = await founded.book(cluster, machine, duration=3600)
        await founded.start(lease, machine)
        chain, provider = RpcNodeChain(founded.admin, machine.address, machine.device), Provider()
        provider.phase = Phase.UP
        provider.spec = Spec(str(lease), str(cluster), Role.HEAD, "127.0.1.1:7000", 2, "t", "c", "c", "k")
        with contextlib.closing(Journal(tmp_path / "journal")) as journal:
            opening = Opening(journal)
            agent = Loop(chain, journal, provider, opening, report_hash=bytes(32), poll_secs=0)
            app = Api(Gate(agent.view), journal, opening, provider, measure()).app()
            async with serving(app, "127.0.0.1", 0, serving_context(machine.device)) as port:
                made = Place(founded, cluster, lease, f"https://127.0.0.1:{port}", tmp_path)
                provider.place = made
                yield made


@pytest.mark.parametrize("ends", [True, False])
async def test_a_killed_driver_is_explained(place: Place, ends: bool) -> None:
    place.ends = ends
    done = await place.run()
    reason = ": the lease is over" if ends else ", while its lease goes on; it may have used too much memory"
    assert (done.returncode & 0xFF, done.stdout) == (247, "step 1\n")
    assert done.stderr == f"error: the driver was killed by signal 9{reason}\n"


async def test_json_has_the_code_and_the_output(place: Place) -> None:
    done = await place.run("--json")
    assert done.stdout == '{"exit_code": -9, "output": "step 1\\n"}\n'
    assert done.returncode & 0xFF == 247

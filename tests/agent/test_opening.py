"""Before a renter accepts a lease its machine is open to them for two minutes, whatever they or a crash do."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from agent.memory_chain import MemoryChain
from agent.memory_provider import MemoryProvider
from agent.places import place
from ionet.agent_api import AgentClient, Phase, Role, Spec, Status
from ionet.agent_errors import CheckTimeOver, MeterRuns
from ionet.agent_tls import serving_context
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView, NodeView
from ionet_agent.auth import Gate
from ionet_agent.journal import Journal
from ionet_agent.loop import Loop
from ionet_agent.opening import CHECK_SECS, Opening
from ionet_agent.processes import start_ticks
from ionet_agent.providers.local import LocalProvider
from ionet_agent.proving import Proving
from ionet_agent.report import measure
from ionet_agent.serve import serving
from ionet_agent.server import Api
from ionet_launcher.certs import ClusterSecrets
from launcher.ports import free_range
from leases import DEVICE, SESSION, lease_view
from solders.pubkey import Pubkey

NAME = str(lease_view().address)


class Killed(BaseException):
    """The same as kill -9 at one point: nothing after it runs."""


def ready(**changes: object) -> LeaseView:
    return lease_view(status=LeaseStatus.READY, ready_at=1, accept_deadline_secs=2**31, **changes)


class Machine:
    """An agent over real HTTP, whose clock the test moves; its member and its chain outlive it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.secs = folder, 1_000.0
        self.chain, self.provider = MemoryChain(ready(), lambda: int(time.time())), MemoryProvider()
        self._stack = contextlib.AsyncExitStack()

    async def open(self) -> None:
        self.journal = self._stack.enter_context(contextlib.closing(Journal(self.folder / "journal")))
        opening = Opening(self.journal, clock=lambda: self.secs)
        # A poll of zero: each request looks at the chain again.
        self.agent = Loop(self.chain, self.journal, self.provider, opening, report_hash=bytes(32), poll_secs=0)
        self.proving = Proving(self.chain, self.journal, self.provider, self.folder, forget_secs=0)
        api = Api(Gate(self.agent.view), self.journal, opening, self.provider, measure())
        port = await self._stack.enter_async_context(serving(api.app(), "127.0.0.1", 0, serving_context(DEVICE)))
        self.client = await self._stack.enter_async_context(
            AgentClient(f"https://127.0.0.1:{port}", DEVICE.pubkey(), SESSION)
        )

    async def close(self) -> None:
        await self._stack.aclose()

    async def restart(self) -> None:
        """Kill the agent and start it again; nothing was told to end."""
        await self.close()
        await self.open()
        await self.provider.adopt()

    async def start(self) -> Status:
        lease = self.chain.lease
        assert lease is not None
        address = (await self.provider.status()).address
        return await self.client.start(
            Spec(str(lease.address), str(lease.cluster), Role.HEAD, address, lease.processors, "t", "c", "c", "k")
        )

    async def passes(self, secs: float) -> Phase:
        """Time passes, and the agent looks. Returns the member's phase afterwards."""
        self.secs += secs
        await self.agent.tick()
        await self.proving.tick()
        return self.provider.phase

    async def left(self) -> float | None:
        return (await self.client.status()).check_secs_left


@pytest_asyncio.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(tmp_path)
    await made.open()
    yield made
    await made.close()


async def refused(machine: Machine) -> bool:
    try:
        await machine.start()
    except CheckTimeOver:
        return True
    return False


async def test_a_member_is_stopped_when_two_minutes_are_over_and_not_started_again(machine: Machine) -> None:
    assert CHECK_SECS == 120
    assert await machine.left() == 120
    await machine.start()
    assert await machine.passes(119) is Phase.UP
    assert await machine.left() == 1
    assert await machine.passes(1) is Phase.IDLE
    assert await machine.left() == 0
    with pytest.raises(CheckTimeOver, match="was open for 120 s; accepted, it can be started again") as caught:
        await machine.start()
    assert (caught.value.status, caught.value.code) == (409, "check_time_over")
    assert await machine.passes(10_000) is Phase.IDLE
    assert await refused(machine)
    assert machine.provider.started == 1


async def test_no_request_is_let_in_before_the_agent_has_stopped_it(machine: Machine) -> None:
    await machine.start()
    machine.secs += 120
    assert await refused(machine)


async def test_time_adds_up_over_stops_and_starts_and_closed_time_does_not_count(machine: Machine) -> None:
    for _ in range(3):
        await machine.start()
        assert await machine.passes(30) is Phase.UP
        assert (await machine.client.stop(NAME)).phase is Phase.IDLE
        assert await machine.passes(0) is Phase.IDLE
        await machine.passes(500)
    assert await machine.left() == 30
    await machine.start()
    assert await machine.passes(29) is Phase.UP
    assert await machine.passes(1) is Phase.IDLE


async def test_stops_and_starts_between_two_looks_do_not_hide_time(machine: Machine) -> None:
    """A member that no look ever sees: it is started after one and stopped before the next."""
    for _ in range(12):
        await machine.start()
        machine.secs += 10
        await machine.client.stop(NAME)
        await machine.agent.tick()
    assert await refused(machine)
    assert machine.provider.started == 12
    machine.chain.lease = None
    await machine.passes(0)
    assert machine.journal.open_secs(NAME, machine.secs) == 0  # forgotten with its lease, which no look saw running


async def test_a_member_that_starts_or_fails_over_and_over_is_open_too(machine: Machine) -> None:
    """The renter's code can run then: a driver beside a starting member, what it left behind after Ray has failed."""
    machine.provider.joins = Phase.STARTING
    await machine.start()
    assert await machine.passes(60) is Phase.STARTING
    machine.provider.phase = Phase.FAILED
    assert await machine.passes(0) is Phase.STARTING  # the agent starts it again
    machine.provider.phase = Phase.FAILED
    assert await machine.passes(59) is Phase.FAILED  # not yet again
    assert await machine.passes(1) is Phase.IDLE
    assert await refused(machine)
    assert machine.provider.started == 2


async def test_a_killed_agent_goes_on_counting_what_ran_meanwhile(machine: Machine) -> None:
    await machine.start()
    assert await machine.passes(50) is Phase.UP
    machine.secs += 40
    await machine.restart()
    assert await machine.left() == 30
    assert await machine.passes(29) is Phase.UP
    assert await machine.passes(1) is Phase.IDLE
    await machine.restart()
    assert await refused(machine)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_an_agent_killed_while_it_starts_a_member_has_counted_it(machine: Machine, before: bool) -> None:
    start = machine.provider.start

    async def killed(spec: Spec, move_secs: float = 0) -> Status:
        if not before:
            await start(spec, move_secs)
        raise Killed

    machine.provider.start = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await _request_start(machine)
    machine.provider.start = start  # type: ignore[method-assign]
    await machine.restart()
    machine.secs += 119
    assert await machine.left() == 1
    await machine.agent.tick()
    machine.secs += 1
    assert await machine.left() == (1 if before else 0)  # where nothing runs, the agent has seen that


async def _request_start(machine: Machine) -> None:
    """What the handler does, in this task: a kill there would end the test's server and not the test."""
    opening, lease = Opening(machine.journal, clock=lambda: machine.secs), machine.chain.lease
    assert lease is not None
    opening.begin(lease)
    spec = Spec(NAME, str(lease.cluster), Role.HEAD, "127.0.1.1:7000", lease.processors, "t", "c", "c", "k")
    await machine.provider.start(spec)


async def test_an_agent_killed_while_it_stops_the_member_stops_it_again(machine: Machine) -> None:
    stop = machine.provider.stop

    async def killed(_lease: str) -> Status:
        raise Killed

    await machine.start()
    machine.provider.stop = killed  # type: ignore[assignment, method-assign]
    with pytest.raises(Killed):
        await machine.passes(120)
    machine.provider.stop = stop  # type: ignore[method-assign]
    await machine.restart()
    assert await refused(machine)
    assert await machine.passes(0) is Phase.IDLE


async def test_an_agent_that_is_told_to_end_stops_the_member_and_its_count(machine: Machine) -> None:
    await machine.start()
    assert await machine.passes(70) is Phase.UP
    stopping = asyncio.Event()
    stopping.set()
    await machine.agent.run(stopping)
    assert machine.provider.phase is Phase.IDLE
    machine.secs += 3_600
    await machine.restart()
    assert await machine.left() == 50


async def test_a_reboot_resets_only_what_ran_then(machine: Machine) -> None:
    await machine.start()
    assert await machine.passes(70) is Phase.UP
    await machine.client.stop(NAME)
    await machine.agent.tick()
    await machine.start()
    assert await machine.passes(20) is Phase.UP
    machine.secs, machine.provider.phase = 5.0, Phase.FAILED  # the clock counts from the boot
    await machine.restart()
    assert await machine.passes(0) is Phase.UP
    assert await machine.left() == 50
    assert await machine.passes(50) is Phase.IDLE


async def test_an_accepted_lease_is_never_stopped(machine: Machine) -> None:
    await machine.start()
    assert await machine.passes(119) is Phase.UP
    machine.chain.accept(2**30)
    assert await machine.left() is None
    for _ in range(3):
        assert await machine.passes(100) is Phase.UP
    machine.provider.phase = Phase.FAILED
    assert await machine.passes(100) is Phase.UP
    with pytest.raises(MeterRuns):
        await machine.client.stop(NAME)


async def test_an_acceptance_since_the_round_began_keeps_the_member(machine: Machine) -> None:
    view, looks = machine.chain.view, 0

    async def accepted_after_the_first_look(others: tuple[str, ...] = ()) -> NodeView:
        nonlocal looks
        seen, looks = await view(others), looks + 1
        if looks == 1:
            machine.chain.accept(2**30)
        return seen

    await machine.start()
    machine.chain.view = accepted_after_the_first_look  # type: ignore[assignment, method-assign]
    machine.secs += 120
    await machine.agent.tick()
    assert machine.provider.phase is Phase.UP
    assert looks == 2
    assert await machine.passes(120) is Phase.UP


async def test_a_lease_that_is_accepted_after_all_can_be_started(machine: Machine) -> None:
    await machine.start()
    assert await machine.passes(120) is Phase.IDLE
    machine.chain.accept(2**30)
    assert (await machine.start()).phase is Phase.UP
    assert await machine.passes(1_000) is Phase.UP


async def test_the_next_lease_has_its_own_two_minutes_and_the_old_count_is_forgotten(machine: Machine) -> None:
    await machine.start()
    assert await machine.passes(120) is Phase.IDLE
    assert machine.journal.open_secs(NAME, machine.secs) == 120
    machine.chain.lease = ready(address=Pubkey(bytes([8] * 32)))
    assert await machine.passes(0) is Phase.IDLE
    assert machine.journal.leases() == []
    assert machine.journal.open_secs(NAME, machine.secs) == 0
    assert await machine.left() == 120
    assert (await machine.start()).phase is Phase.UP
    assert await machine.passes(119) is Phase.UP
    assert await machine.passes(1) is Phase.IDLE


async def test_the_count_is_kept_while_the_lease_can_still_be_accepted(machine: Machine) -> None:
    await machine.start()
    await machine.passes(120)
    for _ in range(5):
        await machine.passes(200)
    assert machine.journal.leases() == [NAME]
    assert await refused(machine)


async def test_what_runs_beside_a_starting_member_ends_with_the_time_for_the_check(tmp_path: Path) -> None:
    """With real processes: the renter's code runs before Ray is up, so the whole time of a member counts."""
    secs, lease = 0.0, ready()
    provider = LocalProvider(
        tmp_path, node="n", ip="127.0.89.1", ports=free_range(24), spool=tmp_path / "spool", place=place(tmp_path)
    )
    secrets = ClusterSecrets(b"s" * 32, bytes(lease.cluster))
    certificate, key = secrets.issue("node", "127.0.89.1")
    spec = Spec(
        *(NAME, str(lease.cluster), Role.HEAD, provider.address, 2, secrets.token, secrets.ca_pem(), certificate, key)
    )
    with contextlib.closing(Journal(tmp_path / "journal")) as journal:
        opening = Opening(journal, clock=lambda: secs)
        chain = MemoryChain(lease, lambda: int(time.time()))
        agent = Loop(chain, journal, provider, opening, report_hash=bytes(32))
        opening.begin(lease)
        assert (await provider.start(spec)).phase is Phase.STARTING
        driver = await provider.run_driver(b"import os, time; print(os.getpid(), flush=True); time.sleep(60)")
        pid = int(await driver.read())
        secs = 119
        await agent.tick()
        assert start_ticks(pid) is not None
        secs = 120
        await agent.tick()
        assert start_ticks(pid) is None
        assert (await provider.status()).phase is Phase.IDLE

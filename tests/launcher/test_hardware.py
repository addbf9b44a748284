"""The check of a cluster as a whole: its deadline, what goes on beside the steps, and whose problem is whose.

Launcher and agents are real but for Ray and the chain; so are the checks, their TLS and the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ionet.agent_api import AgentClient, Phase
from ionet.agent_errors import BadAnswer
from ionet.check.devices import Device, Found
from ionet.check.engines import NumpyEngine
from ionet_launcher import hardware, inspection
from ionet_launcher.look import OPEN_SECS, Look
from ionet_launcher.phases import ClusterPhase, Reason
from ionet_launcher.session_chain import ClusterView
from launcher.check_members import Hardware, Wrong
from launcher.network import NOW, Machine, Network
from launcher.test_check_time import of, until_hurry
from launcher.test_distrust_hardware import calls, detail, machine_passes
from leases import CLUSTER, cluster
from solders.pubkey import Pubkey

from launcher import test_check_time

pytestmark = pytest.mark.matrix

network = test_check_time.network  # a fixture


@of(1)
async def test_a_second_launcher_waits_while_another_checks(network: Network) -> None:
    [machine] = network.machines
    await network.until(lambda _: machine.provider.phase is Phase.UP)
    server = machine.provider.server
    assert server is not None
    async with server._serving:
        await machine_passes(machine, 76)  # a head that is busy is not rejected when time is short either
        seen = await network.until(lambda seen: seen.reason == Reason.HARDWARE_MISMATCH)
        assert "another check of the same member goes on" in seen.detail
        await network.steps(2)
        assert network.rejected == []
    await network.until(lambda _: network.accepted == [0])


@of(3)
async def test_one_that_came_up_while_a_check_goes_on_waits_for_the_next(network: Network) -> None:
    """The first check is not begun again for it, and it is accepted by its own only."""
    late, checking = network.machines[2], network.stepper._hardware
    late.provider.joins = Phase.STARTING
    late.provider.hardware = Hardware(Wrong)
    checking._soon_secs = 0.0
    await network.steps(3)
    await network.passes(until_hurry(2))
    await network.steps(1)
    flight = checking._flights.get(CLUSTER)
    assert flight is not None
    late.provider.phase = Phase.UP
    await network.steps(1)
    assert checking._flights.get(CLUSTER) in (flight, None), "not begun again; None where it was over and is seen"
    await flight.task
    if network.accepted == []:  # it was not over when the step looked
        await network.steps(1)
    assert (network.accepted, network.rejected) == ([0, 1], [])
    await network.until(lambda _: network.rejected == [2])
    assert network.accepted == [0, 1]


@of(1)
async def test_the_check_of_a_cluster_that_is_over_is_ended(network: Network) -> None:
    checking = network.stepper._hardware
    checking._soon_secs = 0.0
    await network.until(lambda _: len(checking._flights) == 1)
    flight = checking._flights.get(CLUSTER)
    assert flight is not None
    network.machines[0].chain.lease = None
    await network.steps(1)
    await asyncio.wait({flight.task}, timeout=60)
    assert (flight.task.cancelled(), len(checking._flights)) == (True, 0)


@of(3)
async def test_what_goes_wrong_in_one_members_check_ends_no_other(
    network: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    inspect, broken = inspection.Inspector.inspect, network.machines[1]

    async def breaks(self: inspection.Inspector, address: str, node: Pubkey, *more: Any, **named: Any) -> Any:
        if node == broken.node:
            raise ZeroDivisionError("bug")
        return await inspect(self, address, node, *more, **named)

    monkeypatch.setattr(inspection.Inspector, "inspect", breaks)
    seen = await network.until(lambda _: network.accepted == [0, 2])
    assert f"node {broken.node}: its check failed: ZeroDivisionError" in seen.detail
    assert "Traceback" in caplog.text
    assert network.rejected == []


@of(2)
@pytest.mark.parametrize("number", [0, 1])
async def test_an_agent_that_answers_with_garbage_is_rejected(
    network: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    lying, report = network.machines[number], AgentClient.report

    async def garbage(client: AgentClient) -> bytes:
        if calls(client, lying):
            raise BadAnswer("an answer of more than 262144 bytes")
        return await report(client)

    monkeypatch.setattr(AgentClient, "report", garbage)
    await network.until(lambda _: network.accepted == [1 - number])
    assert network.rejected == [number]
    assert f"node {lying.node}: an answer of more than 262144 bytes" in detail(caplog)


@of(2)
async def test_a_head_whose_driver_answers_with_garbage_is_rejected(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, run = network.machines[0], AgentClient.run

    async def garbage(client: AgentClient, *more: Any, **named: Any) -> Any:
        if calls(client, head):
            raise BadAnswer("not a runevent")
        async for event in run(client, *more, **named):
            yield event

    monkeypatch.setattr(AgentClient, "run", garbage)
    await network.until(lambda _: network.accepted == [1])
    assert network.rejected == [0]


@contextlib.asynccontextmanager
async def silent(machine: Machine) -> AsyncIterator[None]:
    """It takes the connection of a check and says nothing."""
    provider = machine.provider
    provider.hardware = None

    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(nothing, provider.ip, 0)
    provider.names = f"{provider.ip}:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield
    provider.names = None


@of(3)
async def test_a_worker_that_is_silent_in_the_check_holds_nobody_up_and_is_rejected_once_its_time_is_over(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "CONNECT_SECS", 0.5)
    async with silent(network.machines[1]):
        seen = await network.until(lambda _: network.accepted == [0, 2])
        assert (seen.reason, network.rejected) == (Reason.HARDWARE_MISMATCH, [])
        assert f"node {network.machines[1].node}: it does not answer the check: too slow" in seen.detail
        await network.opened(OPEN_SECS)
        await network.until(lambda _: network.rejected == [1])
    assert network.started() == [1, 1, 1]


@of(2)
async def test_who_was_late_in_a_check_is_asked_again_and_not_started_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that is slow, and has time left."""
    monkeypatch.setattr(inspection, "CONNECT_SECS", 2.0)
    worker = network.machines[1].provider
    worker.names = f"{worker.ip}:1"
    await network.until(lambda _: network.accepted == [0])
    worker.names = None
    await network.until(lambda _: network.accepted == [0, 1])
    assert (network.started(), network.rejected) == ([1, 1], [])


class Sluggish(NumpyEngine):
    """Takes a second for anything."""

    def fill(self, seed: bytes, size: int, rounds: int, key: bytes) -> bytes:
        time.sleep(1)
        return super().fill(seed, size, rounds, key)


@of(1)
async def test_where_ray_took_long_to_start_a_check_may_take_long(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eleven times as long: a task runs on it, and its check ends, after that would be too late elsewhere."""
    monkeypatch.setattr(hardware, "_DRIVER_SECS", 1.0)
    monkeypatch.setattr(inspection, "SESSION_SECS", 1.0)
    [machine] = network.machines
    machine.provider.hardware = Hardware(Sluggish)
    machine.provider.joins = Phase.STARTING
    await network.steps(4)
    await network.opened(110)
    machine.provider.phase = Phase.UP
    seen = await network.until(lambda seen: bool(network.accepted or seen.reason))
    assert (network.accepted, seen.reason) == ([0], Reason.NONE)


@of(2)
@pytest.mark.parametrize(
    ("opened", "secs"), [(5, 75), (60, 37), (75, 37), (119, 37)], ids=["fast", "slow", "slower", "too slow"]
)
def test_a_check_gets_what_is_left_of_the_two_minutes(network: Network, opened: float, secs: float) -> None:
    """Less what the others would need under another head."""
    leases = [lease for machine in network.machines if (lease := machine.lease) is not None]
    view = ClusterView(NOW, cluster(), leases)
    names = [str(lease.address) for lease in leases]
    assert Look(view, leases, {}, dict.fromkeys(names, opened)).check_secs(leases) == secs
    assert Look(view, leases, {}, {names[0]: opened}).check_secs(leases[:1]) == max(35, 110 - opened)


@of(2)
async def test_what_a_member_says_in_the_check_is_one_line_for_log_and_database(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    network.machines[1].provider.hardware = Hardware(found=Found([Device(name="a\0\n\x1b[2J" + "b" * 99)]))
    await network.until(lambda _: network.accepted == [0])
    assert network.rejected == [1]
    assert "other devices than its report: a???[2Jbbb" in detail(caplog)
    assert "\0" not in caplog.text


@of(1)
async def test_a_check_that_takes_longer_than_a_step_goes_on_beside_the_steps(network: Network) -> None:
    network.stepper._hardware._soon_secs = 0.0
    await network.steps(2)
    seen = await network.steps(1)
    assert (seen.phase, network.accepted) == (ClusterPhase.READY, [])
    flights = network.stepper._hardware._flights
    running = flights.get(CLUSTER)
    assert running is not None
    await running.task
    assert not running.task.cancelled()
    await network.steps(1)
    assert network.accepted == [0]
    assert len(flights) == 0

"""Nobody vouches for another: what a hostile member, head or agent says gets itself rejected before a meter runs, and
nobody else. Launcher and agents are real but for Ray and the chain; so are the checks, their TLS and the database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from agent.gpu_hosts import Host
from agent.memory_provider import Printed
from ionet.agent_api import AgentClient
from ionet.agent_errors import NodeIdle
from ionet.agent_ports import host_port
from ionet.check.devices import Device, Found, find
from ionet_agent.report import measure
from ionet_launcher import hardware, inspection
from ionet_launcher.phases import ClusterPhase, Reason
from launcher.check_members import Breaking, Hardware, Lazy, Wrong
from launcher.network import REPORT, Machine, Network
from launcher.test_check_time import is_running, of
from launcher.test_store import insert

from launcher import test_check_time

pytestmark = pytest.mark.matrix

network = test_check_time.network  # a fixture


def detail(caplog: pytest.LogCaptureFixture) -> str:
    """Why nodes were refused, as the log says."""
    return "\n".join(record.getMessage() for record in caplog.records if getattr(record, "action", "") == "rejected")


def calls(client: AgentClient, machine: Machine) -> bool:
    """Whether it is this machine's client."""
    return machine.url in client._urls


async def machine_passes(machine: Machine, secs: float) -> None:
    """Time passes on one machine, and its agent looks."""
    machine.secs += secs
    await machine.agent.tick()


async def findings(network: Network) -> dict[str, dict[str, Any]]:
    rows = await network.pool.fetch("SELECT lease, finding FROM launcher.member WHERE finding IS NOT NULL")
    return {row["lease"]: msgspec.json.decode(row["finding"]) for row in rows}


@of(2)
async def test_honest_members_are_accepted_and_the_finding_says_that_no_time_was_bounded(network: Network) -> None:
    seen = await network.until(is_running)
    assert (network.accepted, network.rejected) == ([0, 1], [])
    assert (seen.phase, seen.reason) == (ClusterPhase.RUNNING, Reason.NONE)
    found = await findings(network)
    assert set(found) == {str(machine.address) for machine in network.machines}
    assert {(item["backend"], item["timed"], len(item["devices"])) for item in found.values()} == {("numpy", False, 2)}


@of(2)
async def test_two_agents_without_ray_are_refused_whatever_their_driver_prints(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    """They say that they are up, and the head's prints what it likes about both; neither can answer the check."""
    for machine in network.machines:
        machine.provider.hardware = None
    network.machines[0].provider.tells = {str(machine.address): "00" * 16 for machine in network.machines}
    await network.until(lambda _: network.rejected == [0, 1])
    assert network.accepted == []
    assert detail(caplog).count("its agent names no address for the check") == 2


@of(2)
async def test_agents_that_answer_the_check_but_run_no_ray_are_not_accepted(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They can compute, and cannot know what a task on them would have been told by a driver that is not theirs."""
    monkeypatch.setattr(hardware, "_DRIVER_SECS", 2.0)
    for machine in network.machines:
        machine.provider.others = ()
    network.machines[0].provider.tells = {str(machine.address): "00" * 16 for machine in network.machines}
    seen = await network.until(lambda seen: seen.reason == Reason.HARDWARE_MISMATCH)
    assert network.accepted == []
    assert "no task ran on it" in seen.detail


@of(3)
async def test_a_head_that_answers_for_its_worker_is_found(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    """A worker without anything behind it passes the check on to the head's: whose certificate gives it away."""
    head, worker, honest = (machine.provider for machine in network.machines)
    worker.hardware = None
    head.tells = {str(network.machines[1].address): "00" * 16}

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert head.check is not None
        ip, port = host_port(head.check)
        there, back = await asyncio.open_connection(ip, port)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await source.read(65536):
                sink.write(part)
                await sink.drain()
        sink.close()

    relay = await asyncio.start_server(pass_on, worker.ip, 0)
    worker.names = f"{worker.ip}:{relay.sockets[0].getsockname()[1]}"
    async with relay:
        seen = await network.until(lambda seen: seen.phase == ClusterPhase.RUNNING and seen.live == 2)
    assert (network.accepted, network.rejected) == ([0, 2], [1])
    assert f"node {network.machines[1].node}: {network.machines[0].node} answers for it" in detail(caplog)
    assert honest.spec is not None
    assert (seen.phase, seen.live) == (ClusterPhase.RUNNING, 2)


@of(3)
@pytest.mark.parametrize(
    ("hardware", "why"),
    [
        (Hardware(Wrong), "the result of device 0 is wrong"),
        (Hardware(Lazy), "had not computed its result"),
        (Hardware(Breaking), "out of memory"),
        (Hardware(most=1), "it shows 1 devices, 2 were booked"),
        (Hardware(found=Found([Device(name="another")])), "other devices than its report"),
        (Hardware(found=Found([], None, "the devices do not answer")), "the devices do not answer"),
    ],
    ids=["wrong result", "lazy", "too little memory", "too few", "another card", "dead cards"],
)
async def test_a_worker_that_fails_its_check_is_rejected_before_its_meter_runs_and_the_others_go_on(
    network: Network, caplog: pytest.LogCaptureFixture, hardware: Hardware, why: str
) -> None:
    network.machines[1].provider.hardware = hardware
    seen = await network.until(lambda seen: is_running(seen) and seen.live == 2)
    assert (network.accepted, network.rejected) == ([0, 2], [1])
    assert why in detail(caplog)
    assert str(network.machines[1].node) in detail(caplog)
    assert (seen.phase, seen.live) == (ClusterPhase.RUNNING, 2)


@of(3)
async def test_with_a_head_that_fails_its_check_the_others_start_under_the_next(network: Network) -> None:
    network.machines[0].provider.hardware = Hardware(Wrong)
    await network.until(lambda _: network.rejected == [0])
    assert network.accepted == []
    await network.until(lambda seen: is_running(seen) and seen.live == 2)
    assert (network.accepted, network.rejected) == ([1, 2], [0])


@of(3)
async def test_what_the_head_says_of_a_worker_gets_the_worker_started_again_and_not_rejected(network: Network) -> None:
    network.machines[0].provider.denies = {str(network.machines[1].address)}
    seen = await network.until(lambda seen: seen.reason == Reason.HARDWARE_MISMATCH)
    assert f"node {network.machines[1].node}: no task ran on it" in seen.detail
    await network.until(lambda _: network.started() == [1, 2, 1])
    assert (network.accepted, network.rejected) == ([], [])
    await network.passes(76)
    await network.until(lambda _: network.accepted == [0, 2])
    assert network.rejected == [], "in time, without the one in dispute"


@of(2)
async def test_a_head_whose_driver_shows_nothing_is_rejected_when_time_is_short(network: Network) -> None:
    network.machines[0].provider.others = ()
    await network.until(lambda seen: seen.reason == Reason.HARDWARE_MISMATCH)
    assert (network.accepted, network.rejected) == ([], [])
    await machine_passes(network.machines[0], 76)
    await network.until(lambda _: network.rejected == [0])
    await network.until(lambda _: network.accepted == [1])


@of(3)
@pytest.mark.parametrize("printed", [None, b"garbage", b"ionet-joined:[]"], ids=["refused", "garbage", "nonsense"])
async def test_a_head_on_which_no_driver_answers_holds_nobody_up(
    network: Network, monkeypatch: pytest.MonkeyPatch, printed: bytes | None
) -> None:
    """A worker that fails its check is rejected all the same, no other is started again, and in time the head goes."""
    head, wrong, _ = network.machines
    wrong.provider.hardware = Hardware(Wrong)

    async def run_driver(_script: bytes) -> Printed:
        if printed is None:
            raise NodeIdle
        return Printed(printed)

    monkeypatch.setattr(head.provider, "run_driver", run_driver)
    await network.until(lambda seen: network.rejected == [1] and seen.reason == Reason.HARDWARE_MISMATCH)
    assert (network.accepted, network.started()) == ([], [1, 1, 1])
    await machine_passes(head, 76)
    await network.until(lambda _: network.accepted == [2])
    assert network.rejected == [1, 0]


@of(2)
async def test_a_node_with_another_report_than_the_chain_has_is_rejected(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    lying = network.machines[1]
    await network.pool.execute("UPDATE leases SET report_hash = $2 WHERE lease = $1", str(lying.address), "ab" * 32)
    await network.until(lambda _: network.accepted == [0])
    assert network.rejected == [1]
    assert "its report is not the one whose hash is on the chain" in detail(caplog)


@of(2)
async def test_an_agent_that_never_sends_its_report_holds_nobody_up(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_REPORT_SECS", 2.0)
    silent, report = network.machines[1], AgentClient.report

    async def hangs(client: AgentClient) -> bytes:
        if calls(client, silent):
            await asyncio.Event().wait()
        return await report(client)

    monkeypatch.setattr(AgentClient, "report", hangs)
    seen = await network.until(lambda _: network.accepted == [0])
    assert f"node {silent.node}: the node's agent does not answer: no report within 2 s" in seen.detail
    assert network.rejected == []


@of(1)
async def test_a_readiness_that_is_not_indexed_yet_is_waited_for(network: Network) -> None:
    await network.pool.execute("UPDATE leases SET report_hash = NULL")
    await network.until(lambda seen: seen.reason == Reason.INDEXER_BEHIND)
    assert (network.accepted, network.rejected) == ([], [])
    report = REPORT.hash().hex()
    await network.pool.execute("UPDATE leases SET report_hash = $1", report)
    await network.until(lambda _: network.accepted == [0])


@of(1)
async def test_with_devices_a_node_whose_system_shows_none_is_rejected(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    network.stepper._hardware._devices = True
    await network.until(lambda _: network.rejected == [0])
    assert "its system shows 0 devices, 2 were booked" in detail(caplog)


H100, INSTANCE = "NVIDIA H100 80GB HBM3", "MIG-00000000-0000-0000-0000-00000000000"
CARD = f"0, {H100}, GPU-1, 81559, 5, 16, 550.90.07\n"
LISTED = f"GPU 0: {H100} (UUID: GPU-1)\n"
SPLIT = LISTED + "".join(f"  MIG 3g.40gb     Device  {number}: (UUID: {INSTANCE}{number})\n" for number in range(2))
LOST = "Unable to determine the device handle for GPU0000:B3:00.0: Unknown Error\n"


def wsl2(host: Host) -> Host:
    return host.smi(CARD + CARD.replace("GPU-1", "GPU-2"))


def slices(host: Host) -> Host:
    return host.proc([(H100, "GPU-1")]).smi(CARD, SPLIT)


def one_card(host: Host) -> Host:
    return host.proc([(H100, "GPU-1")]).smi(CARD, LISTED)


def fell_off(host: Host) -> Host:
    return host.proc([(H100, f"GPU-{number}") for number in range(8)]).smi(LOST, code=15)


@of(1)
@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (wsl2, None),
        (slices, None),
        (one_card, "its system shows 1 devices, 2 were booked"),
        (fell_off, "the devices do not answer: nvidia-smi ended with 15"),
    ],
)
async def test_with_devices_what_counts_is_what_the_host_shows(
    network: Network,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    shown: Callable[[Host], Host],
    why: str | None,
) -> None:
    """Two processors, on hosts without /proc/driver/nvidia, with a split card, with one, and with dead ones."""
    [machine] = network.machines
    network.stepper._hardware._devices = True
    host = shown(Host(tmp_path / "host"))
    report = measure(host.root, host.path)
    machine.api._report = report
    machine.provider.hardware = Hardware(found=find(host.root, host.path))
    await network.pool.execute("UPDATE leases SET report_hash = $1", report.hash().hex())
    await network.until(lambda _: bool(network.accepted or network.rejected))
    assert (network.accepted, network.rejected) == (([0], []) if why is None else ([], [0]))
    assert why is None or why in detail(caplog)


@of(2)
async def test_the_time_of_a_check_is_bounded_by_the_model_of_the_node(
    network: Network, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's model is said to do 10¹⁸ multiplications a second; the head's has no reference."""
    monkeypatch.setattr(inspection, "_SLACK_SECS", 0.0)
    monkeypatch.setattr(inspection, "_MOST_ROUNDS", 2)
    await model(network, network.machines[1], 10**18)
    await network.until(lambda _: network.accepted == [0])
    assert network.rejected == [1]
    assert "its devices took" in detail(caplog)


async def model(network: Network, machine: Machine, throughput: int) -> None:
    """The indexer's rows of a node and its model."""
    await insert(network.pool, "nodes", {"node": str(machine.node), "model": 7})
    await insert(network.pool, "models", {"code": 7, "throughput": throughput})

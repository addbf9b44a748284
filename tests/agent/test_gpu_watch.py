"""A GPU or its driver disappears while a lease runs: the agent notices, says so, and signs nothing for that time.

`nvidia-smi` is a program on PATH that says what the real one says then; /proc is as driver 550 writes it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from agent.gpu_hosts import Host
from agent.memory_chain import MemoryChain
from agent.memory_provider import MemoryProvider
from agent.test_report import H100, UUIDS, row
from ionet.agent_api import AgentClient, Phase, Role, Spec
from ionet.agent_tls import serving_context
from ionet.check import devices
from ionet.generated.enums import LeaseStatus
from ionet_agent.alarms import Alarms
from ionet_agent.auth import Gate
from ionet_agent.gpu_watch import GpuWatch, read
from ionet_agent.journal import Journal
from ionet_agent.loop import Loop
from ionet_agent.opening import Opening
from ionet_agent.proving import Proving
from ionet_agent.report import measure
from ionet_agent.serve import serving
from ionet_agent.server import Api
from leases import DEVICE, SESSION, lease_view

START = 2_000


def cards(host: Host, *numbers: int) -> None:
    host.smi(
        "".join(row(number, H100, UUIDS[number], 81559) for number in numbers),
        "".join(f"GPU {number}: {H100} (UUID: {UUIDS[number]})\n" for number in numbers),
    )


class Machine:
    """A node of two GPUs with a lease whose meter runs, and what its agent has of it."""

    def __init__(self, folder: Path) -> None:
        self.host, self.now, self.alarms = Host(folder / "host"), START - 1, Alarms()
        self.host.proc([(H100, UUIDS[0]), (H100, UUIDS[1]), (H100, UUIDS[2])])
        cards(self.host, 0, 1, 2)
        lease = lease_view(status=LeaseStatus.ACTIVE, started_at=START, ends_at=START + 40)
        self.chain, self.provider = MemoryChain(lease, lambda: self.now), MemoryProvider()
        self.provider.spec = Spec(str(lease.address), "c", Role.HEAD, "127.0.1.1:7", 2, "t", "c", "c", "k")
        self.provider.phase, self.provider.started = Phase.UP, 1
        self.folder, self.journal = folder, Journal(folder / "journal")
        self.gpus = partial(read, folder / "gpus.json")
        for interval in range(4):
            self.journal.put_challenge(str(lease.address), interval, bytes(64))
        self.start()

    def start(self) -> None:
        """An agent starts, also one after another."""
        find = partial(devices.find, self.host.root, self.host.path)
        self.watch = GpuWatch(self.folder / "gpus.json", self.alarms, find, lambda: self.now)
        self.watch.begin(serving=self.provider.spec is not None)
        self.proving = Proving(
            self.chain, self.journal, self.provider, self.folder, clock=lambda: self.now, gpus=self.gpus
        )
        self.agent = Loop(
            self.chain, self.journal, self.provider, Opening(self.journal), report_hash=bytes(32), gpus=self.gpus
        )

    async def until(self, last: int) -> None:
        while self.now < START + last:
            self.now += 1
            await self.proving.tick()
            await self.agent.tick()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    with contextlib.closing(made.journal):
        yield made


def falls_off_the_bus(host: Host) -> None:
    cards(host, 0, 2)


def handle_is_lost(host: Host) -> None:
    host.smi("Unable to determine the device handle for GPU0000:17:00.0: Unknown Error\n")


def driver_is_unloaded(host: Host) -> None:
    said = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    host.smi(said, code=9)
    shutil.rmtree(host.root / "proc/driver")


def everything_is_gone(host: Host) -> None:
    (host.root / "bin/nvidia-smi").unlink()
    shutil.rmtree(host.root / "proc/driver")


def no_card_is_found(host: Host) -> None:
    host.smi("No devices were found\n", code=6)


LOSSES = [falls_off_the_bus, handle_is_lost, driver_is_unloaded, everything_is_gone, no_card_is_found]


@pytest.mark.parametrize("loses", LOSSES)
async def test_what_is_not_served_is_not_signed(machine: Machine, loses: Callable[[Host], None]) -> None:
    await machine.until(12)
    machine.host.root.joinpath("kept").mkdir()
    shutil.copytree(machine.host.root / "proc", machine.host.root / "kept/proc")
    loses(machine.host)
    machine.watch.look()
    assert machine.alarms.texts()[0].startswith("GPUs: "), "it says so"
    await machine.until(14)
    machine.start()  # an agent that starts again takes what is left not for what there was
    await machine.until(17)
    shutil.copytree(machine.host.root / "kept/proc", machine.host.root / "proc", dirs_exist_ok=True)
    cards(machine.host, 0, 1, 2)
    machine.watch.look()
    assert machine.alarms.texts() == ()
    machine.start()
    await machine.until(45)
    # All but the seconds from the last moment at which they were there to the first at which they were again.
    assert machine.chain.served == {0: 10, 1: 2 + 2, 2: 10, 3: 10}


async def test_a_gpu_that_stays_away_ends_what_is_signed(machine: Machine) -> None:
    await machine.until(12)
    falls_off_the_bus(machine.host)
    machine.watch.look()
    await machine.until(45)
    assert machine.chain.served == {0: 10, 1: 2}


async def test_a_gpu_that_is_not_the_leases_is_only_an_alarm(machine: Machine) -> None:
    await machine.until(12)
    cards(machine.host, 0, 1)
    machine.watch.look()
    assert machine.alarms.texts() == (f"GPUs: {H100} ({UUIDS[2]}) is gone",)
    await machine.until(45)
    assert machine.chain.served == {0: 10, 1: 10, 2: 10, 3: 10}


async def test_a_machine_that_is_too_busy_to_say_is_only_an_alarm(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renter's code could keep it so, and have the node slashed."""
    monkeypatch.setattr(devices, "_SECS", 0.2)
    await machine.until(12)
    script = machine.host.root / "bin/nvidia-smi"
    script.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    machine.watch.look()
    assert "does not answer" in machine.alarms.texts()[0]
    await machine.until(45)
    assert machine.chain.served == {0: 10, 1: 10, 2: 10, 3: 10}


async def test_its_status_says_so(machine: Machine) -> None:
    api = Api(
        Gate(machine.agent.view),
        machine.journal,
        Opening(machine.journal),
        machine.provider,
        measure(),
        machine.alarms,
        gpus=machine.gpus,
    )
    async with (
        serving(api.app(), "127.0.0.1", 0, serving_context(DEVICE)) as port,
        AgentClient(f"https://127.0.0.1:{port}", DEVICE.pubkey(), SESSION) as client,
    ):
        assert (await client.status()).phase is Phase.UP
        falls_off_the_bus(machine.host)
        machine.watch.look()
        status = await client.status()
        gone = f"{H100} ({UUIDS[1]}) is gone"
        assert (status.phase, status.reason, status.alarms) == (Phase.FAILED, gone, [f"GPUs: {gone}"])
        cards(machine.host, 0, 1, 2)
        machine.watch.look()
        assert (await client.status()).phase is Phase.UP


async def test_a_node_without_its_gpus_does_not_say_that_it_is_ready(machine: Machine) -> None:
    machine.provider.spec, machine.provider.phase = None, Phase.IDLE
    falls_off_the_bus(machine.host)
    machine.watch.look()
    machine.chain.lease = lease_view(booked_at=START)
    await machine.until(3)
    assert machine.chain.ready == []
    cards(machine.host, 0, 1, 2)
    machine.watch.look()
    await machine.until(4)
    assert machine.chain.ready == [bytes(32)]


def test_a_card_that_its_owner_took_out_between_leases_is_not_expected(machine: Machine) -> None:
    machine.provider.spec = None
    cards(machine.host, 0, 2)
    machine.start()
    assert machine.alarms.texts() == ()
    handle_is_lost(machine.host)
    machine.start()
    assert "Unable to determine" in machine.alarms.texts()[0], "but one that fails is"

"""The check of one member over TLS: an honest one passes, each lie is found. All is real but for their hardware."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ionet.agent_ports import host_port
from ionet.check import kernel, wire
from ionet.check.devices import Device, Found
from ionet.check.engines import Engine, NumpyEngine
from ionet.check.member import hire
from ionet_launcher import inspection
from ionet_launcher.certs import ClusterSecrets
from ionet_launcher.inspection import Finding, Inspector, Plan, TooLate, Unfit, plan
from launcher.check_members import Breaking, Card, Hardware, Lazy, Short, Wrong, member
from launcher.ports import free_range
from solders.pubkey import Pubkey

CLUSTER = bytes([5] * 32)
SECRETS = ClusterSecrets(bytes(32), CLUSTER)
NODE, OTHER = Pubkey(bytes([7] * 32)), Pubkey(bytes([8] * 32))
CARD = Device(name="card", uuid="GPU-1", memory_bytes=2**20)


@contextlib.asynccontextmanager
async def running(
    folder: Path, hardware: Hardware | None = None, *, name: str = str(NODE), owner: ClusterSecrets = SECRETS
) -> AsyncIterator[str]:
    certificate, key = owner.issue(name, "127.0.0.1")
    async with member(certificate, key, owner.ca_pem(), hardware or Hardware(), folder / "witness") as (address, _):
        yield address


async def inspect(
    address: str, *, processors: int = 2, throughput: int = 0, reported: list[Device] | None = None
) -> Finding:
    return await ask(Inspector(SECRETS, asyncio.Semaphore(1)), address, processors, throughput, reported or [])


async def ask(
    inspector: Inspector,
    address: str,
    processors: int = 2,
    throughput: int = 0,
    reported: list[Device] | None = None,
    *,
    patience: float = 1,
) -> Finding:
    return await inspector.inspect(
        address,
        NODE,
        processors,
        witness="ab",
        throughput=throughput,
        reported=reported or [],
        patience=patience,
    )


async def test_an_honest_member_passes_and_is_told_the_witness(tmp_path: Path) -> None:
    async with running(tmp_path) as address:
        found = await inspect(address)
    assert (found.backend, len(found.devices), found.timed) == ("numpy", 2, False)
    assert "no time bound" in found.text()
    assert (tmp_path / "witness").read_text() == "ab"
    assert (tmp_path / "witness").stat().st_mode & 0o777 == 0o600


async def test_with_a_reference_throughput_an_honest_member_is_in_time(tmp_path: Path) -> None:
    async with running(tmp_path) as address:
        found = await inspect(address, throughput=10**6)
    assert found.timed
    assert "in time" in found.text()


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        (Wrong, "the result of device 0 is wrong"),
        (Lazy, "device 0 had not computed its result before it was asked for it"),
        (Short, "65535 bytes came, 65536 were expected"),
        (Breaking, "MemoryError: out of memory"),
    ],
)
async def test_a_lie_about_a_result_is_found(tmp_path: Path, engine: Callable[[], Engine], why: str) -> None:
    async with running(tmp_path, Hardware(engine)) as address:
        with pytest.raises(Unfit, match=why):
            await inspect(address)


async def test_only_the_result_of_one_device_has_to_be_wrong(tmp_path: Path) -> None:
    engines = iter([NumpyEngine(), NumpyEngine(), Wrong()])
    async with running(tmp_path, Hardware(lambda: next(engines))) as address:
        with pytest.raises(Unfit, match="the result of device 2 is wrong"):
            await inspect(address, processors=3)


async def test_too_few_devices_are_found(tmp_path: Path) -> None:
    async with running(tmp_path, Hardware(most=1)) as address:
        with pytest.raises(Unfit, match="it shows 1 devices, 2 were booked"):
            await inspect(address)


async def test_other_devices_than_reported_are_found(tmp_path: Path) -> None:
    async with running(tmp_path, Hardware(found=Found([CARD]))) as address:
        await inspect(address, reported=[CARD])
        with pytest.raises(Unfit, match="other devices than its report: GPU-1, not none"):
            await inspect(address)


async def test_devices_that_do_not_answer_are_found(tmp_path: Path) -> None:
    async with running(tmp_path, Hardware(found=Found([], None, "the devices do not answer"))) as address:
        with pytest.raises(Unfit, match="the devices do not answer"):
            await inspect(address)


async def test_a_machine_that_is_too_busy_to_show_its_devices_is_late(tmp_path: Path) -> None:
    found = Found([], None, "nvidia-smi does not answer within 20 s", late=True)
    async with running(tmp_path, Hardware(found=found)) as address:
        with pytest.raises(TooLate, match="does not answer within 20 s"):
            await inspect(address)


async def test_less_memory_than_reported_is_found(tmp_path: Path) -> None:
    hardware = Hardware(lambda: Card(2**19), backend="torch", found=Found([CARD]))
    async with running(tmp_path, hardware) as address:
        with pytest.raises(Unfit, match="has 524288 bytes, 1048576 were reported"):
            await inspect(address, processors=1, reported=[CARD])


class Slow(NumpyEngine):
    """Computes again what it did not keep, and takes a second for it. asked: how often it was to."""

    asked: ClassVar[list[bytes]] = []

    def again(self, key: bytes) -> bytes:
        self.asked.append(key)
        time.sleep(1)
        return super().again(key)


async def test_a_device_that_is_too_slow_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A throughput so high that the work should take no time at all. Nothing more is asked of it."""
    Slow.asked.clear()
    monkeypatch.setattr(inspection, "_SLACK_SECS", 0.5)
    monkeypatch.setattr(inspection, "plan", lambda *_: Plan(64, 2))
    async with running(tmp_path, Hardware(Slow)) as address:
        with pytest.raises(Unfit, match=r"its devices took [0-9.]+ s for what takes 0.0 s"):
            await inspect(address, throughput=10**12)
        assert len(set(Slow.asked)) == 1
        await inspect(address)  # without a reference no time is too long


@pytest.mark.parametrize(
    ("fill_secs", "read_secs", "why"),
    [
        (11.9, 7.9, None),
        (12.1, 0.1, "its devices took 12.1 s for what takes 10.0 s"),
        (5.0, 8.1, "it took 8.1 s to read 2000000 bytes a device 4 times: they were not kept"),
    ],
)
def test_time_is_measured_by_the_reference_with_a_little_slack(
    fill_secs: float, read_secs: float, why: str | None
) -> None:
    """2·10⁹ multiplications of which 2·10⁸ / 0.85 a second are expected: 10 s; 1.5 s for each reading back."""
    asked = Plan(1000, 2, 4)
    throughput = round(2 * 10**8 / 0.85)
    if why is None:
        inspection._require_time(asked, throughput, fill_secs, read_secs)
    else:
        with pytest.raises(Unfit, match=why):
            inspection._require_time(asked, throughput, fill_secs, read_secs)
    inspection._require_time(asked, 0, 10**6, 10**6)


async def test_nobody_else_can_answer_for_a_member(tmp_path: Path) -> None:
    """The head has a certificate of the same cluster, and it is not this one."""
    async with running(tmp_path, name=str(OTHER)) as address:
        with pytest.raises(Unfit, match=f"{OTHER} answers for it"):
            await inspect(address)


async def test_a_certificate_of_another_cluster_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, owner=ClusterSecrets(bytes(32), bytes(32))) as address:
        with pytest.raises(Unfit, match="no certificate of its cluster"):
            await inspect(address)


async def test_a_member_answers_the_launcher_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another member of the cluster has a certificate too, and is not listened to."""
    monkeypatch.setattr(wire, "LAUNCHER", str(OTHER))
    caller = Inspector(SECRETS, asyncio.Semaphore(1))
    monkeypatch.undo()
    async with running(tmp_path) as address:
        with pytest.raises(Unfit, match="broke off"):
            await ask(caller, address)
        assert not (tmp_path / "witness").exists()
        await inspect(address)


async def test_a_stranger_who_shows_no_certificate_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ionet.check.member._HANDSHAKE_SECS", 0.3)
    async with running(tmp_path) as address:
        reader, writer = await asyncio.open_connection(*host_port(address))
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


async def test_a_member_that_never_listens_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "CONNECT_SECS", 0.5)
    [port] = free_range(1)
    with pytest.raises(TooLate, match="it does not answer the check"):
        await inspect(f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x", "::1:80"])
async def test_an_address_that_is_none_is_unfit(address: str) -> None:
    with pytest.raises(Unfit, match="is not host:port"):
        await inspect(address)


@pytest.mark.parametrize(("answer", "says"), [("garbage", Unfit), ("endless", Unfit), ("silence", TooLate)])
async def test_a_member_that_does_not_speak_the_protocol_takes_no_time_and_no_memory(
    monkeypatch: pytest.MonkeyPatch, answer: str, says: type[wire.CheckFailed]
) -> None:
    monkeypatch.setattr(inspection, "CONNECT_SECS", 0.5)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while answer != "silence":
                writer.write(b"HTTP/1.1 200 OK\r\n" * 100)
                await writer.drain()
                if answer == "garbage":
                    break
            while await reader.read(1024):
                pass
        writer.close()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    begun = time.monotonic()
    with pytest.raises(says):
        await inspect(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert time.monotonic() - begun < 10
    server.close()
    await ended.wait()


async def test_a_check_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "SESSION_SECS", 0.5)
    async with running(tmp_path, Hardware(Slow)) as address:
        with pytest.raises(TooLate, match=r"no end within 0\.5 s"):
            await inspect(address)
    async with running(tmp_path, Hardware(Slow)) as address:
        patient = Inspector(SECRETS, asyncio.Semaphore(1))
        assert await ask(patient, address, patience=120), "where its machine is as slow as that"


async def test_the_processes_of_a_machine_without_gpus_answer_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker as it is started on a machine, over its pipes."""
    monkeypatch.setenv("PATH", str(tmp_path))
    hardware: Any = Hardware()
    hardware.hire = hire
    async with running(tmp_path, hardware) as address:
        found = await inspect(address, processors=3)
    assert len(found.devices) == 3


def test_gpus_fill_four_fifths_of_their_memory() -> None:
    card = Device(name="card", memory_bytes=80 * 2**30)
    asked = plan(wire.Shown("torch", [card] * 8), 10**14)
    assert 0.79 < asked.kept_bytes / (80 * 2**30) <= 0.8
    assert asked.size <= kernel.MAX_SIZE


def test_without_a_reference_the_work_is_small_and_with_one_takes_two_seconds_of_it() -> None:
    shown = wire.Shown("numpy", [Device(name="cpu")])
    assert plan(shown, 0).work < 10**8
    assert 1.5 < plan(shown, 10**10).work / 10**10 <= 2
    assert plan(shown, 10**14).work > 10**13, "no CPU does a GPU's work in time"

"""Results of tasks reach the agent over a socket that the renter's code cannot turn against it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from agent.small_disk import fill, small_disk
from ionet import ray as ionet_ray
from ionet.rules.merkle import result_hash
from ionet_agent import results, spool
from ionet_agent.journal import Leaf
from ionet_agent.results import Results

TASK = bytes([7]) * 32


class Member:
    """The agent's side of one member; `record` is what a task does."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.spool = folder / "lease", folder / "spool"
        self.folder.mkdir()
        self.results = Results()

    async def record(self, result: bytes) -> bytes:
        return await asyncio.to_thread(ionet_ray.record, result, TASK)

    async def record_many(self, count: int) -> None:
        for number in range(count):
            await self.record(b"%d" % number)

    def hashes(self) -> list[Leaf]:
        return spool.read(self.spool, 0, time.time_ns() + 1)[0]


@pytest_asyncio.fixture
async def member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Member]:
    made = Member(tmp_path)
    monkeypatch.setenv(ionet_ray.RESULTS_VARIABLE, str(made.folder / results.NAME))
    await made.results.open(made.folder, made.spool)
    yield made
    await made.results.close()


async def test_a_recorded_result_is_in_the_spool_when_the_task_goes_on(member: Member) -> None:
    assert await member.record(b"first") == result_hash(b"first")
    assert member.hashes() == [Leaf(TASK, result_hash(b"first"))]
    await asyncio.gather(*(member.record(b"%d" % i) for i in range(20)))
    assert len(member.hashes()) == 21


async def test_a_task_waits_for_an_agent_that_is_started_again(member: Member) -> None:
    await member.results.close()
    waiting = asyncio.create_task(member.record(b"first"))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    again = Results()
    await again.open(member.folder, member.spool)
    await waiting
    assert len(member.hashes()) == 1
    await again.close()


async def test_an_agent_that_does_not_come_back_is_an_error(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    await member.results.close()
    monkeypatch.setattr(ionet_ray, "PATIENCE_SECS", 0.3)
    with pytest.raises(ionet_ray.ResultRefused, match="not answered"):
        await member.record(b"first")


@pytest.mark.parametrize("line", [b"nonsense\n", b'{"task":"00","sha256":"11"}\n', b"\n"])
async def test_what_is_not_a_result_is_refused(member: Member, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(member.folder / results.NAME))
    writer.write(line)
    assert await reader.read(1) == ionet_ray.REFUSED
    writer.close()
    assert not member.spool.exists()


async def test_connections_without_end_keep_no_result_out(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held open, or filled with a line that never ends."""
    monkeypatch.setattr(results, "LINE_SECS", 1.0)
    path, held = str(member.folder / results.NAME), []
    with contextlib.ExitStack() as stack:
        for number in range(3 * results.MAX_CONNECTIONS):
            held.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
            held[-1].setblocking(False)
            while True:
                try:
                    held[-1].connect(path)
                    break
                except BlockingIOError:  # more at once than the system keeps waiting
                    await asyncio.sleep(0)
            if number % 2:
                held[-1].send(b"x" * 100_000)
        await member.record(b"first")
        assert len(member.hashes()) == 1
        async with asyncio.timeout(20):
            for each in held:
                each.setblocking(False)
                with contextlib.suppress(ConnectionError):
                    while await asyncio.get_running_loop().sock_recv(each, 1):
                        pass


async def test_a_link_in_place_of_the_folder_or_the_socket_is_not_followed(member: Member, tmp_path: Path) -> None:
    await member.results.close()
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "secret").write_bytes(b"secret")
    path = member.folder / results.NAME
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "owner" / "secret")
    await member.results.open(member.folder, member.spool)
    assert (tmp_path / "owner" / "secret").read_bytes() == b"secret"
    await member.record(b"first")
    await member.results.close()
    member.folder.rename(tmp_path / "aside")
    member.folder.symlink_to(tmp_path / "owner")
    with pytest.raises(OSError, match="lease"):
        await member.results.open(member.folder, member.spool)
    assert os.listdir(tmp_path / "owner") == ["secret"]


async def test_a_full_disk_refuses_results_and_leaves_no_half_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", 1) as folder:
        made = Member(tmp_path)
        made.spool = folder / "spool"
        monkeypatch.setenv(ionet_ray.RESULTS_VARIABLE, str(made.folder / results.NAME))
        await made.results.open(made.folder, made.spool)
        await made.record(b"first")
        filling = fill(folder)
        with pytest.raises(ionet_ray.ResultRefused, match="full"):
            await made.record_many(100)  # the file's last block may have room left
        filling.unlink()
        before = len(made.hashes())
        await made.record(b"last")
        assert made.hashes()[before:] == [Leaf(TASK, result_hash(b"last"))]
        await made.results.close()

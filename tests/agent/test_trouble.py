"""A full disk, a database that cannot be used, RPC nodes that fail: the agent goes on proving, and says so."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from agent.memory_chain import MemoryChain
from agent.memory_provider import MemoryProvider
from agent.small_disk import fill, small_disk
from ionet.agent_api import AgentClient, Challenge, Phase, Role, Spec
from ionet.agent_errors import StorageFailed
from ionet.agent_tls import serving_context
from ionet.client import Client
from ionet.errors import IonetError, RpcError, RpcUnreachable
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView, NodeView
from ionet.rules.challenges import sign_challenge
from ionet_agent import spool
from ionet_agent.alarms import Alarms
from ionet_agent.auth import Gate
from ionet_agent.journal import RESERVE_BYTES, Journal
from ionet_agent.loop import Loop
from ionet_agent.node_chain import Signed
from ionet_agent.opening import Opening
from ionet_agent.proving import Proving
from ionet_agent.report import measure
from ionet_agent.rpc_node_chain import RpcNodeChain
from ionet_agent.serve import serving
from ionet_agent.server import Api
from ionet_agent.spread_chain import SpreadChain
from leases import DEVICE, LEASE, SESSION, lease_view

START = 2_000


class Bench:
    """The proving side of an agent whose member is up and whose clock the test moves."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, START - 1
        lease = lease_view(status=LeaseStatus.ACTIVE, started_at=START, ends_at=START + 40)
        self.name, self.chain, self.provider = (
            str(lease.address),
            MemoryChain(lease, lambda: self.now),
            MemoryProvider(),
        )
        self.provider.spec = Spec(self.name, "c", Role.HEAD, "a", 2, "t", "c", "c", "k")
        self.provider.phase = Phase.UP
        self.open()
        for interval in range(4):
            self.journal.put_challenge(self.name, interval, bytes(64))

    def open(self) -> None:
        self.journal = Journal(self.folder / "journal")
        self.proving = Proving(
            self.chain, self.journal, self.provider, self.folder, clock=lambda: self.now, forget_secs=0
        )

    async def until(self, last: int) -> None:
        while self.now < last:
            self.now += 1
            await self.proving.tick()

    def alarms(self) -> str:
        return "\n".join(self.proving.alarms.texts())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.journal.close()


async def test_a_full_disk_stops_no_proof_also_not_after_a_restart(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as folder:
        bench = Bench(folder)
        await bench.until(START + 3)
        filling = fill(folder)
        await bench.until(START + 12)
        bench.journal.close()
        bench.open()  # killed and started again while the disk is full
        spool_file = folder / bench.name
        with pytest.raises(OSError, match="No space"):
            spool_file.write_bytes(bytes(65536))
        await bench.until(START + 25)
        assert bench.alarms() == "disk: it is full; proofs go on with what was set aside"
        filling.unlink()
        await bench.until(START + 45)
        bench.journal.close()
    assert bench.chain.served == {0: 10, 1: 10, 2: 10, 3: 10}


async def test_what_was_set_aside_is_not_for_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renter who fills the disk and records results as fast as they can uses up no room that proofs need."""
    read: list[object] = []

    def reads(*where: object) -> tuple[list[object], int]:
        read.append(where)
        return [], 0

    monkeypatch.setattr(spool, "read", reads)
    with small_disk(tmp_path / "disk", 16) as folder:
        bench = Bench(folder)
        await bench.until(START + 1)
        filling = fill(folder)
        bench.journal._db.execute("create table other (data blob)")
        bench.journal._db.execute("insert into other values (zeroblob(?))", (RESERVE_BYTES * 3 // 4,))
        bench.proving._reserve_at = 0.0
        await bench.until(START + 12)
        assert "disk: it is full" in bench.alarms()
        assert read == []
        filling.unlink()
        await bench.until(START + 45)
        assert read != []
        bench.journal.close()
    assert bench.chain.served == {0: 10, 1: 10, 2: 10, 3: 10}


async def test_a_database_that_is_locked_is_an_alarm_and_tried_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.until(START + 3)
    bench.journal._db.execute("pragma busy_timeout = 20")
    other = sqlite3.connect(bench.folder / "journal", isolation_level=None)
    other.execute("begin exclusive")
    await bench.until(START + 7)
    assert "database: database is locked" in bench.alarms()
    other.rollback()
    other.close()
    await bench.until(START + 45)
    assert bench.chain.served == {0: 10, 1: 10, 2: 10, 3: 10}
    assert bench.alarms() == ""
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "alarm: database: database is locked" in said
    assert "alarm over: database" in said


@pytest.mark.parametrize("error", [OSError("broken"), ZeroDivisionError("broken")])
async def test_an_error_with_one_thing_keeps_no_other_from_being_done(bench: Bench, error: Exception) -> None:
    real = bench.proving._defender.step

    async def fails(_lease: LeaseView) -> None:
        raise error

    bench.proving._defender.step = fails  # type: ignore[assignment, method-assign]
    await bench.until(START + 20)
    assert f"defence of {bench.name}: broken" in bench.alarms()
    bench.proving._defender.step = real  # type: ignore[method-assign]
    await bench.until(START + 45)
    assert bench.chain.served == {0: 10, 1: 10, 2: 10, 3: 10}


@pytest.mark.parametrize("error", [RpcUnreachable("down"), OSError("no files"), sqlite3.OperationalError("disk I/O")])
async def test_the_machine_side_outlives_every_trouble(tmp_path: Path, error: Exception) -> None:
    chain, provider = MemoryChain(lease_view(), lambda: START), MemoryProvider()
    real = chain.view

    async def fails(_others: Sequence[str] = ()) -> NodeView:
        raise error

    with contextlib.closing(Journal(tmp_path / "journal")) as journal:
        loop = Loop(chain, journal, provider, Opening(journal), report_hash=bytes(32), poll_secs=0.01)
        chain.view = fails  # type: ignore[assignment, method-assign]
        stopping = asyncio.Event()
        running = asyncio.create_task(loop.run(stopping))
        while not loop.alarms.texts():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)
        chain.view = real  # type: ignore[method-assign]
        while loop.alarms.texts() or not chain.ready:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)
        stopping.set()
        await running


async def test_a_request_that_cannot_be_stored_is_refused_with_the_reason(tmp_path: Path) -> None:
    now = int(time.time())
    chain = MemoryChain(lease_view(status=LeaseStatus.ACTIVE, started_at=now, ends_at=now + 20), lambda: now)
    journal, provider = Journal(tmp_path / "journal"), MemoryProvider()
    opening = Opening(journal)
    loop = Loop(chain, journal, provider, opening, report_hash=bytes(32))
    app = Api(Gate(loop.view), journal, opening, provider, measure()).app()
    challenge = Challenge(str(LEASE), 0, sign_challenge(SESSION, LEASE, 0).hex())
    journal._db.execute("pragma query_only = on")
    async with (
        serving(app, "127.0.0.1", 0, serving_context(DEVICE)) as port,
        AgentClient(f"https://127.0.0.1:{port}", DEVICE.pubkey(), SESSION) as client,
    ):
        with pytest.raises(StorageFailed, match="readonly"):
            await client.challenge(challenge)
        journal._db.execute("pragma query_only = off")
        await client.challenge(challenge)
    journal.close()


class Rpcs:
    """Two RPC nodes, and a clock that the test moves."""

    def __init__(self) -> None:
        self.secs, self.alarms = 0.0, Alarms()
        self.slots = {"a": 1, "b": 1}
        self.fails: dict[str, IonetError] = {}
        self.asked: list[str] = []
        chains = {name: MemoryChain(lease_view(), lambda: START) for name in self.slots}
        for name, chain in chains.items():
            chain.view = self._view(name)  # type: ignore[method-assign]
            chain.send = self._send(name)  # type: ignore[method-assign]
        self.spread = SpreadChain(chains, self.alarms, view_secs=0.2, clock=lambda: self.secs)  # type: ignore[arg-type]

    def _view(self, name: str):  # type: ignore[no-untyped-def]
        async def view(_others: Sequence[str] = ()) -> NodeView:
            self.asked.append(name)
            if name in self.fails:
                raise self.fails[name]
            if self.slots[name] < 0:
                await asyncio.Event().wait()
            return NodeView(START, self.slots[name], None)

        return view

    def _send(self, name: str):  # type: ignore[no-untyped-def]
        async def send(_signed: Signed) -> None:
            self.asked.append(name)
            if name in self.fails:
                raise self.fails[name]

        return send

    async def slot(self, secs: float = 1.0, **slots: int) -> int:
        """What the agent sees `secs` later, when the nodes are at these slots; below zero, one does not answer."""
        self.secs += secs
        self.slots.update(slots)
        self.asked.clear()
        return (await self.spread.view()).slot


async def test_another_rpc_node_is_asked_when_one_fails_or_hangs() -> None:
    rpcs = Rpcs()
    assert await rpcs.slot(a=5, b=6) == 5
    rpcs.fails["a"] = RpcUnreachable("down")
    assert await rpcs.slot(b=7) == 7
    assert rpcs.asked == ["a", "b"]
    await rpcs.spread.send(Signed(b"", 0))
    assert rpcs.asked[-1] == "b"
    rpcs.fails.clear()
    assert await rpcs.slot(a=9, b=-1) == 9
    assert rpcs.asked == ["b", "a"]
    rpcs.fails["a"] = RpcUnreachable("down")
    with pytest.raises(RpcUnreachable):
        await rpcs.spread.send(Signed(b"", 0))
    rpcs.fails.clear()
    assert await rpcs.slot(a=10, b=11) == 11  # the next try is with the other


async def test_an_rpc_node_that_stands_still_is_left_after_five_seconds() -> None:
    rpcs = Rpcs()
    await rpcs.slot(a=5, b=5)
    assert await rpcs.slot(4, b=20) == 5
    assert await rpcs.slot(2, b=26) == 26
    assert rpcs.alarms.texts() == ()
    assert await rpcs.slot(1, b=28) == 28
    assert rpcs.asked == ["b"]


async def test_a_chain_that_stands_still_everywhere_is_an_alarm_until_it_goes_on() -> None:
    rpcs = Rpcs()
    await rpcs.slot(a=5, b=5)
    assert await rpcs.slot(6) == 5
    assert rpcs.alarms.texts() == ("slot: the chain stands still at slot 5 for 6 s, by every RPC node",)
    assert await rpcs.slot(1, a=6) == 6
    assert rpcs.alarms.texts() == ()


async def test_a_node_that_lags_behind_is_not_believed_but_a_chain_that_was_set_back_is() -> None:
    """It does not know of what was booked meanwhile: the agent would end what it has started."""
    rpcs = Rpcs()
    await rpcs.slot(a=50, b=40)
    rpcs.fails["a"] = RpcUnreachable("down")
    with pytest.raises(RpcError, match="b is 9 slots behind"):
        await rpcs.slot(b=41)
    assert await rpcs.slot(15, b=42) == 42


async def test_an_rpc_node_whose_connection_is_dead_is_left_for_the_other() -> None:
    """A real socket that takes the request and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as dead:
        async with Client(f"http://127.0.0.1:{dead.getsockname()[1]}", DEVICE) as client:
            hangs = RpcNodeChain(client, lease_view().node, DEVICE)
            good = MemoryChain(lease_view(), lambda: START)
            spread = SpreadChain({"dead": hangs, "good": good}, Alarms(), view_secs=0.5)
            began = time.monotonic()
            assert (await spread.view()).now == START
            assert time.monotonic() - began < 5
            assert (await spread.view()).now == START

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from agent.memory_chain import MemoryChain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ionet.generated.enums import LeaseStatus
from ionet.rules import challenges, merkle
from ionet_agent import spool
from ionet_agent.journal import Journal, Leaf
from ionet_agent.node_chain import Signed
from ionet_agent.prover import Prover, interval_leaves, leaf_hashes
from leases import SESSION, lease_view

START, SECS = 2_000, 10


class Killed(BaseException):
    """The same as kill -9 at one point: nothing after it runs."""


class Bench:
    """A prover whose clock the test moves; `kill` is the number of steps after which the process dies."""

    def __init__(self, folder: Path, duration: int = 40) -> None:
        self.folder, self.now = folder, START
        lease = lease_view(status=LeaseStatus.ACTIVE, started_at=START, ends_at=START + duration)
        self.lease, self.chain = lease, MemoryChain(lease, lambda: self.now)
        self.name = str(lease.address)
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.folder / "journal")
        self.prover = Prover(self.chain, self.journal, self.folder)

    def restart(self) -> None:
        self.journal.close()
        self.open()

    async def at(self, now: int, *, up: bool = True) -> None:
        self.now = now
        if up:
            self.journal.seen_up(self.name, "p", now)
        lease = (await self.chain.view([self.name])).find(self.name)
        assert lease is not None
        await self.prover.step(lease, now)

    def record(self, *results: bytes) -> None:
        """Results of tasks, arrived now and before the next step."""
        for i, result in enumerate(results):
            entry = spool.Entry((bytes([i]) * 32).hex(), merkle.result_hash(result).hex(), time.time_ns())
            assert spool.append(self.folder / self.name, entry)
        time.sleep(0.001)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.journal.close()


async def test_prover_proves_every_second_of_every_interval(bench: Bench) -> None:
    for now in range(START, START + 45):
        await bench.at(now)
    assert bench.chain.served == {0: 10, 1: 10, 2: 10, 3: 10}
    assert len(bench.chain.executed) == 8  # one at half time and one at the end of each


async def test_prover_root_is_over_challenge_and_results(bench: Bench) -> None:
    await bench.at(START)
    signature = challenges.sign_challenge(SESSION, bench.lease.address, 0)
    bench.journal.put_challenge(bench.name, 0, signature)
    bench.record(b"first", b"second")
    await bench.at(START + SECS)
    expected = [
        challenges.leaf_zero(bench.lease.address, 0, signature),
        merkle.leaf(bytes(bench.lease.address), 0, 1, bytes(32), merkle.result_hash(b"first")),
        merkle.leaf(bytes(bench.lease.address), 0, 2, bytes([1]) * 32, merkle.result_hash(b"second")),
    ]
    assert bench.chain.roots[0] == merkle.root(expected)
    [done] = bench.journal.to_upload()
    leaves = interval_leaves(bench.journal, bench.lease.address, 0, done.leaves)
    assert merkle.root(leaf_hashes(bench.lease.address, 0, leaves)) == done.root


async def test_prover_late_leaves_do_not_change_a_landed_proof(bench: Bench) -> None:
    await bench.at(START)
    await bench.at(START + SECS)
    bench.record(b"late")
    await bench.at(START + 2 * SECS)
    assert len(interval_leaves(bench.journal, bench.lease.address, 0)) == 1
    assert len(interval_leaves(bench.journal, bench.lease.address, 1)) == 2


async def test_prover_skips_what_was_not_served_and_moves_its_results(bench: Bench) -> None:
    await bench.at(START)
    await bench.at(START + 3)
    bench.record(b"in the first proof")
    await bench.at(START + 6)
    # A fold whose proof never got out: the process died before it was signed.
    read = bench.journal.spool_read(bench.name)
    bench.journal.add_leaves(bench.name, 0, [Leaf(bytes(32), merkle.result_hash(b"after it"))], read)
    await bench.at(START + 31, up=False)
    bench.journal.seen_up(bench.name, "q", START + 31)
    bench.journal.seen_up(bench.name, "q", START + 40)
    await bench.at(START + 40, up=False)
    assert bench.chain.served == {0: 6, 3: 9}
    assert len(interval_leaves(bench.journal, bench.lease.address, 0)) == 2
    assert bench.journal.leaves(bench.name, 3) == [Leaf(bytes(32), merkle.result_hash(b"after it"))]
    for done in bench.journal.to_upload():
        leaves = interval_leaves(bench.journal, bench.lease.address, done.interval, done.leaves)
        assert merkle.root(leaf_hashes(bench.lease.address, done.interval, leaves)) == done.root


async def test_prover_only_counts_seconds_seen_up(bench: Bench) -> None:
    bench.journal.seen_up(bench.name, "a", START - 5)
    bench.journal.seen_up(bench.name, "a", START + 3)
    bench.journal.seen_up(bench.name, "b", START + 7)
    bench.journal.seen_up(bench.name, "b", START + 12)
    await bench.at(START + 12, up=False)
    assert bench.chain.served == {0: 6}


async def test_prover_last_interval_may_be_short(tmp_path: Path) -> None:
    bench = Bench(tmp_path, duration=13)
    for now in range(START, START + 15):
        await bench.at(now)
    assert bench.chain.served == {0: 10, 1: 3}
    bench.journal.close()


async def test_prover_does_not_repeat_a_first_proof_that_said_it_all(bench: Bench) -> None:
    for now in range(START, START + 6):
        await bench.at(now)
    bench.chain.end(START + 5)
    for now in range(START + 5, START + 9):
        await bench.at(now)
    assert bench.chain.served == {0: 5}
    assert len(bench.chain.executed) == 1
    assert [proof.interval for proof in bench.journal.to_upload()] == [0]


async def test_prover_proves_to_the_end_of_a_lease_that_was_ended_early(bench: Bench) -> None:
    for now in range(START, START + 15):
        await bench.at(now)
    bench.chain.end(START + 14)
    await bench.at(START + 15)
    await bench.at(START + 16)
    assert bench.chain.served == {0: 10, 1: 4}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 43), st.sampled_from(["signed", "before", "after"])), max_size=6))
async def test_prover_kill_anywhere_proves_everything_once(
    tmp_path_factory: pytest.TempPathFactory, kills: list[tuple[int, str]]
) -> None:
    """Killed after signing, before the transaction is executed, or after it and before the answer."""
    bench = Bench(tmp_path_factory.mktemp("kill"))
    points = dict(kills)
    real = bench.chain.send

    async def send(signed: Signed) -> None:
        point = points.pop(bench.now - START, None)
        if point == "after":
            await real(signed)
        if point is not None:
            raise Killed
        await real(signed)

    bench.chain.send = send  # type: ignore[method-assign]
    for now in range(START, START + 46):
        try:
            await bench.at(now)
        except Killed:
            bench.restart()
    assert bench.chain.served == {0: 10, 1: 10, 2: 10, 3: 10}
    assert len(bench.chain.executed) == len(set(bench.chain.executed)) == 8
    assert bench.journal.open_proof(bench.name) is None
    bench.journal.close()


async def test_prover_expired_proof_is_signed_again(bench: Bench) -> None:
    real, fail = bench.chain.send, [True]

    async def send(signed: Signed) -> None:
        if fail:
            raise ConnectionError
        await real(signed)

    bench.chain.send = send  # type: ignore[method-assign]
    await bench.at(START)
    with pytest.raises(ConnectionError):
        await bench.at(START + 5)
    pending = bench.journal.open_proof(bench.name)
    assert pending is not None
    fail.clear()
    bench.journal.drop(pending)
    bench.journal.put_proof(msgspec.structs.replace(pending, signed=Signed(pending.signed.raw, START)))
    await bench.at(START + 6)
    await bench.at(START + 7)
    assert bench.chain.served == {0: 7}


def test_spool_takes_only_whole_entries(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    good = spool.Entry(task="00" * 32, sha256="11" * 32, ts=5)
    lines = [
        b'{"task":"%s","sha256":"%s","ts":5}' % (good.task.encode(), good.sha256.encode()),
        b"not json",
        b'{"task":"00","sha256":"11","ts":5}',
        b'{"task":"%s","sha256":"%s","ts":5,"more":1}' % (good.task.encode(), good.sha256.encode()),
        b"x" * 2_000,
        b'{"task":"%s","sha256":"%s","ts":9}' % (good.task.encode(), good.sha256.encode()),
    ]
    path.write_bytes(b"\n".join(lines) + b"\n" + lines[0][:20])
    leaf = Leaf(bytes(32), bytes([0x11]) * 32)
    leaves, offset = spool.read(path, 0, 9)
    assert leaves == [leaf]
    assert spool.read(path, offset, 10) == ([leaf], sum(len(line) + 1 for line in lines))
    assert spool.read(tmp_path / "none", 7, 10) == ([], 7)


def test_spool_is_bounded_and_gives_back_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MAX_BYTES", 100_000)
    entry, path, count = spool.Entry("00" * 32, "11" * 32, 5), tmp_path / "spool", 0
    while spool.append(path, entry):
        count += 1
    assert 500 <= count <= 1_000
    leaves, offset = spool.read(path, 0, 6)
    assert len(leaves) == count
    spool.release(path, offset)
    assert spool.append(path, entry)
    assert spool.read(path, offset, 6)[0] == leaves[:1]


def test_spool_long_line_without_end_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.write_bytes(b"x" * 5_000)
    assert spool.read(path, 0, 10) == ([], 5_000)


def test_journal_forgets_a_lease_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.seen_up("a", "p", 1)
    journal.add_leaves("a", 0, [Leaf(bytes(32), bytes(32))], 9)
    journal.put_challenge("a", 0, b"s")
    journal.seen_up("b", "p", 1)
    journal.forget("a")
    assert journal.leases() == ["b"]
    assert journal.leaves("a", 0) == []
    assert journal.spool_read("a") == 0
    journal.close()

"""The agent's defence of disputed intervals: what it can show, in which order, and killed anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from agent.memory_chain import MemoryChain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ionet.generated.enums import LeaseStatus
from ionet.generated.errors import DefendTooLate
from ionet.lease_view import NONE, LeaseView
from ionet.rules import merkle
from ionet.rules.challenges import sign_challenge
from ionet.rules.disputes import is_disputed, may_be_disputed
from ionet_agent.defender import Defender
from ionet_agent.journal import Journal
from ionet_agent.leaver import Leaver
from ionet_agent.node_chain import Signed
from ionet_agent.prover import Prover, leaf_hashes, proven_leaves
from leases import SESSION, lease_view

START, SECS, INTERVALS = 2_000, 10, 6


class Killed(BaseException):
    """The same as kill -9 at one point: nothing after it runs."""


class Bench:
    """Prover and defender of a lease of six intervals, on a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, START
        lease = lease_view(
            status=LeaseStatus.ACTIVE,
            started_at=START,
            ends_at=START + INTERVALS * SECS,
            dispute_window_secs=100,
            fault_after_secs=3_600,
            fault_bps=500,
            tier1_intervals=2,
        )
        self.address, self.name = lease.address, str(lease.address)
        self.chain = MemoryChain(lease, lambda: self.now)
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.folder / "journal")
        self.prover = Prover(self.chain, self.journal, self.folder)
        self.defender = Defender(self.chain, self.journal)
        self.leaver = Leaver(self.chain, self.journal)

    def restart(self) -> None:
        self.journal.close()
        self.open()

    def lose_disk(self) -> None:
        self.journal.close()
        for file in self.folder.glob("journal*"):
            file.unlink()
        self.open()

    async def lease(self) -> LeaseView:
        found = (await self.chain.view([self.name])).find(self.name)
        assert found is not None
        return found

    async def step(self) -> None:
        await self.prover.step(await self.lease(), self.now)
        await self.defender.step(await self.lease())

    def challenge(self, interval: int) -> None:
        self.journal.put_challenge(self.name, interval, sign_challenge(SESSION, self.address, interval))

    async def serve(self, challenged: set[int], first: int = 0, until: int = INTERVALS) -> None:
        """Serve and prove every second of some intervals, each proven at half time and at its end."""
        for now in range(START + first * SECS, START + until * SECS + 2):
            self.now, interval = now, (now - START) // SECS
            if interval in challenged and interval < until:
                self.challenge(interval)
            self.journal.seen_up(self.name, "p", now)
            await self.step()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.journal.close()


async def test_defends_from_the_last_interval_to_the_first(bench: Bench) -> None:
    await bench.serve(set(range(INTERVALS)))
    bench.now += SECS
    bench.chain.dispute(1, 5)
    for _ in range(6):
        await bench.step()
    assert bench.chain.defended == [(4, 10), (3, 10), (2, 10), (1, 10)]
    assert not is_disputed(await bench.lease())


async def test_passes_over_what_it_cannot_show(bench: Bench) -> None:
    """No challenge came in one interval; in another it came after the proof was signed."""
    await bench.serve({0, 2, 4, 5})
    bench.challenge(1)
    bench.now += SECS
    bench.chain.dispute(0, 6)
    for _ in range(8):
        await bench.step()
    assert [interval for interval, _ in bench.chain.defended] == [5, 4, 2, 0]
    for proof in bench.journal.landed_proofs(bench.name):
        leaves = proven_leaves(bench.journal, bench.address, proof)
        assert merkle.root(leaf_hashes(bench.address, proof.interval, leaves)) == proof.root


async def test_says_once_that_it_has_nothing_to_show(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await bench.serve({0, 1, 5})
    bench.now += SECS
    bench.chain.dispute(2, 4)
    for _ in range(3):
        await bench.step()
    assert caplog.text.count("nothing to show") == 1
    assert bench.chain.defended == []


async def test_it_is_time_to_leave_when_two_of_the_last_eight_had_no_challenge(bench: Bench) -> None:
    await bench.serve({0, 2}, until=3)
    assert bench.journal.silent_intervals(bench.name) == [1]
    assert not bench.leaver.is_time(await bench.lease(), bench.now)
    await bench.serve({0, 2}, first=3, until=4)
    assert bench.journal.silent_intervals(bench.name) == [1, 3]
    assert bench.leaver.is_time(await bench.lease(), bench.now)
    await bench.leaver.step(await bench.lease(), bench.now)
    assert bench.chain.left == [bench.address]


async def test_it_is_time_to_leave_before_lost_time_makes_a_fault(bench: Bench) -> None:
    """One interval without a challenge, and missed time: the next would reach three quarters of the outage."""
    await bench.serve({0, 2, 3}, until=4)
    limit = {"fault_after_secs": 80, "fault_bps": 500}  # 60 s of at most 80
    near = msgspec.structs.replace(await bench.lease(), missed_secs=40, **limit)
    assert bench.leaver.is_time(near, bench.now)
    assert not bench.leaver.is_time(msgspec.structs.replace(near, missed_secs=39), bench.now)


@pytest.mark.parametrize("open_dispute", [False, True])
async def test_it_is_time_to_leave_before_an_hour_was_lost_in_disputes(bench: Bench, open_dispute: bool) -> None:
    """What is lost beyond it the renter gets back. One more can be withheld, and one that was be disputed."""
    await bench.serve({0, 2, 3}, until=4)
    lease = await bench.lease()
    limit = {"fault_after_secs": 1_000 * lease.interval_secs, "fault_bps": 500}
    most = 998 * lease.interval_secs
    lost = {"undefended_secs": most - 5, "held_secs": 6} if open_dispute else {"undefended_secs": most + 1}
    near = msgspec.structs.replace(lease, **lost, **limit)
    assert bench.leaver.is_time(near, bench.now)
    assert not bench.leaver.is_time(msgspec.structs.replace(near, undefended_secs=near.undefended_secs - 1), bench.now)


async def test_nobody_leaves_where_nobody_can_dispute(bench: Bench) -> None:
    """Without a session key, or after it has expired, an interval needs no challenge."""
    await bench.serve(set(), until=4)
    lease = await bench.lease()
    assert bench.leaver.is_time(lease, bench.now)
    assert lease.parent is not None
    for changes in ({"session_key": NONE}, {"session_expires_at": bench.now}):
        parent = msgspec.structs.replace(lease.parent, **changes)
        assert not bench.leaver.is_time(msgspec.structs.replace(lease, parent=parent), bench.now)


async def test_a_challenge_that_comes_after_the_last_proof_does_not_count(bench: Bench) -> None:
    """It could not be shown: a renter must not keep a node by answers that come too late."""
    await bench.serve({0}, until=3)
    for interval in (1, 2):
        bench.challenge(interval)
    assert bench.journal.silent_intervals(bench.name) == [1, 2]


async def test_defends_after_its_lease_has_ended(bench: Bench) -> None:
    await bench.serve(set(range(INTERVALS)))
    bench.chain.end(START + INTERVALS * SECS)
    bench.now += SECS
    assert may_be_disputed(await bench.lease(), bench.now)
    bench.chain.dispute(5, 6)
    await bench.step()
    assert bench.chain.defended == [(5, 10)]
    assert not may_be_disputed(await bench.lease(), START + INTERVALS * SECS + SECS + 100)


async def test_takes_the_chain_of_proofs_from_history_where_its_own_has_a_hole(bench: Bench) -> None:
    """The disk was lost in the middle of the lease."""
    await bench.serve(set(range(INTERVALS)), until=2)
    bench.lose_disk()
    await bench.serve(set(range(INTERVALS)), first=3)
    bench.now += SECS
    bench.chain.dispute(0, 6)
    for _ in range(8):
        await bench.step()
    assert [interval for interval, _ in bench.chain.defended] == [5, 4, 3]


async def test_waits_after_a_refusal(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await bench.serve(set(range(INTERVALS)))
    bench.now += SECS
    bench.chain.dispute(0, 6)
    asked = []

    async def refuse(signed: Signed) -> None:
        asked.append(signed)
        raise DefendTooLate

    bench.chain.send = refuse  # type: ignore[method-assign]
    for _ in range(3):
        await bench.step()
    assert len(asked) == 1
    assert "DefendTooLate" in caplog.text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["before", "after"])), max_size=6))
async def test_killed_anywhere_it_defends_everything_once(
    tmp_path_factory: pytest.TempPathFactory, kills: list[tuple[int, str]]
) -> None:
    """Killed before a step of the defence is executed, or after it and before the answer."""
    bench = Bench(tmp_path_factory.mktemp("kill"))
    await bench.serve(set(range(INTERVALS)))
    bench.now += SECS
    bench.chain.dispute(0, 6)
    points, sent, real = dict(kills), [0], bench.chain.send

    async def send(signed: Signed) -> None:
        point = points.pop(sent[0], None)
        sent[0] += 1
        if point == "after":
            await real(signed)
        if point is not None:
            raise Killed
        await real(signed)

    bench.chain.send = send  # type: ignore[method-assign]
    for _ in range(14):
        try:
            await bench.step()
        except Killed:
            bench.restart()
    assert [interval for interval, _ in bench.chain.defended] == [5, 4, 3, 2, 1, 0]
    bench.journal.close()

"""What the launcher decides when things are not as they should be. No agent answers here; the database is real."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
import pytest
from ionet.errors import ChainRefused, NotEnough, RpcUnreachable
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView
from ionet.rules.lease_time import interval_at, interval_end, intervals, proof_deadline, runs_at
from ionet_launcher.keeping import Move
from ionet_launcher.phases import NEAR_SECS, PATIENCE_SECS, ClusterPhase, Reason
from ionet_launcher.scheduler import Scheduler
from ionet_launcher.session_chain import ClusterView, SessionChain
from ionet_launcher.stepper import Stepper
from ionet_launcher.store import Store
from launcher.ports import free_range
from launcher.test_store import ME, work
from leases import DEVICE, RENTER, SESSION, cluster, lease_view
from solders.keypair import Keypair
from solders.pubkey import Pubkey

NOW = 2_000


class Given(SessionChain):
    """A chain that shows what the test says."""

    def __init__(self, view: ClusterView | Exception | None) -> None:
        self._shown = view

    async def cluster(self, _address: Pubkey, _leases: Sequence[Pubkey]) -> ClusterView | None:
        if isinstance(self._shown, Exception):
            raise self._shown
        return self._shown

    async def device_keys(self, nodes: Sequence[Pubkey]) -> dict[Pubkey, Pubkey]:
        return dict.fromkeys(nodes, DEVICE.pubkey())


def view(*leases: LeaseView, session: Keypair = SESSION, expires: int = 2**40) -> ClusterView:
    return ClusterView(NOW, cluster(session_key=session.pubkey(), session_expires_at=expires), list(leases))


async def step(
    pool: asyncpg.Pool,
    shown: ClusterView | Exception | None,
    phase: ClusterPhase,
    *,
    age: float = 1,
    trouble: float | None = None,
    agents: dict[Pubkey, str] | None = None,
    member: bool = False,
) -> Move:
    """One step of a cluster that has been in `phase` for `age` seconds, and in trouble for `trouble`."""
    lease = lease_view()
    store = Store(pool, ME)
    await work(pool, str(lease.address), str(lease.cluster), "booked", 1)
    await store.plan()
    await pool.execute(
        "UPDATE launcher.cluster SET phase = $1, entered_at = now() - make_interval(secs => $2),"
        " trouble_since = now() - make_interval(secs => $3)",
        phase,
        age,
        trouble,
    )
    stepper = Stepper(Given(shown), SESSION, agents or {})
    [held] = await store.claim(1)
    if member:
        await held.add_members({str(lease.address): str(lease.node)})
    move = await Scheduler(store, stepper)._step(held)
    await held.release()
    await stepper.aclose()
    return move


def nobody() -> dict[Pubkey, str]:
    [port] = free_range(1)
    return {lease_view().node: f"https://127.0.0.1:{port}"}


async def test_a_planned_cluster_with_agents_is_started(pool: asyncpg.Pool) -> None:
    assert await step(pool, view(lease_view()), ClusterPhase.PLANNED, agents=nobody()) == Move(ClusterPhase.STARTING)


@pytest.mark.parametrize(
    "shown", [view(lease_view(), session=RENTER), view(lease_view(), expires=NOW)], ids=["other", "expired"]
)
async def test_a_cluster_of_another_key_is_left_alone(pool: asyncpg.Pool, shown: ClusterView) -> None:
    move = await step(pool, shown, ClusterPhase.PLANNED, agents=nobody())
    assert (move.phase, move.reason) == (ClusterPhase.PLANNED, Reason.NOT_OURS)


@pytest.mark.parametrize(
    ("agents", "reason"), [({}, Reason.AGENT_UNKNOWN), (nobody(), Reason.AGENT_UNREACHABLE)], ids=["unknown", "gone"]
)
async def test_a_cluster_without_agents_waits_then_fails(
    pool: asyncpg.Pool, agents: dict[Pubkey, str], reason: Reason
) -> None:
    """Patience counts from the start of the trouble, and the chain's deadline is near."""
    shown = view(lease_view(booked_at=NOW, ready_deadline_secs=int(NEAR_SECS)))
    waits = await step(pool, shown, ClusterPhase.STARTING, age=1_000, trouble=PATIENCE_SECS - 5, agents=agents)
    assert (waits.phase, waits.reason, waits.in_trouble) == (ClusterPhase.STARTING, reason, True)
    assert str(lease_view().node) in waits.detail
    fails = await step(pool, shown, ClusterPhase.STARTING, trouble=PATIENCE_SECS + 1, agents=agents)
    assert (fails.phase, fails.reason) == (ClusterPhase.FAILED, reason)


@pytest.mark.parametrize(
    "lease",
    [
        lease_view(booked_at=NOW, ready_deadline_secs=int(NEAR_SECS) + 1),
        lease_view(status=LeaseStatus.READY, ready_at=NOW, accept_deadline_secs=int(NEAR_SECS) + 1),
    ],
    ids=["booked", "ready"],
)
async def test_a_cluster_does_not_fail_while_the_chain_gives_it_time(pool: asyncpg.Pool, lease: LeaseView) -> None:
    waits = await step(pool, view(lease), ClusterPhase.JOINING, trouble=1_000, agents=nobody())
    assert (waits.phase, waits.reason) == (ClusterPhase.JOINING, Reason.AGENT_UNREACHABLE)


async def test_one_hiccup_after_a_long_join_fails_nothing(pool: asyncpg.Pool) -> None:
    shown = view(lease_view(booked_at=NOW, ready_deadline_secs=5))
    waits = await step(pool, shown, ClusterPhase.JOINING, age=1_000, agents=nobody())
    assert (waits.phase, waits.reason) == (ClusterPhase.JOINING, Reason.AGENT_UNREACHABLE)


async def test_a_running_meter_keeps_a_cluster_from_failing(pool: asyncpg.Pool) -> None:
    lease = lease_view(status=LeaseStatus.ACTIVE, started_at=NOW - 5, ends_at=NOW + 5)
    move = await step(pool, view(lease), ClusterPhase.RUNNING, trouble=PATIENCE_SECS + 1, agents=nobody())
    assert move.phase is ClusterPhase.RUNNING
    assert move.reason is Reason.AGENT_UNREACHABLE, "and is seen to be in trouble"


async def test_workers_without_a_head_are_in_trouble(pool: asyncpg.Pool) -> None:
    worker = lease_view(address=RENTER.pubkey(), status=LeaseStatus.ACTIVE, started_at=NOW - 5, ends_at=NOW + 5)
    move = await step(pool, view(worker), ClusterPhase.JOINING, agents=nobody())
    assert (move.phase, move.reason) == (ClusterPhase.JOINING, Reason.HEAD_LOST)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (None, Reason.NEVER_STARTED),
        (view(), Reason.NEVER_STARTED),
        (view(lease_view(ready_deadline_secs=NOW)), Reason.NEVER_STARTED),
        (view(lease_view(status=LeaseStatus.READY, ready_at=NOW - 5, accept_deadline_secs=5)), Reason.NEVER_STARTED),
        (view(lease_view(status=LeaseStatus.CANCELLED)), Reason.NEVER_STARTED),
        (view(lease_view(status=LeaseStatus.ACTIVE, started_at=NOW - 9, ends_at=NOW)), Reason.EXPIRED),
        (view(lease_view(status=LeaseStatus.ENDED, started_at=NOW - 9, ends_at=NOW - 3)), Reason.EXPIRED),
    ],
    ids=["no cluster", "withdrawn", "not ready in time", "not accepted in time", "cancelled", "expired", "ended"],
)
async def test_a_cluster_without_live_leases_stops(
    pool: asyncpg.Pool, shown: ClusterView | None, reason: Reason
) -> None:
    move = await step(pool, shown, ClusterPhase.RUNNING, agents=nobody())
    assert (move.phase, move.reason) == (ClusterPhase.STOPPED, reason)


async def test_draining_waits_for_an_agent_that_does_not_answer(pool: asyncpg.Pool) -> None:
    move = await step(pool, view(), ClusterPhase.RUNNING, agents=nobody(), member=True)
    assert move.phase is ClusterPhase.DRAINING
    assert move.again_secs > 0
    late = await step(pool, view(), ClusterPhase.DRAINING, age=1_000, agents=nobody(), member=True)
    assert late.phase is ClusterPhase.STOPPED


async def test_a_silent_chain_changes_nothing(pool: asyncpg.Pool) -> None:
    move = await step(pool, RpcUnreachable("down"), ClusterPhase.JOINING, agents=nobody())
    assert (move.phase, move.reason) == (ClusterPhase.JOINING, Reason.CHAIN_UNREACHABLE)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(NotEnough("wallet X has no SOL"), Reason.NO_SOL), (ChainRefused("BlockhashNotFound"), Reason.CHAIN_REFUSED)],
)
async def test_what_the_chain_refuses_is_not_called_silence(
    pool: asyncpg.Pool, error: ChainRefused, reason: Reason
) -> None:
    move = await step(pool, error, ClusterPhase.JOINING, agents=nobody())
    assert (move.phase, move.reason) == (ClusterPhase.JOINING, reason)


async def test_a_fault_with_one_cluster_does_not_end_the_launcher(pool: asyncpg.Pool) -> None:
    move = await step(pool, ZeroDivisionError("bug"), ClusterPhase.JOINING, agents=nobody())
    assert (move.phase, move.reason) == (ClusterPhase.JOINING, Reason.INTERNAL_ERROR)


def test_a_lease_is_live_only_within_its_deadlines() -> None:
    booked = lease_view(ready_deadline_secs=NOW + 1)
    ready = msgspec.structs.replace(booked, status=LeaseStatus.READY, ready_at=NOW, accept_deadline_secs=3)
    active = msgspec.structs.replace(booked, status=LeaseStatus.ACTIVE, started_at=NOW, ends_at=NOW + 25)
    assert [runs_at(booked, NOW), runs_at(booked, NOW + 1)] == [True, False]
    assert [runs_at(ready, NOW + 2), runs_at(ready, NOW + 3)] == [True, False]
    assert [runs_at(active, NOW + 24), runs_at(active, NOW + 25)] == [True, False]
    assert intervals(active) == 3
    assert [interval_at(active, NOW + t) for t in (-1, 0, 9, 10, 24, 25)] == [None, 0, 0, 1, 2, None]
    assert [interval_end(active, i) for i in range(3)] == [NOW + 10, NOW + 20, NOW + 25]
    assert proof_deadline(active, 2) == NOW + 35


async def test_thousands_of_leases_are_one_decision(pool: asyncpg.Pool) -> None:
    """The step is linear in the leases: thousands are looked through in moments, and the decision is about all."""
    head = lease_view()
    others = [
        lease_view(address=Pubkey(number.to_bytes(32, "big")), node=Pubkey((number + 2**17).to_bytes(32, "big")))
        for number in range(1, 6_000)
    ]
    agents = {lease.node: "https://127.0.0.1:9" for lease in [head, *others]}
    store, stepper = Store(pool, ME), Stepper(Given(view(head, *others)), SESSION, agents)
    await work(pool, str(head.address), str(head.cluster), "booked", 1)
    await store.plan()
    begun = time.monotonic()
    assert await Scheduler(store, stepper)._once()
    assert time.monotonic() - begun < 5
    [seen] = await store.overview()
    assert (seen.phase, seen.live) == (ClusterPhase.STARTING, 6_000)


class Failing(Store):
    """A store that fails in ways nobody thought of, then works."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.faults = 3

    async def plan(self) -> int:
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError("bug")
        return await super().plan()


async def test_a_fault_in_a_round_does_not_end_the_launcher(
    pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ionet_launcher.scheduler._RETRY_SECS", 0.01)
    lease, store, stopping = lease_view(), Failing(pool, ME), asyncio.Event()
    await work(pool, str(lease.address), str(lease.cluster), "booked", 1)
    stepper = Stepper(Given(view(lease)), SESSION, {lease.node: "https://127.0.0.1:9"})
    running = asyncio.create_task(Scheduler(store, stepper).run(stopping))
    while not (seen := await store.overview()) or seen[0].phase == ClusterPhase.PLANNED:
        await asyncio.sleep(0.02)
        assert not running.done()
    stopping.set()
    await running
    await stepper.aclose()
    assert caplog.text.count("a round failed; trying again") == 3

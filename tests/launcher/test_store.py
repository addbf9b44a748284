"""The launcher's tables on real PostgreSQL: what is planned when, and that a cluster is in one hand at a time."""

from __future__ import annotations

import asyncpg
import pytest
from ionet_launcher.phases import ClusterPhase, Reason
from ionet_launcher.store import Move, Store

ME = "launcher key"


async def work(pool: asyncpg.Pool, lease: str, cluster: str, status: str, slot: int) -> None:
    await pool.execute(
        "INSERT INTO lease_work VALUES ($1, 'node', $2, 0, 0, 'head', 1, $3, 0, 0, 0, 3, $4, 0, true)"
        " ON CONFLICT (lease) DO UPDATE SET status = excluded.status, slot = excluded.slot",
        lease,
        cluster,
        status,
        slot,
    )


async def taken(store: Store, move: Move | None = None) -> str | None:
    async with store.take() as held:
        if held is None:
            return None
        if move is not None:
            await held.move(move)
        return held.row.cluster


async def test_plan_takes_up_live_clusters_once(pool: asyncpg.Pool) -> None:
    store = Store(pool, ME)
    for number, status in enumerate(["booked", "ready", "active", "ended", "cancelled", "closed"]):
        await work(pool, f"lease {status}", f"cluster {status}", status, number)
    assert await store.plan() == 3
    assert await store.plan() == 0
    assert {row.cluster for row in await store.overview()} == {"cluster booked", "cluster ready", "cluster active"}


async def test_plan_wakes_a_cluster_whose_leases_changed(pool: asyncpg.Pool) -> None:
    store = Store(pool, ME)
    await work(pool, "lease", "cluster", "booked", 1)
    await store.plan()
    assert await taken(store, Move(ClusterPhase.RUNNING, 100)) == "cluster"
    assert await taken(store) is None
    await work(pool, "lease", "cluster", "ended", 2)
    assert await store.plan() == 1
    assert await taken(store) == "cluster"


@pytest.mark.parametrize("phase", [ClusterPhase.STOPPED, ClusterPhase.FAILED])
async def test_plan_starts_over_only_for_a_new_booking(pool: asyncpg.Pool, phase: ClusterPhase) -> None:
    store = Store(pool, ME)
    await work(pool, "first", "cluster", "booked", 1)
    await store.plan()
    assert await taken(store, Move(phase, 0, Reason.EXPIRED)) == "cluster"
    await work(pool, "first", "cluster", "cancelled", 2)
    await store.plan()
    assert [row.phase for row in await store.overview()] == [phase]
    await work(pool, "second", "cluster", "booked", 3)
    assert await store.plan() == 1
    assert [row.phase for row in await store.overview()] == ["planned"]


async def test_take_gives_each_cluster_to_one(pool: asyncpg.Pool) -> None:
    first, second = Store(pool, ME), Store(pool, ME)
    for name in ("a", "b"):
        await work(pool, f"lease {name}", name, "booked", 1)
    await first.plan()
    async with first.take() as one, second.take() as two, first.take() as none:
        assert one is not None
        assert two is not None
        assert {one.row.cluster, two.row.cluster} == {"a", "b"}
        assert none is None


async def fails(store: Store) -> None:
    async with store.take() as held:
        assert held is not None
        await held.add_members({"lease": "node"})
        raise ConnectionResetError


async def test_take_is_free_again_when_its_holder_dies(pool: asyncpg.Pool) -> None:
    store = Store(pool, ME)
    await work(pool, "lease", "cluster", "booked", 1)
    await store.plan()
    with pytest.raises(ConnectionResetError):
        await fails(store)
    async with store.take() as again:
        assert again is not None
        assert await again.members() == {}


async def test_launchers_with_other_keys_do_not_meet(pool: asyncpg.Pool) -> None:
    mine, other = Store(pool, ME), Store(pool, "other key")
    await work(pool, "lease", "cluster", "booked", 1)
    assert await mine.plan() == 1
    assert await other.plan() == 1
    async with mine.take() as one, other.take() as two:
        assert one is not None
        assert two is not None


async def test_move_keeps_the_times_of_a_start(pool: asyncpg.Pool) -> None:
    store = Store(pool, ME)
    await work(pool, "lease", "cluster", "booked", 1)
    await store.plan()
    for phase in (ClusterPhase.STARTING, ClusterPhase.JOINING, ClusterPhase.READY, ClusterPhase.RUNNING):
        assert await taken(store, Move(phase)) == "cluster"
    [row] = await store.overview()
    assert row.decided_at is not None
    assert row.joined_at is not None
    assert row.running_at is not None
    assert row.decided_at < row.joined_at < row.running_at
    before = row.entered_at
    await taken(store, Move(ClusterPhase.RUNNING, 0, Reason.AGENT_UNREACHABLE, "x" * 900))
    [row] = await store.overview()
    assert row.entered_at == before
    assert (row.reason, len(row.detail)) == ("agent_unreachable", 500)


async def test_closed_leases_are_no_work(pool: asyncpg.Pool) -> None:
    store = Store(pool, ME)
    await work(pool, "old", "cluster", "closed", 1)
    await work(pool, "new", "cluster", "booked", 2)
    await store.plan()
    async with store.take() as held:
        assert held is not None
        assert await held.leases() == ["new"]

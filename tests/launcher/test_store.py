"""The launcher's tables on real PostgreSQL: what is planned when, and that a cluster is in one hand at a time."""

from __future__ import annotations

import asyncio
from datetime import datetime

import asyncpg
import pytest
from ionet_launcher.keeping import Move
from ionet_launcher.phases import ClusterPhase, Reason
from ionet_launcher.store import CLAIM_SECS, Store
from solders.pubkey import Pubkey

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


async def insert(pool: asyncpg.Pool, table: str, given: dict[str, object]) -> None:
    """A row of one of the indexer's tables; what is not given is zero or empty."""
    columns = await pool.fetch(
        "SELECT column_name AS name, data_type AS kind FROM information_schema.columns"
        " WHERE table_name = $1 AND table_schema = 'public' AND is_nullable = 'NO' AND column_default IS NULL",
        table,
    )
    zeros = {"text": "", "boolean": False, "ARRAY": [], "json": "[]", "jsonb": "[]"}
    values: dict[str, object] = {row["name"]: zeros.get(row["kind"], 0) for row in columns} | given
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await pool.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values())


async def booked(pool: asyncpg.Pool, lease: Pubkey, node: Pubkey, report_hash: bytes) -> None:
    """The indexer's row of a lease whose node said with this report that it is ready."""
    await insert(pool, "leases", {"lease": str(lease), "node": str(node), "report_hash": report_hash.hex()})


async def taken(store: Store, move: Move | None = None) -> str | None:
    for held in await store.claim(1):
        if move is None:
            await held.release()
        else:
            await held.move(move)
        return held.row.cluster
    return None


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


async def test_a_cluster_is_in_one_hand_at_a_time(pool: asyncpg.Pool) -> None:
    first, second = Store(pool, ME), Store(pool, ME)
    for name in ("a", "b", "c"):
        await work(pool, f"lease {name}", name, "booked", 1)
    await first.plan()
    [one], others = await first.claim(1), await second.claim(9)
    assert len({one.row.cluster} | {other.row.cluster for other in others}) == 3
    assert await first.claim(9) == []
    await one.release()
    assert [again.row.cluster for again in await second.claim(9)] == [one.row.cluster]


async def test_a_claim_holds_no_connection(pool: asyncpg.Pool) -> None:
    store = Store(pool, ME)
    for number in range(20):
        await work(pool, f"lease {number}", f"cluster {number}", "booked", 1)
    await store.plan()
    held = await store.claim(20)
    assert len(held) == 20
    assert pool.get_idle_size() == pool.get_size()


async def lapse(pool: asyncpg.Pool) -> None:
    """The time passes for which a process that has died keeps its clusters."""
    secs = "SELECT extract(epoch FROM max(claimed_until) - now()) FROM launcher.cluster"
    assert 0 < await pool.fetchval(secs) <= CLAIM_SECS
    await pool.execute("UPDATE launcher.cluster SET claimed_until = now()")


async def test_a_cluster_is_free_again_when_its_holder_has_died_and_what_was_asked_to_start_is_known(
    pool: asyncpg.Pool,
) -> None:
    dead, other = Store(pool, ME), Store(pool, ME)
    await work(pool, "lease", "cluster", "booked", 1)
    await dead.plan()
    [held] = await dead.claim(1)
    await held.add_members({"lease": "node"})
    assert await other.claim(1) == []
    await lapse(pool)
    [again] = await other.claim(1)
    assert await again.members() == {"lease": "node"}


async def test_a_holder_that_renews_keeps_its_cluster(pool: asyncpg.Pool) -> None:
    mine, other = Store(pool, ME), Store(pool, ME)
    await work(pool, "lease", "cluster", "booked", 1)
    await mine.plan()
    await mine.claim(1)
    await pool.execute("UPDATE launcher.cluster SET claimed_until = now() + interval '1 millisecond'")
    await mine.renew(["cluster"])
    await asyncio.sleep(0.01)
    assert await other.claim(1) == []


async def test_who_lost_its_cluster_to_another_decides_nothing_about_it(pool: asyncpg.Pool) -> None:
    slow, other = Store(pool, ME), Store(pool, ME)
    await work(pool, "lease", "cluster", "booked", 1)
    await slow.plan()
    [held] = await slow.claim(1)
    await lapse(pool)
    [again] = await other.claim(1)
    await held.move(Move(ClusterPhase.FAILED, 0, Reason.EXPIRED))
    await held.release()
    assert [row.phase for row in await slow.overview()] == ["planned"]
    await again.move(Move(ClusterPhase.JOINING))
    assert [row.phase for row in await slow.overview()] == ["joining"]


async def test_a_change_during_a_step_is_looked_at_at_once(pool: asyncpg.Pool) -> None:
    store = Store(pool, ME)
    await work(pool, "lease", "cluster", "booked", 1)
    await store.plan()
    [held] = await store.claim(1)
    await work(pool, "lease", "cluster", "ready", 2)
    await store.plan()
    await held.move(Move(ClusterPhase.JOINING, 100))
    assert await taken(store, Move(ClusterPhase.JOINING, 100)) == "cluster"
    assert await taken(store) is None


async def test_a_booking_during_a_step_that_ends_a_cluster_starts_it_over(pool: asyncpg.Pool) -> None:
    store = Store(pool, ME)
    await work(pool, "lease", "cluster", "booked", 1)
    await store.plan()
    [held] = await store.claim(1)
    await work(pool, "second", "cluster", "booked", 2)
    await store.plan()
    await held.move(Move(ClusterPhase.STOPPED, 0, Reason.NEVER_STARTED))
    await store.plan()
    assert [row.phase for row in await store.overview()] == ["planned"]


async def trouble_since(pool: asyncpg.Pool) -> datetime | None:
    since: datetime | None = await pool.fetchval("SELECT trouble_since FROM launcher.cluster")
    return since


async def test_a_trouble_has_one_start_until_a_look_finds_none(pool: asyncpg.Pool) -> None:
    store = Store(pool, ME)
    await work(pool, "lease", "cluster", "booked", 1)
    await store.plan()
    trouble = Move(ClusterPhase.JOINING, 0, Reason.AGENT_REFUSED, in_trouble=True)
    await taken(store, trouble)
    since = await trouble_since(pool)
    assert since is not None
    await taken(store, trouble)
    await taken(store, Move(ClusterPhase.READY, 0, Reason.AGENT_UNREACHABLE, in_trouble=True))
    await taken(store, Move(ClusterPhase.READY, 0, Reason.CHAIN_UNREACHABLE, in_trouble=None))
    assert await trouble_since(pool) == since
    await taken(store, Move(ClusterPhase.READY))
    assert await trouble_since(pool) is None
    await taken(store, trouble)
    assert await trouble_since(pool) > since  # type: ignore[operator]


async def test_each_node_has_a_start_of_its_own_trouble(pool: asyncpg.Pool) -> None:
    store = Store(pool, ME)
    await work(pool, "lease", "cluster", "booked", 1)
    await store.plan()
    [held] = await store.claim(1)
    await held.set_troubles([("a", "node a", Reason.AGENT_REFUSED, "no"), ("b", "node b", Reason.BAD_ANSWER, "?")])
    await pool.execute("UPDATE launcher.trouble SET since = now() - interval '50 s'")
    await held.set_troubles([("a", "node a", Reason.AGENT_UNREACHABLE, ""), ("c", "node c", Reason.BAD_ANSWER, "?")])
    await held.release()
    [held] = await store.claim(1)
    found = held.row.troubles
    assert found.keys() == {"a", "c"}
    assert found["a"] > 49
    assert found["c"] < 40
    await held.set_troubles([])
    await held.release()
    [held] = await store.claim(1)
    assert held.row.troubles == {}


async def test_launchers_with_other_keys_do_not_meet(pool: asyncpg.Pool) -> None:
    mine, other = Store(pool, ME), Store(pool, "other key")
    await work(pool, "lease", "cluster", "booked", 1)
    assert await mine.plan() == 1
    assert await other.plan() == 1
    assert len(await mine.claim(1)) == 1
    assert len(await other.claim(1)) == 1


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
    [held] = await store.claim(1)
    assert held.row.leases == ["new"]

"""From a booking on the chain to the launcher's decision, and from the decision to a Ray cluster that is up."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import postgres
from bench.database import durable_server
from bench.figures import Figures, percentile, timed
from bench.machine import STARTING, STORING
from bench.watch import Watch
from ionet.generated.events import ClusterOpened
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.stack import SESSION, NodeProcess, Stack, stack, until
from market import PRICE, USD, Machine, Market, market

BOOKINGS, CLUSTERS, NODES, LEASE_SECS = 20, 3, 3, 6
DECISION_TARGET_P95, COLD_TARGET, WARM_TARGET = 0.15, 8, 4
# Nothing listens there: what is measured ends before an agent is asked.
NO_AGENT = "https://127.0.0.1:9"


def measure() -> Figures:
    with durable_server() as server:
        decisions = asyncio.run(_decisions(server))
        clusters = asyncio.run(_ray(server))
    from_chain = f"{BOOKINGS} bookings; shown as confirmed by the node → decision committed by the launcher"
    ready, running = zip(*clusters, strict=True)
    up = f"decision → head and {NODES - 1} workers up and seen by a driver; "
    return {
        "launcher.decision_p50": timed("launch", [percentile(decisions, 50)], "s", bound_by=STORING, note=from_chain),
        "launcher.decision_p95": timed(
            "launch", [percentile(decisions, 95)], "s", bound_by=STORING, target=DECISION_TARGET_P95, note=from_chain
        ),
        "launcher.ray_ready_first": timed(
            "launch", ready[:1], "s", bound_by=STARTING, target=COLD_TARGET, note=up + "first cluster"
        ),
        "launcher.ray_ready_next": timed(
            "launch", ready[1:], "s", bound_by=STARTING, target=WARM_TARGET, note=up + "same agents again"
        ),
        "launcher.meters_run": timed(
            "launch", running, "s", bound_by=STARTING, note="decision → hardware checked, every lease accepted"
        ),
    }


async def _decisions(server: EmbeddedPostgres) -> list[float]:
    """Seconds from a confirmed booking to the launcher's decision to start, one cluster of one node at a time."""
    dsn = await postgres.create(server, "decisions")
    with tempfile.TemporaryDirectory(prefix="ionet-bench-") as folder:
        async with market(slot_ms=100) as played, stack(played, dsn, Path(folder), 0) as made:
            machines = [await played.add_machine(f"bench {number}") for number in range(BOOKINGS)]
            agents = Path(folder) / "agents.json"
            agents.write_text(json.dumps({str(machine.address): NO_AGENT for machine in machines}))
            await made.launcher.restart()
            async with Watch.open(played.net.ws_url) as watch, asyncpg.create_pool(dsn, min_size=1) as pool:
                return [await _decision(played, machine, watch, pool) for machine in machines]


async def _decision(played: Market, machine: Machine, watch: Watch, pool: asyncpg.Pool) -> float:
    plan = played.renter.cluster.open(
        10 * USD, session_key=SESSION.pubkey(), session_expires_at=int(time.time()) + 3_600
    )
    cluster = (await plan).event(ClusterOpened).cluster
    booked = await played.renter.cluster.add_lease(cluster, machine.address, duration=30, max_price=PRICE)
    query = "SELECT 1 FROM launcher.cluster WHERE cluster = $1 AND decided_at IS NOT NULL"
    async with asyncio.timeout(30):
        while await pool.fetchval(query, str(cluster)) is None:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.005)
    return max(0.0, time.time() - await watch.confirmed(str(booked.signature)))


async def _ray(server: EmbeddedPostgres) -> list[tuple[float, float]]:
    """Of several clusters after each other on the same agents, seconds from the decision until Ray is up and until
    every meter runs."""
    dsn = await postgres.create(server, "ray")
    with tempfile.TemporaryDirectory(prefix="ionet-bench-") as folder:
        # At half speed: on a busy machine a meter must not run out before it is looked at.
        async with market(slot_ms=100, clock_factor=0.5) as played, stack(played, dsn, Path(folder), NODES) as made:
            return [await _cluster(made) for _ in range(CLUSTERS)]


async def _cluster(made: Stack) -> tuple[float, float]:
    cluster, leases = await made.book(made.nodes, duration=LEASE_SECS)

    async def running() -> bool:
        return await made.phase(cluster) == "running"

    async def stopped() -> bool:
        return _all_stopped(made.nodes)

    await until(running, 90, "meters run")
    [row] = [row for row in await made.clusters() if row["cluster"] == str(cluster)]
    await until(stopped, 60, "members stop at the end")
    made.market.pass_time(30)
    for lease in leases:
        await made.market.stranger.lease.settle(lease)
        await made.market.stranger.lease.close(lease)
    decided = row["decided_at"]
    return (row["joined_at"] - decided).total_seconds(), (row["running_at"] - decided).total_seconds()


def _all_stopped(nodes: Sequence[NodeProcess]) -> bool:
    return all(node.tag() is None for node in nodes)

"""Drills on the whole network with real processes: what a renter or a dead part does to a cluster while it runs.

The machine's clock is five minutes behind the chain's in all of them. `IONET_DRILL_SECS` is for how long the indexer
is down, 10 s by default; by hand minutes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from functools import partial

import market
import postgres
import pytest
import pytest_asyncio
from ionet.generated.enums import LeaseStatus
from ionet_agent import processes
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.stack import Command, NodeProcess, Stack, ray_mains, stack, until
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOWN_SECS = float(os.environ.get("IONET_DRILL_SECS", "10"))
DURATION, EXTRA = 90, 60
SKEW_SECS = 300
JOB = b"""
import json, ray
ray.init(logging_level="error", log_to_driver=False)
print("answer:", json.dumps(ray.get([ray.remote(lambda i: i * i).remote(i) for i in range(4)])))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with market.market(slot_ms=100, clock_factor=0.1) as founded, postgres.database(server) as dsn:
        async with stack(founded, dsn, tmp_path_factory.mktemp("drills"), 1) as made:
            founded.pass_time(SKEW_SECS)
            yield made
            assert "alarm: clock" in (made.folder / "agent0.log").read_text(), "an alarm, and no harm"
        assert [ray_mains(node.base) for node in made.nodes] == [[]]


async def has_status(stack: Stack, lease: Pubkey, *statuses: LeaseStatus) -> bool:
    found = await stack.lease(lease)
    return found is not None and found.status in statuses


async def is_phase(stack: Stack, cluster: Pubkey, *phases: str) -> bool:
    return await stack.phase(cluster) in phases


async def is_idle(node: NodeProcess) -> bool:
    return node.tag() is None and ray_mains(node.base) == []


async def is_proven(stack: Stack, lease: Pubkey) -> bool:
    found = await stack.lease(lease)
    assert found is not None
    return sum((await stack.served(lease)).values()) == found.ends_at - found.started_at


async def runs_a_job(stack: Stack, node: NodeProcess, cluster: Pubkey) -> None:
    output = await stack.renter_command(node, "run", str(cluster), script=JOB)
    assert b"[0, 1, 4, 9]" in output, output


@pytest.mark.drill
async def test_a_running_cluster_needs_no_indexer_is_extended_and_has_one_of_two_launchers(running: Stack) -> None:
    [node] = running.nodes
    second = Command(running.folder / "second.log", *running.launcher._arguments)
    second.start()
    try:
        await second.ready()
        cluster, [lease] = await running.book([node], duration=DURATION)
        await until(partial(has_status, running, lease, LeaseStatus.ACTIVE), 300, "the meter runs")
        await until(partial(is_phase, running, cluster, "running"), 60, "the launchers know")
        tags = running.tags()
        await running.indexer.end()
        await running.market.renter.lease.extend(lease, EXTRA)
        await runs_a_job(running, node, cluster)
        await asyncio.sleep(DOWN_SECS)
        await runs_a_job(running, node, cluster)
        running.indexer.start()
        await running.indexer.ready()
        # Either launcher alone goes on with what both had.
        await running.launcher.end()
        extended = await running.lease(lease)
        assert extended is not None
        assert extended.ends_at - extended.started_at == DURATION + EXTRA
        assert running.tags() == tags, "one member, from the start to the end"
        running.market.pass_time(1)
        await running.market.renter.lease.end(lease)
        await until(partial(is_idle, node), 60, "the member stops")
        await until(partial(is_phase, running, cluster, "stopped"), 60, "the other launcher is done")
    finally:
        await second.end(signal.SIGTERM)
    running.launcher.start()
    await running.launcher.ready()
    assert [processes.tagged(tag) for tag in tags] == [[]]
    await until(partial(is_proven, running, lease), 60, "every second is proven")
    assert await running.repeated_proofs(lease) == 0
    assert len(await running.clusters()) == 1
    assert await running.settle(cluster, lease) > 0


@pytest.mark.drill
async def test_a_member_that_ends_at_once_is_started_ever_more_slowly_and_its_lease_goes_on(
    running: Stack,
) -> None:
    [node] = running.nodes
    before = len(await running.clusters())
    cluster, [lease] = await running.book([node], duration=DURATION)
    await until(partial(has_status, running, lease, LeaseStatus.ACTIVE), 300, "the meter runs")
    await until(partial(is_phase, running, cluster, "running"), 60, "the launcher knows")
    began = time.monotonic()
    ended: set[str] = set()

    async def started_again() -> bool:
        return node.tag() not in {None, *ended} and len(ray_mains(node.base)) > 0

    for _ in range(4):
        await until(started_again, 60, "it is started again")
        ended.update(running.tags())
        for pid in ray_mains(node.base):
            os.kill(pid, signal.SIGKILL)
    # Between its starts at least 1, 2 and 4 s, and the first one is at once.
    assert time.monotonic() - began >= 3
    assert len(ended) == 4
    await until(started_again, 60, "it is not given up")
    await until(partial(is_phase, running, cluster, "running", "ready", "joining"), 60, "nor is the cluster")
    running.market.pass_time(1)
    await running.market.renter.lease.end(lease)
    await until(partial(is_idle, node), 60, "the member stops")
    await until(partial(is_phase, running, cluster, "stopped"), 60, "the launcher is done")
    assert len(await running.clusters()) == before + 1
    # It may have proven too little for any pay; what is not paid is in the escrow.
    over = await running.lease(lease)
    assert over is not None
    running.market.pass_time(30)
    await running.market.stranger.lease.settle(lease)
    await running.market.stranger.lease.close(lease)
    most_secs = over.ends_at - over.started_at + over.rest_secs
    assert most_secs < DURATION
    assert await running.paid(cluster) <= most_secs * over.price * over.processors // 3600

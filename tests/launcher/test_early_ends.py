"""Drill: a renter gives up a lease while its node is being started, in each phase; all processes are real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import market
import postgres
import pytest
import pytest_asyncio
from ionet.generated import pdas
from ionet.generated.accounts import Cluster
from ionet.generated.enums import LeaseStatus
from ionet.program import PROGRAM
from ionet_agent import processes
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.stack import NodeProcess, Stack, ray_mains, stack, until
from launcher.test_drills import has_status, is_idle, is_phase
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="module")

DURATION = 90


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with market.market(slot_ms=100, clock_factor=0.1) as founded, postgres.database(server) as dsn:
        async with stack(founded, dsn, tmp_path_factory.mktemp("early"), 1) as made:
            yield made
        assert [ray_mains(node.base) for node in made.nodes] == [[]]


async def is_up(running: Stack, lease: Pubkey) -> bool:
    rows = await running.fetch("SELECT phase FROM launcher.member WHERE lease = $1", str(lease))
    return [row["phase"] for row in rows] == ["up"]


async def is_started(node: NodeProcess) -> bool:
    return len(ray_mains(node.base)) > 0


async def is_exact(running: Stack, cluster: Pubkey) -> bool:
    """Whether nothing is locked or paid, and the escrow holds the rest to the unit."""
    found = await running.market.renter.fetch(Cluster, cluster)
    held = await running.market.renter.rpc.token_balance(pdas.escrow(PROGRAM.id, cluster))
    assert (found.locked, found.leases_open, found.paid, found.refunded) == (0, 0, 0, 0)
    assert 0 < found.burned == found.fees, "the node was reserved, and nobody else used that time"
    return held == found.deposit


@pytest.mark.drill
@pytest.mark.parametrize("when", ["reserved", "starting", "up"])
async def test_a_lease_that_is_given_up_while_it_starts_leaves_nothing_behind(running: Stack, when: str) -> None:
    [node] = running.nodes
    if when == "reserved":
        await running.launcher.end()  # nobody starts it
    cluster, [lease] = await running.book([node], duration=DURATION)
    await until(partial(has_status, running, lease, LeaseStatus.READY), 120, "the node is reserved")
    if when == "starting":
        await until(partial(is_started, node), 200, "Ray is being started")
    if when == "up":
        await until(partial(is_up, running, lease), 400, "Ray is up")
        await running.launcher.end()  # so that it is not accepted
        assert await has_status(running, lease, LeaseStatus.READY)
    tags = running.tags()
    await running.market.renter.lease.reject_ready(lease)
    if when != "starting":
        running.launcher.start()
        await running.launcher.ready()
    await until(partial(is_idle, node), 120, "the member stops")
    assert [processes.tagged(tag) for tag in tags] == [[] for _ in tags]
    assert bool(tags) is (when != "reserved")
    if when != "reserved":
        await until(partial(is_phase, running, cluster, "stopped"), 200, "the launcher is done")
    running.market.pass_time(30)
    await running.market.stranger.lease.close(lease)
    assert await is_exact(running, cluster)

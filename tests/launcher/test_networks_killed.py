"""Drills: what a cluster behind two NATs lives on is killed while it runs, one after the other and at each with its
own cluster. It works again by itself, nothing is there twice or left over, and its money is exact."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
from agent.overlay_lab import why_no_lab
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.joined import LONG, Joined, booked, is_joined
from launcher.lab import LabStack
from launcher.stack import ray_mains, until
from launcher.test_stack import kill
from ordinary_user import AS_USER, why_no_network

from launcher import joined

if WHY := why_no_lab():
    pytest.skip(WHY, allow_module_level=True)
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.drill]
# The clock is slow, so that what was killed is back before an interval's grace is over, and before the agent of a
# machine that nobody challenges leaves, however busy this one is.
CLOCK = 0.03


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[(), AS_USER], ids=["root", "ordinary user"])
async def running(request: pytest.FixtureRequest, server: EmbeddedPostgres) -> AsyncIterator[LabStack]:
    if request.param and (why := why_no_network()):
        pytest.skip(why)
    async with joined.lab(server, CLOCK, request.param, random_ports=True) as made:
        yield made


async def ends_whole(cluster: Joined) -> None:
    """It works again, is there once, and every second of it is proven and paid."""
    await until(cluster.works, LONG, "it works on both again")
    await cluster.is_one()
    assert await cluster.ends() > 0


async def test_a_relay_that_is_killed_costs_a_running_cluster_nothing_but_the_outage(running: LabStack) -> None:
    cluster = await booked(running)
    await cluster.runs()
    before = running.tags(), running.processes()
    [relay] = running.relays
    relay.kill()
    # What runs beside it is killed too: whoever starts meanwhile finds no relay.
    await kill(running.launcher, (await cluster.worker()).agent)
    await relay.start()
    await until(cluster.works, LONG, "the relay is back")
    assert (running.tags(), running.processes()) == before, "nothing was started again"
    await ends_whole(cluster)


async def test_agents_that_are_killed_take_over_what_runs(running: LabStack) -> None:
    cluster = await booked(running)
    await cluster.runs()
    before = running.tags(), running.processes()
    await kill(*(node.agent for node in running.nodes))
    await until(cluster.works, LONG, "both agents are back")
    assert (running.tags(), running.processes()) == before, "nothing was started again"
    await ends_whole(cluster)


async def test_a_launcher_that_is_killed_while_members_join_and_while_they_run_goes_on(running: LabStack) -> None:
    cluster = await booked(running)
    for node in running.nodes:
        await until(partial(is_joined, node), LONG, "the network is made")
    await running.launcher.restart()
    await cluster.runs()
    before = running.tags()
    await running.launcher.restart()
    await until(cluster.works, LONG, "it works")
    assert running.tags() == before
    await ends_whole(cluster)


async def test_a_heads_ray_that_is_killed_is_started_again_and_the_worker_joins_it(running: LabStack) -> None:
    cluster = await booked(running)
    await cluster.runs()
    head = await cluster.head()
    before = head.tag()
    [ray] = ray_mains(head.base)
    os.kill(ray, signal.SIGKILL)

    async def is_another() -> bool:
        return head.tag() not in (None, before)

    await until(is_another, LONG, "its member is started again")
    await ends_whole(cluster)

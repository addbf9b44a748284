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
pytestmark = pytest.mark.drill
# The clock is slow, so that what was killed is back before an interval's grace is over, and before the agent of a
# machine that nobody challenges leaves, however busy this one is.
CLOCK = 0.03


@pytest_asyncio.fixture(params=[(), AS_USER], ids=["root", "ordinary user"])
async def lab(request: pytest.FixtureRequest, server: EmbeddedPostgres) -> AsyncIterator[LabStack]:
    if request.param and (why := why_no_network()):
        pytest.skip(why)
    async with joined.lab(server, CLOCK, request.param) as made:
        yield made


async def ends_exactly(cluster: Joined, *, whole: bool) -> None:
    """It is there once, nothing is left of it, and what was proven is paid; whole: that is every second."""
    await cluster.is_one()
    assert await cluster.ends(whole=whole) > 0


async def test_a_cluster_works_again_once_a_killed_relay_is_back(lab: LabStack) -> None:
    cluster = await booked(lab)
    await cluster.runs()
    [relay] = lab.relays
    relay.kill()
    assert not await cluster.works()
    await relay.start()
    # Where that took longer than Ray's patience it has ended the worker, and the agent has started it again.
    await until(cluster.works, LONG, "the relay is back")
    await ends_exactly(cluster, whole=False)


async def test_agents_that_are_killed_take_over_what_runs(lab: LabStack) -> None:
    cluster = await booked(lab)
    await cluster.runs()
    before = lab.tags(), lab.processes()
    await kill(*(node.agent for node in lab.nodes))
    await until(cluster.works, LONG, "both agents are back")
    assert (lab.tags(), lab.processes()) == before, "nothing was started again"
    await ends_exactly(cluster, whole=True)


async def test_a_launcher_that_is_killed_while_members_join_and_while_they_run_goes_on(lab: LabStack) -> None:
    cluster = await booked(lab)
    for node in lab.nodes:
        await until(partial(is_joined, node), LONG, "the network is made")
    await lab.launcher.restart()
    await cluster.runs()
    before = lab.tags()
    await lab.launcher.restart()
    await until(cluster.works, LONG, "it works")
    assert lab.tags() == before
    await ends_exactly(cluster, whole=True)


async def test_a_heads_ray_that_is_killed_is_started_again_and_the_worker_joins_it(lab: LabStack) -> None:
    cluster = await booked(lab)
    await cluster.runs()
    head = await cluster.head()
    before = head.tag()
    [ray] = ray_mains(head.base)
    os.kill(ray, signal.SIGKILL)

    async def is_another() -> bool:
        return head.tag() not in (None, before)

    await until(is_another, LONG, "its member is started again")
    await until(cluster.works, LONG, "the worker has joined it")
    await ends_exactly(cluster, whole=False)

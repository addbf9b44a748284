"""Of members in a network of their own, the nearest to all others is the head and its meter starts first; who is too
far from it is refused with the figure. Launcher and agents are real but for Ray, the chain and how long ways are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Protocol

import asyncpg
import pytest
from ionet.agent_api import Role
from ionet_launcher import networks
from ionet_launcher.phases import Reason
from launcher.network import Network, planned
from launcher.test_check_time import is_running
from launcher.test_distrust_hardware import detail

# By numbers: 1 is near to both others, which are not near to each other.
BETWEEN = [{1: 10, 2: 45}, {0: 10, 2: 12}, {0: 45, 1: 12}]


class Place(Protocol):
    def __call__(
        self, *, ways: Sequence[Mapping[int, float]], most_ms: float | None = networks.MOST_MS
    ) -> AbstractAsyncContextManager[Network]: ...


@pytest.fixture
def place(pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A planned cluster of three, which are as far from each other as each of them says."""
    monkeypatch.setattr(networks, "FAR_SECS", 0.2)
    return partial(planned, pool, tmp_path, 3)


async def test_the_nearest_to_all_others_is_the_head_and_its_lease_is_accepted_first(place: Place) -> None:
    async with place(ways=BETWEEN) as network:
        await network.until(is_running)
        assert (network.accepted, network.rejected) == ([1, 0, 2], [])
        specs = [machine.provider.spec for machine in network.machines]
        assert [spec and spec.role for spec in specs] == [Role.WORKER, Role.HEAD, Role.WORKER]


async def test_a_node_that_says_it_is_nearer_than_others_see_it_is_not_the_head_for_that(place: Place) -> None:
    async with place(ways=[BETWEEN[0], BETWEEN[1], {0: 0, 1: 0}]) as network:
        await network.until(is_running)
        assert network.accepted[0] == 1


async def test_a_node_that_is_too_far_from_the_head_is_refused_with_the_figure_before_it_starts(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async with place(ways=[{1: 10, 2: 71}, {0: 10, 2: 80}, {0: 70, 1: 79}]) as network:
        seen = await network.until(lambda seen: is_running(seen) and seen.live == 2)
        assert (network.accepted, network.rejected) == ([0, 1], [2])
        assert network.started() == [1, 1, 0]
        far = network.machines[2].node
        assert detail(caplog) == f"node {far}: 71 ms to the head and back, at most 50 ms are allowed: refused"
        assert seen.reason == Reason.NONE


async def test_one_bad_moment_refuses_nobody(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "FAR_SECS", 600)
    async with place(ways=[{1: 10, 2: 71}, {0: 10, 2: 80}, {0: 70, 1: 79}]) as network:
        await network.until(lambda seen: seen.reason == Reason.TOO_FAR)
        far = network.machines[2]
        for machine, ways in zip(network.machines, BETWEEN, strict=True):
            assert machine.network is not None
            machine.network.ways = {network.machines[number].address: took for number, took in ways.items()}
        await network.until(is_running)
        assert (sorted(network.accepted), network.rejected) == ([0, 1, 2], [])
        assert far.provider.started == 1


async def test_where_any_way_is_short_enough_nobody_is_refused(place: Place) -> None:
    async with place(ways=[{1: 10, 2: 710}, {0: 10, 2: 800}, {0: 700, 1: 790}], most_ms=None) as network:
        await network.until(is_running)
        assert (sorted(network.accepted), network.rejected) == ([0, 1, 2], [])


async def test_a_node_that_others_do_not_reach_is_not_started_and_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "JOIN_SECS", 0.2)
    async with place(ways=[{1: 10}, {0: 10}, {0: 1, 1: 1}]) as network:
        lost = network.machines[2]
        seen = await network.until(lambda seen: seen.reason == Reason.NO_NETWORK and network.started()[0] == 1)
        assert f"node {lost.node}: there is no way to node {network.machines[0].node}" in seen.detail
        assert network.started() == [1, 1, 0]


@pytest.mark.drill
async def test_a_node_that_joins_no_network_is_not_started_and_named(place: Place) -> None:
    async with place(ways=[{1: 10}, {0: 10}]) as network:
        seen = await network.until(lambda seen: seen.reason == Reason.NO_NETWORK and network.started()[0] == 1)
        assert f"node {network.machines[2].node}: it joins no cluster's network" in seen.detail
        assert network.started() == [1, 1, 0]

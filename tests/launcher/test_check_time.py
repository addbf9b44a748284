"""An agent opens its machine for two minutes before acceptance: the launcher uses them for the check, and gives up what
it cannot check in them. Agents are real but for Ray and the chain; the database is real."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from ionet.agent_api import Phase
from ionet.errors import IonetError
from ionet.generated.enums import LeaseStatus
from ionet.lease_view import LeaseView, NodeView
from ionet_launcher.hardware import check_secs
from ionet_launcher.keeping import Overview
from ionet_launcher.look import ACCEPT_SECS, NEXT_HEAD_SECS, OPEN_SECS
from ionet_launcher.phases import ClusterPhase, Reason
from launcher.network import ENDS, NOW, Machine, Network, planned


@pytest_asyncio.fixture
async def network(pool: asyncpg.Pool, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    """A planned cluster of as many machines as the test says; the first one is to be the head."""
    async with planned(pool, tmp_path, request.param) as made:
        yield made


def of(count: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("network", [count], indirect=True)


def is_running(seen: Overview) -> bool:
    return seen.phase == ClusterPhase.RUNNING


def until_hurry(ready: int) -> float:
    """Seconds after which this number of members that are up are not to wait for others: a check still fits in."""
    return OPEN_SECS - check_secs(ready) - ACCEPT_SECS


@of(3)
async def test_nobodys_time_begins_before_all_are_reserved(network: Network) -> None:
    late = network.machines[2]
    late.put(status=LeaseStatus.BOOKED, ready_at=0)
    for _ in range(3):
        seen = await network.steps(4)
        await network.passes(0)
        late.put(status=LeaseStatus.BOOKED, ready_at=0)
        assert network.phases() == [Phase.IDLE] * 3
    assert seen.phase == ClusterPhase.STARTING
    late.put(status=LeaseStatus.READY, ready_at=NOW)
    await network.until(is_running)
    assert (network.started(), network.accepted) == ([1, 1, 1], [0, 1, 2])


@of(2)
async def test_reserved_nodes_start_without_a_late_one_while_there_is_time_for_their_check(network: Network) -> None:
    network.machines[1].put(status=LeaseStatus.BOOKED, ready_at=0)
    network.machines[0].put(ready_at=NOW + 135 - 1_200 + 1)
    await network.steps(4)
    assert network.started() == [0, 0]
    network.machines[0].put(ready_at=NOW + 135 - 1_200)
    await network.steps(4)
    assert network.started() == [1, 0]


@of(3)
async def test_members_that_are_up_are_accepted_before_their_agents_would_stop_them(network: Network) -> None:
    """One worker takes more than the two minutes to start: the others do not lose theirs by it."""
    slow = network.machines[1]
    slow.provider.joins = Phase.STARTING
    await network.steps(6)
    latest = until_hurry(2)
    await network.passes(latest - 1)
    seen = await network.steps(2)
    assert network.accepted == []
    assert seen.phase == ClusterPhase.JOINING
    await network.passes(1)
    seen = await network.until(lambda _: network.accepted == [0, 2])
    assert (seen.phase, seen.reason) == (ClusterPhase.JOINING, Reason.NONE)
    await network.passes(119 - latest)
    assert network.phases() == [Phase.UP, Phase.STARTING, Phase.UP]
    slow.provider.phase = Phase.UP
    seen = await network.until(is_running)
    assert network.accepted == [0, 2, 1]
    await network.passes(1_000)
    assert network.phases() == [Phase.UP] * 3
    assert (seen.phase, seen.reason, network.rejected) == (ClusterPhase.RUNNING, Reason.NONE, [])


def says(machine: Machine, left: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its agent says that this is left for the check, whatever is."""
    monkeypatch.setattr(machine.api._opening, "left", lambda _: left)


@of(3)
async def test_a_worker_that_says_its_time_is_short_hurries_nobody(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, liar, slow = network.machines
    slow.provider.joins = Phase.STARTING
    says(liar, 1.0, monkeypatch)
    await network.steps(6)
    assert (network.phases(), network.accepted) == ([Phase.UP, Phase.UP, Phase.STARTING], [])
    says(head, 1.0, monkeypatch)
    await network.until(lambda _: network.accepted == [0, 1])


@of(3)
async def test_a_worker_that_starts_for_ever_is_rejected_and_not_paid_for_waiting(network: Network) -> None:
    """Its agent never stops it, and says that it starts for as long as the chain waits for an acceptance."""
    network.machines[1].provider.joins = Phase.STARTING
    await network.steps(4)
    await network.opened(until_hurry(2))
    await network.until(lambda _: network.accepted == [0, 2])
    await network.opened(OPEN_SECS + 14)
    await network.steps(2)
    assert network.rejected == []
    await network.opened(OPEN_SECS + 15)
    seen = await network.until(lambda _: network.rejected == [1])
    assert seen.reason == Reason.CHECK_TIME_OVER
    await network.until(is_running)


@of(1)
async def test_a_node_alone_that_starts_for_ever_is_rejected(network: Network) -> None:
    network.machines[0].provider.joins = Phase.STARTING
    await network.steps(4)
    await network.opened(OPEN_SECS + 15)
    await network.until(lambda seen: seen.phase == ClusterPhase.STOPPED)
    assert (network.accepted, network.rejected) == ([], [0])


@of(3)
async def test_a_head_that_starts_for_ever_takes_nobody_with_it(network: Network) -> None:
    """The others go on under the next one while their own two minutes last."""
    network.machines[0].provider.joins = Phase.STARTING
    await network.steps(4)
    await network.opened(OPEN_SECS - NEXT_HEAD_SECS)
    await network.until(lambda _: network.rejected == [0])
    await network.until(lambda _: network.accepted == [1, 2])
    assert network.rejected == [0]


async def test_a_worker_that_says_nothing_for_ever_is_rejected_as_well(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with planned(pool, tmp_path, 2, urls={1: "https://127.0.0.1:9"}) as network:
        await network.until(lambda seen: seen.reason != Reason.NONE)
        ago = "UPDATE launcher.trouble SET since = now() - make_interval(secs => $1)"
        await pool.execute(ago, OPEN_SECS + 15)
        await network.until(lambda _: network.rejected == [1])
        await network.until(is_running)
        assert network.accepted == [0]


@of(2)
async def test_a_head_that_says_nothing_of_its_time_makes_nobody_late(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher knows when it asked them to start."""
    head, slow = network.machines
    slow.provider.joins = Phase.STARTING
    says(head, None, monkeypatch)
    await network.steps(6)
    assert (network.phases(), network.accepted) == ([Phase.UP, Phase.STARTING], [])
    await network.opened(until_hurry(1) - 20)
    await network.steps(2)
    assert network.accepted == []
    await network.opened(until_hurry(1))
    await network.until(lambda _: network.accepted == [0])


@of(1)
async def test_a_node_that_is_not_opened_again_is_rejected_and_the_cluster_stops(network: Network) -> None:
    [machine] = network.machines
    machine.provider.joins = Phase.STARTING
    await network.steps(4)
    await network.passes(120)
    assert network.phases() == [Phase.IDLE]
    seen = await network.steps(1)
    assert network.rejected == [0]
    assert seen.reason == Reason.CHECK_TIME_OVER
    assert f"node {machine.node}: the time to check the node before its lease is accepted is over" in seen.detail
    seen = await network.steps(3)
    assert (seen.phase, seen.reason, seen.live, seen.members) == (ClusterPhase.STOPPED, Reason.CHECK_TIME_OVER, 0, 0)
    assert network.started() == [1]
    assert network.rejected == [0]


@of(3)
async def test_a_worker_that_is_not_opened_again_is_rejected_and_the_others_go_on(network: Network) -> None:
    worker = network.machines[1]
    worker.provider.joins = Phase.STARTING
    await network.steps(4)
    await network.passes(80)
    await network.steps(2)
    await network.passes(40)
    assert network.phases() == [Phase.UP, Phase.IDLE, Phase.UP]
    seen = await network.until(is_running)
    assert (network.rejected, network.accepted) == ([1], [0, 2])
    assert network.started() == [1, 1, 1]
    assert (seen.phase, seen.reason, seen.live) == (ClusterPhase.RUNNING, Reason.NONE, 2)


@of(3)
async def test_before_a_head_is_accepted_a_worker_without_time_takes_nobody_with_it(network: Network) -> None:
    head, worker = network.machines[0], network.machines[2]
    lease = worker.lease
    assert lease is not None
    worker.opening.begin(lease)
    worker.secs += 120
    head.provider.joins = Phase.STARTING
    await network.steps(3)
    assert network.rejected == [2]
    assert network.phases() == [Phase.STARTING, Phase.UP, Phase.IDLE]
    head.provider.phase = Phase.UP
    await network.until(is_running)
    assert (network.accepted, network.started()) == ([0, 1], [1, 1, 0])


@of(3)
async def test_with_a_head_that_is_not_opened_again_the_others_start_under_the_next(network: Network) -> None:
    head, *others = network.machines
    head.provider.joins = Phase.STARTING
    await network.steps(4)
    for machine in others:
        machine.secs -= 60  # theirs began later
    await network.passes(120)
    assert network.phases() == [Phase.IDLE, Phase.UP, Phase.UP]
    await network.steps(1)
    assert network.rejected == [0]
    assert network.phases() == [Phase.IDLE] * 3
    await network.until(is_running)
    assert network.accepted == [1, 2]
    assert [machine.provider.spec is not None for machine in network.machines] == [False, True, True]


@of(1)
async def test_an_agent_that_has_not_seen_the_acceptance_yet_is_asked_again(network: Network) -> None:
    """Accepted in the moment of the stop: the lease is not given up, and starts as soon as the agent has looked."""
    [machine] = network.machines
    await network.steps(2)
    machine.secs += 120
    await machine.agent.tick()
    assert network.phases() == [Phase.IDLE]
    old, view = await machine.agent.view(True), machine.chain.view
    machine.chain.accept(ENDS - NOW)
    network.accepted.append(0)

    async def stale(_others: Sequence[str] = ()) -> NodeView:
        return old

    machine.chain.view = stale  # type: ignore[assignment, method-assign]
    seen = await network.steps(2)
    assert (seen.reason, network.rejected) == (Reason.AGENT_REFUSED, [])
    machine.chain.view = view  # type: ignore[method-assign]
    seen = await network.steps(2)
    assert (seen.phase, seen.reason) == (ClusterPhase.RUNNING, Reason.NONE)
    assert network.phases() == [Phase.UP]


@of(1)
async def test_a_chain_that_takes_no_rejection_is_a_trouble_and_no_loop(network: Network) -> None:
    async def refuses(_lease: LeaseView) -> None:
        raise IonetError("no")

    [machine] = network.machines
    machine.provider.joins = Phase.STARTING
    await network.steps(4)
    await network.passes(120)
    network.reject = refuses  # type: ignore[assignment, method-assign]
    seen = await network.steps(1)
    assert (seen.phase, seen.reason) == (ClusterPhase.JOINING, Reason.NOT_ACCEPTED)
    await network.pool.execute("UPDATE launcher.cluster SET trouble_since = now() - make_interval(secs => 100)")
    machine.put(ready_at=NOW + 30 - 1_200)
    seen = await network.steps(3)
    assert (seen.phase, seen.reason) == (ClusterPhase.FAILED, Reason.NOT_ACCEPTED)

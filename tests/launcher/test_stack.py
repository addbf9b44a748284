"""From a signed lease to a running Ray cluster and back, on the real program, database and Ray; killed anywhere."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from functools import partial

import httpx2
import market
import postgres
import pytest
import pytest_asyncio
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import DisputeDefended, LeaseSettled
from ionet_agent import processes
from ionet_agent.journal import Journal
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.stack import Command, NodeProcess, Stack, ray_mains, stack, until
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Longer than a job takes on a busy machine; the renter ends it earlier.
DURATION = 90
# How long the chain waits for an acceptance, on local networks.
ACCEPT_SECS = 300

JOB = b"""
import json, ray, ionet.ray
ray.init(logging_level="error", log_to_driver=False)

@ray.remote(num_gpus=1, scheduling_strategy="SPREAD")
@ionet.ray.proved
def work(i):
    return b"result %d" % i

print("answer:", json.dumps([r.decode() for r in ray.get([work.remote(i) for i in range(6)])]))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    # Slow, so that a process that was killed is back before an interval's grace is over, however busy the machine is.
    async with market.market(slot_ms=100, clock_factor=0.1) as founded, postgres.database(server) as dsn:
        async with stack(founded, dsn, tmp_path_factory.mktemp("stack"), 3) as made:
            yield made
        for node in made.nodes:
            assert ray_mains(node.base) == []


async def statuses(stack: Stack, leases: list[Pubkey]) -> set[int]:
    return {0 if lease is None else lease.status for lease in [await stack.lease(address) for address in leases]}


async def has_status(stack: Stack, leases: list[Pubkey], status: LeaseStatus) -> bool:
    return await statuses(stack, leases) == {status}


async def is_phase(stack: Stack, cluster: Pubkey, *phases: str) -> bool:
    return await stack.phase(cluster) in phases


async def stopped(nodes: list[NodeProcess]) -> bool:
    return all(node.tag() is None for node in nodes)


async def started(node: NodeProcess) -> bool:
    return len(ray_mains(node.base)) > 0


async def proven(stack: Stack, lease: Pubkey) -> bool:
    """Every second between start and end of the lease is proven."""
    found = await stack.lease(lease)
    assert found is not None
    assert found.status == LeaseStatus.ENDED
    return sum((await stack.served(lease)).values()) == found.ends_at - found.started_at


def ordered(stack: Stack, leases: list[Pubkey]) -> list[NodeProcess]:
    """The nodes of these leases; the launcher makes the first of them the head."""
    pairs = sorted(zip(leases, stack.nodes, strict=True), key=lambda pair: bytes(pair[0]))
    return [node for _, node in pairs]


async def end(stack: Stack, leases: list[Pubkey]) -> None:
    """The renter has what they wanted, after at least a second of the slow clock."""
    stack.market.pass_time(1)
    for lease in leases:
        await stack.market.renter.lease.end(lease)


async def traced(stack: Stack, result: bytes) -> bool:
    url = f"{stack.indexer.about['api']}/v1/trace/{hashlib.sha256(result).hexdigest()}"
    async with httpx2.AsyncClient(trust_env=False) as http:
        response = await http.get(url)
    return response.status_code == 200 and len(response.json()["items"]) == 1


async def close(stack: Stack, leases: list[Pubkey]) -> None:
    """Settle and close, so that the nodes can be booked again."""
    stack.market.pass_time(30)
    for lease in leases:
        await stack.market.stranger.lease.settle(lease)
        await stack.market.stranger.lease.close(lease)


async def test_a_booked_cluster_runs_a_job_and_is_proven(running: Stack) -> None:
    cluster, leases = await running.book(running.nodes, duration=DURATION)
    took = await until(partial(has_status, running, leases, LeaseStatus.ACTIVE), ACCEPT_SECS, "meters run")
    await until(partial(is_phase, running, cluster, "running"), 10, "the launcher has seen it")
    [row] = [row for row in await running.clusters() if row["cluster"] == str(cluster)]
    joined = (row["joined_at"] - row["decided_at"]).total_seconds()
    decided = (row["decided_at"] - row["planned_at"]).total_seconds()
    print(f"event → decision {decided:.3f} s, → members up {joined:.1f} s; booking → meters {took:.1f} s")
    tags = running.tags()
    assert all(len(ray_mains(node.base)) == 1 for node in running.nodes)
    head = ordered(running, leases)[0]
    answer = json.loads(await running.renter_command(head, "run", str(cluster), script=JOB))
    assert answer["exit_code"] == 0, answer["output"]
    results = next(line.removeprefix("answer:") for line in answer["output"].splitlines() if line.startswith("answer:"))
    assert json.loads(results) == [f"result {i}" for i in range(6)]
    keys = running.folder / "credentials"
    environment = json.loads(await running.renter_command(head, "connect", str(cluster), "--to", str(keys)))
    assert environment["RAY_ADDRESS"].startswith("127.0.")
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    await end(running, leases)
    await until(partial(stopped, running.nodes), 40, "members stop at the end")
    assert [processes.tagged(tag) for tag in tags] == [[], [], []]
    for lease in leases:
        await until(partial(proven, running, lease), 30, "every second is proven")
    await until(partial(is_phase, running, cluster, "stopped"), 10, "the launcher is done")
    await until(partial(traced, running, b"result 3"), 10, "a result is traced")
    await close(running, leases)


@pytest.mark.drill
async def test_killed_at_every_phase_there_is_one_cluster_and_no_orphan(running: Stack) -> None:
    before = len(await running.clusters())
    cluster, leases = await running.book(running.nodes, duration=DURATION)
    head, first, second = ordered(running, leases)

    await until(partial(started, head), 60, "the head is being started")
    await kill(running.launcher, head.agent, second.agent)
    await until(partial(is_phase, running, cluster, "joining", "ready"), 60, "members are joining")
    await kill(running.launcher, first.agent)

    await until(partial(has_status, running, leases, LeaseStatus.ACTIVE), ACCEPT_SECS, "meters run")
    tags = running.tags()
    assert [len(ray_mains(node.base)) for node in running.nodes] == [1, 1, 1]
    await kill(running.launcher, head.agent)
    await kill(second.agent)
    assert [len(ray_mains(node.base)) for node in running.nodes] == [1, 1, 1]
    assert running.tags() == tags, "what ran was taken over, not started again"

    await end(running, leases)
    await kill(running.launcher, *(node.agent for node in running.nodes))
    await until(partial(stopped, running.nodes), 30, "members stop at the end")
    await until(partial(is_phase, running, cluster, "stopped"), 20, "the launcher is done")
    assert [processes.tagged(tag) for tag in tags] == [[], [], []]
    assert [ray_mains(node.base) for node in running.nodes] == [[], [], []]
    for lease in leases:
        await until(partial(proven, running, lease), 30, "every second is proven")
        assert await running.repeated_proofs(lease) == 0
    assert len(await running.clusters()) == before + 1
    await close(running, leases)


async def has_challenge(node: NodeProcess, lease: Pubkey, interval: int) -> bool:
    with contextlib.closing(Journal(node.base / "journal.db")) as journal:
        return journal.challenge(str(lease), interval) is not None


async def is_proven(stack: Stack, lease: Pubkey, interval: int, seconds: int) -> bool:
    return (await stack.served(lease)).get(interval) == seconds


async def disputed_to(stack: Stack, lease: Pubkey, interval: int) -> bool:
    found = await stack.lease(lease)
    return found is not None and found.dispute_to == interval


@pytest.mark.drill
async def test_agent_killed_while_it_defends_a_dispute_loses_nothing(running: Stack) -> None:
    [node], market = running.nodes[:1], running.market
    _, [lease] = await running.book([node], duration=DURATION)
    await until(partial(has_status, running, [lease], LeaseStatus.ACTIVE), ACCEPT_SECS, "the meter runs")
    found = await running.lease(lease)
    assert found is not None
    started_at = found.started_at
    for interval in (0, 1):
        # Its moment is drawn, and this clock runs ten times slower.
        await until(partial(has_challenge, node, lease, interval), 60, "the launcher challenges")
        market.pass_time(max(0, started_at + 3 * interval + 3 - market.net.chain.unix_time))
        await until(partial(is_proven, running, lease, interval, 3), 20, "the interval is proven")
    market.pass_time(max(0, started_at + 9 - market.net.chain.unix_time))

    await node.agent.end()
    await market.renter.lease.dispute(lease, 0, 2)
    node.agent.start()
    await until(partial(disputed_to, running, lease, 1), 30, "the later interval is defended")
    await node.agent.end()
    node.agent.start()
    await until(partial(disputed_to, running, lease, 0), 30, "the earlier interval is defended")
    await node.agent.ready()
    found = await running.lease(lease)
    assert found is not None
    assert (found.held_secs, found.undefended_secs, found.dispute_bond) == (0, 0, 0)
    events = [event for event in await market.stranger.events(lease) if isinstance(event, DisputeDefended)]
    assert sorted((event.interval, event.defended) for event in events) == [(0, True), (1, True)]
    assert {event.by for event in events} == {node.machine.device.pubkey()}

    await end(running, [lease])
    await until(partial(stopped, [node]), 30, "the member stops at the end")
    market.pass_time(30)
    settled = (await market.stranger.lease.settle(lease)).event(LeaseSettled)
    assert settled.bond_paid == found.bond_due > 0
    await market.stranger.lease.close(lease)


async def kill(*commands: Command) -> None:
    """kill -9 all of them, then start all again."""
    for command in commands:
        await command.end()
    for command in commands:
        command.start()
    for command in commands:
        await command.ready()

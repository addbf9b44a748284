"""A node that is lost is replaced by another one, once, as the renter wants it.

On the real program and a real database; the agents only say what agents say.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import asyncpg
import hostile
import market
from hostile import Hostile
from ionet.client import Client
from ionet.errors import RpcUnreachable
from ionet.generated.accounts import Cluster, Lease, Node
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import ClusterOpened
from ionet.lease_view import NONE
from ionet.wallet import KeypairSigner
from ionet_launcher.phases import DEAD_SECS, HEADLESS_SECS, PATIENCE_SECS
from ionet_launcher.renter_chain import RenterChain
from ionet_launcher.replacing import Replacing
from ionet_launcher.scheduler import Scheduler
from ionet_launcher.session_chain import SessionChain
from ionet_launcher.stepper import Stepper
from ionet_launcher.store import Store
from launcher.crowd import Honest, Taking
from launcher.test_store import ME, work
from leases import DEVICE, SESSION
from solders.pubkey import Pubkey

DURATION = 60


class Renter(RenterChain):
    """Counts bookings; `fault` happens in the next one, before or after it was sent."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.booked = 0
        self.fault: str | None = None

    async def book(self, cluster: Pubkey, node: Pubkey, duration: int, max_price: int) -> None:
        fault, self.fault = self.fault, None
        if fault == "before":
            raise RpcUnreachable("down")
        await super().book(cluster, node, duration, max_price)
        self.booked += 1
        if fault == "after":
            raise RpcUnreachable("down")


@dataclass
class World:
    """A cluster of two nodes, the second of which is lost; the third is spare."""

    here: market.Market
    pool: asyncpg.Pool
    renter: Renter
    stepper: Stepper
    urls: dict[Pubkey, str]
    head: tuple[market.Machine, Pubkey]
    worker: tuple[market.Machine, Pubkey]
    spare: market.Machine
    hostile: Hostile
    agents: dict[Pubkey, Honest]

    async def ready(self, machine: market.Machine, lease: Pubkey) -> None:
        await self.here.admin.lease.mark_ready(lease, KeypairSigner(machine.device), sha256(b"report").digest())

    async def status(self, lease: Pubkey) -> int:
        found = await self.here.renter.find(Lease, lease)
        return -1 if found is None else found.status

    async def spares_lease(self) -> Pubkey:
        return (await self.here.renter.fetch(Node, self.spare.address)).current_lease

    async def step(self) -> None:
        await self.pool.execute("UPDATE launcher.cluster SET next_at = now()")
        await Scheduler(Store(self.pool, ME), self.stepper)._once()

    async def lose(self, *nodes: Pubkey) -> None:
        """The agents of these nodes, or the worker's, only talk nonsense, and a step has seen it."""
        for node in nodes or [self.worker[0].address]:
            self.urls[node] = self.hostile.url
        for _ in range(100):
            await self.step()
            if await self.pool.fetchval("SELECT count(*) FROM launcher.trouble"):
                return
        raise AssertionError

    async def in_trouble_for(self, secs: float) -> None:
        await self.pool.execute("UPDATE launcher.trouble SET since = now() - make_interval(secs => $1)", secs)

    async def headless_for(self, secs: float) -> None:
        await self.pool.execute("UPDATE launcher.cluster SET trouble_since = now() - make_interval(secs => $1)", secs)
        await self.in_trouble_for(secs)

    async def parent(self) -> Cluster:
        found = await self.here.renter.fetch(Lease, self.worker[1])
        return await self.here.renter.fetch(Cluster, found.cluster)

    async def serves(self, lease: Pubkey) -> None:
        """The spare node becomes the head with this lease, and the worker joins it."""
        await self.ready(self.spare, lease)
        await self.until(lease, LeaseStatus.ACTIVE)
        assert (await self.parent()).head_lease == lease
        there = f"{self.agents[self.spare.address].ip}:7000"
        for _ in range(100):
            if self.agents[self.worker[0].address].joins == there:
                break
            await self.step()
        assert self.agents[self.worker[0].address].joins == there
        assert self.renter.booked == 1

    async def seen(self) -> tuple[str, str]:
        [row] = await self.pool.fetch("SELECT phase, reason FROM launcher.cluster")
        return row["phase"], row["reason"]

    async def until(self, lease: Pubkey, status: LeaseStatus) -> None:
        for _ in range(100):
            if await self.status(lease) == status:
                return
            await self.step()
        raise AssertionError([dict(row) for row in await self.pool.fetch("SELECT * FROM launcher.cluster")])

    async def replaced(self) -> Pubkey:
        """Steps until the spare node is booked; its lease."""
        for _ in range(100):
            await self.step()
            if (lease := await self.spares_lease()) != NONE:
                return lease
        raise AssertionError


class OneKey(SessionChain):
    """A chain on which every node's device key is that of the agents here."""

    async def device_keys(self, nodes: Sequence[Pubkey]) -> dict[Pubkey, Pubkey]:
        return dict.fromkeys(nodes, DEVICE.pubkey())


@contextlib.asynccontextmanager
async def world(
    pool: asyncpg.Pool, at_least: int | None = None, spare_price: int = market.PRICE, *, late: bool = False
) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        here = await stack.enter_async_context(market.market(clock_factor=0.001))
        session = await stack.enter_async_context(Client(here.net.rpc_url, SESSION))
        lost = await stack.enter_async_context(Hostile(hostile.garbage).serving())
        await session.rpc.airdrop(session.address, 10**9)
        prices = (market.PRICE, market.PRICE, spare_price)
        machines = [await here.add_machine(f"replacing {at}", price=price) for at, price in enumerate(prices)]
        agents = [Honest(number) for number in range(3)]
        for agent in agents:
            await stack.enter_async_context(agent.serving())
        opening = here.renter.cluster.open(100 * market.USD, session_key=session.address, session_expires_at=2**40)
        cluster = (await opening).event(ClusterOpened).cluster
        leases = await here.book(cluster, *machines[:2], duration=DURATION)
        head, worker = sorted(zip(machines, leases, strict=False), key=lambda pair: bytes(pair[1]))
        urls = {machine.address: agent.url for machine, agent in zip(machines, agents, strict=True)}
        by_node = {machine.address: agent for machine, agent in zip(machines, agents, strict=True)}
        renter = Renter(here.renter)
        stepper = Taking(OneKey(session), SESSION, urls, replacing=Replacing(renter, at_least), soon_secs=2)
        stack.push_async_callback(stepper.aclose)
        made = World(here, pool, renter, stepper, urls, head, worker, machines[2], lost, by_node)
        for machine, lease in (head, worker):
            if not (late and machine is worker[0]):
                await made.ready(machine, lease)
            await work(pool, str(lease), str(cluster), "ready", 1)
        await Store(pool, ME).plan()
        yield made


async def test_a_ready_worker_that_says_nothing_is_replaced_and_the_other_runs(pool: asyncpg.Pool) -> None:
    async with world(pool) as given:
        await given.lose()
        await given.in_trouble_for(PATIENCE_SECS - 10)
        for _ in range(3):
            await given.step()
        assert await given.spares_lease() == NONE
        await given.in_trouble_for(PATIENCE_SECS + 1)
        lease = await given.replaced()
        assert await given.status(given.worker[1]) != LeaseStatus.READY, "the old one is given up"
        await given.until(given.head[1], LeaseStatus.ACTIVE)
        await given.ready(given.spare, lease)
        await given.until(lease, LeaseStatus.ACTIVE)
        assert given.renter.booked == 1


async def test_a_worker_that_is_never_ready_is_replaced_for_the_whole_time(pool: asyncpg.Pool) -> None:
    async with world(pool, late=True) as given:
        found = await given.here.renter.fetch(Lease, given.worker[1])
        assert found.ready_deadline_secs < found.accept_deadline_secs
        await given.step()
        given.here.pass_time(found.ready_deadline_secs + 1)
        lease = await given.replaced()
        assert await given.status(given.worker[1]) in (-1, LeaseStatus.CANCELLED)
        assert (await given.here.renter.fetch(Lease, lease)).duration == DURATION
        assert given.renter.booked == 1


async def running(given: World) -> None:
    for _, lease in (given.head, given.worker):
        await given.until(lease, LeaseStatus.ACTIVE)


async def test_a_running_worker_is_replaced_for_the_time_that_is_left(pool: asyncpg.Pool) -> None:
    async with world(pool) as given:
        await running(given)
        given.here.pass_time(20)
        await given.lose()
        await given.in_trouble_for(DEAD_SECS - 10)
        for _ in range(3):
            await given.step()
        assert await given.status(given.worker[1]) == LeaseStatus.ACTIVE
        await given.in_trouble_for(DEAD_SECS + 1)
        lease = await given.replaced()
        assert await given.status(given.worker[1]) == LeaseStatus.ENDED
        found = await given.here.renter.fetch(Lease, lease)
        assert DURATION - 30 < found.duration <= DURATION - 20
        await given.ready(given.spare, lease)
        await given.until(lease, LeaseStatus.ACTIVE)
        assert given.renter.booked == 1


async def test_a_booking_whose_answer_was_lost_is_not_made_twice(pool: asyncpg.Pool) -> None:
    async with world(pool) as given:
        await running(given)
        await given.lose()
        await given.in_trouble_for(DEAD_SECS + 1)
        given.renter.fault = "after"
        await given.replaced()
        await given.pool.execute("UPDATE launcher.replacement SET decided_at = now() - interval '1 hour'")
        for _ in range(3):
            await given.step()
        assert given.renter.booked == 1


async def test_a_booking_that_never_left_is_made_again_when_it_can_no_longer_land(pool: asyncpg.Pool) -> None:
    async with world(pool) as given:
        await running(given)
        await given.lose()
        await given.in_trouble_for(DEAD_SECS + 1)
        given.renter.fault = "before"
        await given.until(given.worker[1], LeaseStatus.ENDED)
        for _ in range(3):
            await given.step()
        assert await given.spares_lease() == NONE
        await given.pool.execute("UPDATE launcher.replacement SET decided_at = now() - interval '1 hour'")
        await given.replaced()
        assert given.renter.booked == 1


async def nothing_is_replaced(given: World) -> None:
    await running(given)
    await given.lose()
    await given.in_trouble_for(10 * DEAD_SECS)
    for _ in range(5):
        await given.step()
    assert await given.status(given.worker[1]) == LeaseStatus.ACTIVE
    assert given.renter.booked == 0


async def test_a_cluster_with_enough_nodes_keeps_those_it_has(pool: asyncpg.Pool) -> None:
    async with world(pool, at_least=1) as given:
        await nothing_is_replaced(given)


async def test_nothing_is_given_up_for_a_node_that_asks_more(pool: asyncpg.Pool) -> None:
    async with world(pool, spare_price=market.PRICE + 1) as given:
        await nothing_is_replaced(given)


async def test_while_the_head_says_nothing_either_nobody_counts_as_lost(pool: asyncpg.Pool) -> None:
    async with world(pool) as given:
        await running(given)
        given.urls[given.head[0].address] = given.urls[given.spare.address] = given.hostile.url
        await nothing_is_replaced(given)


async def test_a_lost_head_is_replaced_for_the_time_that_is_left_and_the_worker_joins_the_next(
    pool: asyncpg.Pool,
) -> None:
    # As many as are left would do, but without a head they are of no use.
    async with world(pool, at_least=1) as given:
        await running(given)
        given.here.pass_time(20)
        await given.lose(given.head[0].address)
        await given.in_trouble_for(DEAD_SECS - 10)
        for _ in range(3):
            await given.step()
        assert await given.status(given.head[1]) == LeaseStatus.ACTIVE
        await given.in_trouble_for(DEAD_SECS + 1)
        lease = await given.replaced()
        assert await given.status(given.head[1]) == LeaseStatus.ENDED
        assert await given.status(given.worker[1]) == LeaseStatus.ACTIVE
        found = await given.here.renter.fetch(Lease, lease)
        assert DURATION - 30 < found.duration <= DURATION - 20
        await given.serves(lease)
        rows = await pool.fetch("SELECT reason FROM launcher.move")
        assert "head_lost" in {row["reason"] for row in rows}


async def test_a_head_whose_lease_is_over_is_replaced_unless_the_renter_ends_the_others_too(
    pool: asyncpg.Pool,
) -> None:
    async with world(pool) as given:
        await running(given)
        given.here.pass_time(20)
        await given.here.admin.lease.quit(given.head[1])
        await given.step()
        await given.headless_for(DEAD_SECS - 10)
        for _ in range(3):
            await given.step()
        assert await given.spares_lease() == NONE
        assert (await given.seen())[1] == "head_lost"
        await given.headless_for(DEAD_SECS + 1)
        await given.serves(await given.replaced())


async def test_a_cluster_whose_head_nobody_replaces_is_ended_and_says_why(pool: asyncpg.Pool) -> None:
    async with world(pool, spare_price=market.PRICE + 1) as given:
        await running(given)
        await given.lose(given.head[0].address)
        await given.headless_for(HEADLESS_SECS - 10)
        for _ in range(3):
            await given.step()
        assert await given.status(given.worker[1]) == LeaseStatus.ACTIVE
        await given.headless_for(HEADLESS_SECS + 1)
        for lease in (given.head[1], given.worker[1]):
            await given.until(lease, LeaseStatus.ENDED)
        for _ in range(100):
            if await given.seen() == ("draining", "no_head"):
                break
            await given.step()
        assert await given.seen() == ("draining", "no_head")
        assert given.renter.booked == 0


async def test_a_head_alone_is_replaced_when_other_nodes_answer(pool: asyncpg.Pool) -> None:
    """Then the fault is not the launcher's own."""
    async with world(pool) as given:
        await running(given)
        await given.lose(given.head[0].address, given.worker[0].address)
        await given.in_trouble_for(DEAD_SECS + 1)
        await given.replaced()
        assert await given.status(given.head[1]) == LeaseStatus.ENDED


async def test_a_booking_of_a_head_whose_answer_was_lost_is_not_made_twice(pool: asyncpg.Pool) -> None:
    async with world(pool) as given:
        await running(given)
        await given.lose(given.head[0].address)
        await given.in_trouble_for(DEAD_SECS + 1)
        given.renter.fault = "after"
        lease = await given.replaced()
        await given.pool.execute("UPDATE launcher.replacement SET decided_at = now() - interval '1 hour'")
        await given.headless_for(10 * HEADLESS_SECS)
        for _ in range(3):
            await given.step()
        await given.serves(lease)

from __future__ import annotations

import pytest
from ionet.generated.enums import LeaseRole, LeaseStatus
from ionet.generated.events import LeaseStarted
from program import calls
from program.calls import NOBODY
from program.chain import refused, who
from program.refs import LeaseRef
from program.world import HOUR, World

DEADLINE = 1_200


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.ready(world.staked_node(), world.cluster())


@pytest.mark.parametrize("side", ["renter", "session"])
def test_by_renter_and_session_key(world: World, lease: LeaseRef, side: str) -> None:
    signer = getattr(lease.cluster, side)
    world.warp(7)
    landed = world.do(calls.accept_ready(lease, signer))
    assert landed.events == (
        LeaseStarted(
            lease=lease.key,
            seq=3,
            at=world.now,
            node=lease.node.key,
            cluster=lease.cluster.key,
            cluster_seq=3,
            accepted_by=signer.pubkey(),
            role=LeaseRole.HEAD,
            ends_at=world.now + 2 * HOUR,
        ),
    )
    found = world.of(lease)
    assert (found.status, found.started_at, found.ends_at) == (LeaseStatus.ACTIVE, world.now, world.now + 2 * HOUR)
    assert (found.last_kept_at, found.last_kept_slot) == (world.now, world.slot)
    assert (found.synced_at, found.synced_slot, found.excused_to) == (world.now, world.slot, 0)
    assert world.of_cluster(lease.cluster).head_lease == lease.key


def test_one_second_before_the_deadline(world: World, lease: LeaseRef) -> None:
    world.warp(DEADLINE - 1)
    world.do(calls.accept_ready(lease))


@pytest.mark.parametrize("late", [0, 1])
def test_at_the_deadline_fails(world: World, lease: LeaseRef, late: int) -> None:
    world.warp(DEADLINE + late)
    with refused("TooLate"):
        world.do(calls.accept_ready(lease))


def test_a_clock_that_jumped_while_the_chain_stood_still_is_no_delay(world: World, lease: LeaseRef) -> None:
    world.warp(10 * DEADLINE, slots=DEADLINE * 4 - 1)
    world.do(calls.accept_ready(lease))


def test_the_lease_accepted_first_is_the_head(world: World, lease: LeaseRef) -> None:
    """Not the one booked or ready first; and none waits for another."""
    second = world.ready(world.staked_node("b"), lease.cluster)
    assert (world.of(lease).role, world.of(second).role) == (LeaseRole.OPEN, LeaseRole.OPEN)
    assert world.of_cluster(lease.cluster).head_lease == NOBODY
    assert world.do(calls.accept_ready(second)).event(LeaseStarted).role == LeaseRole.HEAD
    assert world.do(calls.accept_ready(lease)).event(LeaseStarted).role == LeaseRole.WORKER
    assert (world.of(second).role, world.of(lease).role) == (LeaseRole.HEAD, LeaseRole.WORKER)
    assert world.of_cluster(lease.cluster).head_lease == second.key


def test_after_the_head_ended_the_next_lease_accepted_is_the_head(world: World, lease: LeaseRef) -> None:
    world.do(calls.accept_ready(lease))
    running = world.active(world.staked_node("b"), lease.cluster)
    ready = world.ready(world.staked_node("c"), lease.cluster)
    world.do(calls.quit_lease(lease))
    assert world.of_cluster(lease.cluster).head_lease == NOBODY
    world.do(calls.accept_ready(ready))
    assert (world.of(running).role, world.of(ready).role) == (LeaseRole.WORKER, LeaseRole.HEAD)
    assert world.of_cluster(lease.cluster).head_lease == ready.key
    world.do(calls.quit_lease(running))
    assert world.of_cluster(lease.cluster).head_lease == ready.key


@pytest.mark.parametrize(("left", "accepted"), [(1, True), (0, False), (-1, False)])
def test_a_session_key_counts_until_it_expires(world: World, lease: LeaseRef, left: int, accepted: bool) -> None:
    world.do(calls.set_session_key(lease.cluster, lease.cluster.session.pubkey(), world.now + 100))
    world.warp(100 - left)
    if accepted:
        world.do(calls.accept_ready(lease))
    else:
        with refused("NotRenterOrSession"):
            world.do(calls.accept_ready(lease))
        world.do(calls.accept_ready(lease, lease.cluster.renter))


def test_by_anybody_else_fails(world: World, lease: LeaseRef) -> None:
    for other in (lease.node.owner, lease.node.device, world.stranger):
        with refused("NotRenterOrSession"):
            world.do(calls.accept_ready(lease, other))


def test_with_a_key_that_was_replaced_fails(world: World, lease: LeaseRef) -> None:
    new = who("new session")
    world.do(calls.set_session_key(lease.cluster, new.pubkey(), world.now + 100))
    with refused("NotRenterOrSession"):
        world.do(calls.accept_ready(lease))
    world.do(calls.accept_ready(lease, new))


def test_before_it_is_ready_or_twice_fails(world: World, lease: LeaseRef) -> None:
    world.do(calls.accept_ready(lease))
    booked = world.booked(world.staked_node("b"), lease.cluster)
    for other in (lease, booked):
        with refused("WrongLeaseState"):
            world.do(calls.accept_ready(other))

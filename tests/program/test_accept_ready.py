from __future__ import annotations

import pytest
from ionet.generated.enums import LeaseRole, LeaseStatus
from ionet.generated.events import LeaseStarted
from program import calls
from program.calls import LeaseRef
from program.chain import refused, who
from program.world import HOUR, World

DEADLINE = 600


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
            ends_at=world.now + 2 * HOUR,
        ),
    )
    found = world.of(lease)
    assert (found.status, found.started_at, found.ends_at) == (LeaseStatus.ACTIVE, world.now, world.now + 2 * HOUR)
    assert (found.last_proof_at, found.last_proof_slot) == (world.now, world.slot)
    assert world.of_cluster(lease.cluster).head_started_at == world.now


def test_one_second_before_the_deadline(world: World, lease: LeaseRef) -> None:
    world.warp(DEADLINE - 1)
    world.do(calls.accept_ready(lease))


@pytest.mark.parametrize("late", [0, 1])
def test_at_the_deadline_fails(world: World, lease: LeaseRef, late: int) -> None:
    world.warp(DEADLINE + late)
    with refused("TooLate"):
        world.do(calls.accept_ready(lease))


def test_a_clock_that_jumped_while_the_chain_stood_still_is_no_delay(world: World, lease: LeaseRef) -> None:
    world.warp(10 * DEADLINE, slots=DEADLINE * 5 // 2 - 1)
    world.do(calls.accept_ready(lease))


def test_a_worker_after_its_head(world: World, lease: LeaseRef) -> None:
    worker = world.ready(world.staked_node("b"), lease.cluster)
    with refused("HeadNotRunning"):
        world.do(calls.accept_ready(worker))
    world.do(calls.accept_ready(lease))
    world.do(calls.accept_ready(worker))
    assert (world.of(lease).role, world.of(worker).role) == (LeaseRole.HEAD, LeaseRole.WORKER)


def test_a_worker_whose_head_ended_waits_for_the_next_head(world: World, lease: LeaseRef) -> None:
    world.do(calls.accept_ready(lease))
    worker = world.ready(world.staked_node("b"), lease.cluster)
    world.do(calls.quit_lease(lease))
    with refused("HeadNotRunning"):
        world.do(calls.accept_ready(worker))
    head = world.ready(world.staked_node("c"), lease.cluster)
    assert world.of(head).role == LeaseRole.HEAD
    world.do(calls.accept_ready(head))
    world.do(calls.accept_ready(worker))


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

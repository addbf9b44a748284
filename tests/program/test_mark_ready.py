from __future__ import annotations

import pytest
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import LeaseReady
from program import calls
from program.chain import refused
from program.refs import LeaseRef
from program.world import World

DEADLINE = 300
HASH = b"\x07" * 32


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.booked(world.staked_node(), world.cluster())


def test_all_fields_ok(world: World, lease: LeaseRef) -> None:
    world.warp(5)
    landed = world.do(calls.mark_ready(lease, report_hash=HASH))
    assert landed.events == (
        LeaseReady(
            lease=lease.key, seq=2, at=world.now, node=lease.node.key, report_hash=HASH, accept_by=world.now + 1_200
        ),
    )
    found = world.of(lease)
    assert (found.status, found.ready_at, found.ready_slot, found.seq) == (LeaseStatus.READY, world.now, world.slot, 2)
    assert (found.started_at, found.ends_at) == (0, 0)


def test_one_second_before_the_deadline(world: World, lease: LeaseRef) -> None:
    world.warp(DEADLINE - 1)
    world.do(calls.mark_ready(lease))


@pytest.mark.parametrize("late", [0, 1])
def test_at_the_deadline_fails(world: World, lease: LeaseRef, late: int) -> None:
    world.warp(DEADLINE + late)
    with refused("TooLate"):
        world.do(calls.mark_ready(lease))


def test_a_clock_that_jumped_while_the_chain_stood_still_is_no_delay(world: World, lease: LeaseRef) -> None:
    world.warp(10 * DEADLINE, slots=DEADLINE * 4 - 1)
    world.do(calls.mark_ready(lease))


def test_slots_alone_are_no_delay(world: World, lease: LeaseRef) -> None:
    world.warp(DEADLINE - 1, slots=10 * DEADLINE)
    world.do(calls.mark_ready(lease))


def test_by_another_than_the_device_key_fails(world: World, lease: LeaseRef) -> None:
    for other in (lease.node.owner, lease.cluster.renter, lease.cluster.session, world.stranger):
        with refused("NotDeviceKey"):
            world.do(calls.mark_ready(lease, other))


def test_twice_fails(world: World, lease: LeaseRef) -> None:
    world.do(calls.mark_ready(lease))
    with refused("WrongLeaseState"):
        world.do(calls.mark_ready(lease))


def test_in_any_other_state_fails(world: World, lease: LeaseRef) -> None:
    world.warp(DEADLINE)
    world.do(calls.cancel_lease(lease))
    active = world.running("b")
    for other in (lease, active):
        with refused("WrongLeaseState"):
            world.do(calls.mark_ready(other))

from __future__ import annotations

import pytest
from ionet.generated.events import LeaseApproved, LeaseSettled
from program import calls, disputes
from program.calls import NOBODY
from program.chain import refused
from program.disputes import GRACE, INTERVAL, Record, approve_lease
from program.world import HOUR, World

EACH = 16_000_000 // 6  # what one interval earns, rounded down


@pytest.fixture
def record(world: World) -> Record:
    """Six intervals proven, of which five are closed."""
    return disputes.served(world, 6)


def test_all_fields_ok(world: World, record: Record) -> None:
    lease, session = record.lease, record.lease.cluster.session
    landed = world.do(approve_lease(world, lease, 5))
    assert landed.events == (
        LeaseApproved(
            lease=lease.key,
            seq=10,
            at=world.now,
            node=lease.node.key,
            cluster=lease.cluster.key,
            through_interval=5,
            proof_head=record.head(),
            by=session.pubkey(),
        ),
    )
    assert world.of(lease).approved_through == 5


def test_what_is_approved_is_paid_at_once_and_the_rest_in_its_time(world: World, record: Record) -> None:
    lease = record.lease
    world.do(approve_lease(world, lease, 2))
    assert world.do(calls.settle_lease(lease)).event(LeaseSettled).paid == 2 * 16_000_000 // 6
    assert world.do(calls.settle_lease(lease)).events == ()
    world.do(approve_lease(world, lease, 3))
    assert world.do(calls.settle_lease(lease)).event(LeaseSettled).paid == 3 * 16_000_000 // 6
    world.warp_to(world.of(lease).started_at + 4 * INTERVAL + GRACE + HOUR)
    assert world.do(calls.settle_lease(lease)).event(LeaseSettled).payable_secs == 4 * INTERVAL


def test_by_the_renter(world: World, record: Record) -> None:
    renter = record.lease.cluster.renter
    assert world.do(approve_lease(world, record.lease, 1, by=renter)).event(LeaseApproved).by == renter.pubkey()


def test_by_another_than_the_renters_side_fails(world: World, record: Record) -> None:
    for other in (record.lease.node.owner, record.lease.node.device, world.stranger):
        with refused("NotRenterOrSession"):
            world.do(approve_lease(world, record.lease, 1, by=other))
    world.do(calls.set_session_key(record.lease.cluster, NOBODY, 0))
    with refused("NotRenterOrSession"):
        world.do(approve_lease(world, record.lease, 1))


@pytest.mark.parametrize("through", [0, 6, 7, 12, 2**32 - 1])
def test_what_is_not_closed_and_proven_fails(world: World, record: Record, through: int) -> None:
    with refused("RangeNotApprovable"):
        world.do(approve_lease(world, record.lease, through))


@pytest.mark.parametrize(("late", "allowed"), [(-1, False), (0, True)])
def test_an_interval_closes_to_the_second(world: World, record: Record, late: int, allowed: bool) -> None:
    world.warp(GRACE + late)
    call = approve_lease(world, record.lease, 6)
    if allowed:
        world.do(call)
    else:
        with refused("RangeNotApprovable"):
            world.do(call)


def test_the_same_or_less_again_fails(world: World, record: Record) -> None:
    world.do(approve_lease(world, record.lease, 3))
    for through in (2, 3):
        with refused("RangeNotApprovable"):
            world.do(approve_lease(world, record.lease, through))


def test_other_proofs_than_were_looked_at_fails(world: World, record: Record) -> None:
    call = approve_lease(world, record.lease, 5)
    world.warp(1)
    record.prove(6, 1)
    with refused("ApprovalMismatch"):
        world.do(call)


def test_while_a_dispute_is_open_fails(world: World, record: Record) -> None:
    world.do(disputes.dispute_lease(record.lease, 1, 2))
    with refused("DisputeOpen"):
        world.do(approve_lease(world, record.lease, 1))
    record.defend(1)
    world.do(approve_lease(world, record.lease, 5))
    assert world.do(calls.settle_lease(record.lease)).event(LeaseSettled).payable_secs == 5 * INTERVAL


def test_a_skipped_interval_between_is_missed_not_paid(world: World) -> None:
    record = disputes.served(world, 2)
    world.warp(INTERVAL)
    record.serve(1, first=3)
    world.warp(GRACE)
    world.do(approve_lease(world, record.lease, 4))
    world.do(calls.settle_lease(record.lease))
    found = world.of(record.lease)
    assert (found.matured_secs, found.missed_secs, found.ring_base) == (3 * INTERVAL, INTERVAL, 4)


def test_after_the_end(world: World, record: Record) -> None:
    world.do(calls.end_lease(record.lease))
    world.warp(GRACE)
    world.do(approve_lease(world, record.lease, 6))
    assert world.do(calls.settle_lease(record.lease)).event(LeaseSettled).paid == 16_000_000


def test_before_the_meter_runs_fails(world: World) -> None:
    lease = world.ready(world.staked_node("b"), world.cluster("b"))
    with refused("WrongLeaseState"):
        world.do(approve_lease(world, lease, 1))

from __future__ import annotations

import pytest
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.generated.events import DisputeResolved, LeaseEnded
from program import calls, disputes
from program.calls import NOBODY
from program.chain import refused
from program.disputes import DEFENCE, GRACE, INTERVAL, Record, dispute_lease, leave_lease
from program.world import HOUR, World


@pytest.fixture
def record(world: World) -> Record:
    return disputes.served(world, 4)


def test_all_fields_ok(world: World, record: Record) -> None:
    lease = record.lease
    world.warp(100)
    before, bonded = world.of(lease), world.of_node(lease.node).bonded
    landed = world.do(leave_lease(lease))
    until = before.started_at + 4 * INTERVAL
    assert landed.events == (
        LeaseEnded(
            lease=lease.key,
            seq=8,
            at=world.now,
            node=lease.node.key,
            node_seq=4,
            cluster=lease.cluster.key,
            reason=EndReason.UNCHALLENGED,
            ends_at_before=before.ends_at,
            ends_at=until,
            due_min_secs=0,
            by=lease.node.owner.pubkey(),
        ),
    )
    found, node, cluster = world.of(lease), world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (found.status, found.end_reason, found.ends_at, found.unchallenged) == (
        LeaseStatus.ENDED,
        EndReason.UNCHALLENGED,
        until,
        2,
    )
    assert (node.current_lease, node.bonded, node.slashed) == (NOBODY, bonded, 0)
    assert (cluster.head_lease, cluster.head_started_at) == (NOBODY, 0)


def test_he_is_paid_what_he_proved_and_charged_nothing(world: World, record: Record) -> None:
    lease = record.lease
    world.do(leave_lease(lease))
    world.final(lease)
    world.do(calls.settle_lease(lease))
    assert (world.of(lease).paid, world.of(lease).missed_secs) == (16_000_000 * 4 // 6, 0)
    world.do(calls.close_lease(lease))
    assert world.of_node(lease.node).slashed == 0


def test_in_the_middle_of_a_proven_interval_it_ends_now(world: World, record: Record) -> None:
    world.warp(100)
    record.prove(4, 100)
    world.warp(50)
    world.do(leave_lease(record.lease))
    found = world.of(record.lease)
    assert (found.ends_at, found.unchallenged, found.due_min_secs) == (world.now, 2, 0)
    record.prove(4, 150)
    with refused("LeaseOver"):
        record.prove(5, 1)


def test_the_last_two_cannot_be_defended(world: World, record: Record) -> None:
    """Who leaves although they were challenged loses the pay of what they say had no challenge."""
    lease = record.lease
    world.do(leave_lease(lease))
    world.warp(GRACE)
    world.do(dispute_lease(lease, 0, 4))
    for at in (3, 2):
        with refused("IntervalUnchallenged"):
            world.do(record.defence(at))
    record.defend(1, 0)
    found = world.of(lease)
    assert (found.matured_secs, found.undefended_secs, found.status) == (2 * INTERVAL, 2 * INTERVAL, LeaseStatus.ENDED)
    world.final(lease)
    world.do(calls.settle_lease(lease))
    world.do(calls.close_lease(lease))


def test_also_those_that_were_already_in_dispute(world: World, record: Record) -> None:
    world.do(dispute_lease(record.lease, 1, 3))
    world.do(leave_lease(record.lease))
    with refused("IntervalUnchallenged"):
        world.do(record.defence(2))
    record.defend(1)
    assert world.of(record.lease).undefended_secs == INTERVAL


def test_undefended_they_are_refunded(world: World, record: Record) -> None:
    world.do(leave_lease(record.lease))
    world.warp(GRACE)
    world.do(dispute_lease(record.lease, 2, 4))
    world.warp(DEFENCE)
    assert world.do(calls.settle_lease(record.lease)).event(DisputeResolved).undefended_secs == 2 * INTERVAL


def test_with_less_than_two_intervals_proven_fails(world: World) -> None:
    record = Record(world, world.running())
    with refused("NotServing"):
        world.do(leave_lease(record.lease))
    record.serve(1)
    with refused("NotServing"):
        world.do(leave_lease(record.lease))
    record.serve(1, first=1)
    world.do(leave_lease(record.lease))


def test_with_one_of_the_last_two_skipped_fails(world: World, record: Record) -> None:
    world.warp(INTERVAL)
    record.serve(1, first=5)
    with refused("NotServing"):
        world.do(leave_lease(record.lease))
    record.serve(1, first=6)
    world.do(leave_lease(record.lease))


@pytest.mark.parametrize(("late", "allowed"), [(-1, True), (0, False)])
def test_with_a_closed_interval_that_is_not_proven_fails(
    world: World, record: Record, late: int, allowed: bool
) -> None:
    world.warp(INTERVAL + GRACE + late)
    if allowed:
        world.do(leave_lease(record.lease))
    else:
        with refused("NotServing"):
            world.do(leave_lease(record.lease))


def test_with_missed_time_not_yet_charged_fails(world: World) -> None:
    """Leaving is not a way around a slash: first the gap is charged."""
    record = disputes.served(world, 2)
    world.warp(3 * INTERVAL)
    record.serve(2, first=5)
    with refused("NotServing"):
        world.do(leave_lease(record.lease))
    world.do(calls.report_missed(record.lease, world.stranger, rewarded=False))
    world.do(leave_lease(record.lease))
    assert world.of_node(record.lease.node).slashed > 0


def test_with_the_last_two_paid_already_fails(world: World, record: Record) -> None:
    world.warp(GRACE)
    world.do(disputes.approve_lease(world, record.lease, 3))
    world.do(calls.settle_lease(record.lease))
    with refused("NotServing"):
        world.do(leave_lease(record.lease))
    record.serve(1, first=4)
    world.do(leave_lease(record.lease))


def test_approvals_cannot_keep_a_supplier_who_has_proven_the_present_interval(world: World, record: Record) -> None:
    world.warp(1)
    record.prove(4, 1)
    with refused("RangeNotApprovable"):
        world.do(disputes.approve_lease(world, record.lease, 4))
    world.do(disputes.approve_lease(world, record.lease, 3))
    world.do(calls.settle_lease(record.lease))
    world.do(leave_lease(record.lease))


def test_by_another_than_the_owner_fails(world: World, record: Record) -> None:
    lease = record.lease
    for other in (lease.node.device, lease.cluster.renter, lease.cluster.session, world.stranger):
        with refused("NotNodeOwner"):
            world.do(leave_lease(lease, other))


def test_only_a_running_lease(world: World, record: Record) -> None:
    world.do(leave_lease(record.lease))
    ready = world.ready(world.staked_node("b"), world.cluster("b"))
    for lease in (record.lease, ready):
        with refused("WrongLeaseState"):
            world.do(leave_lease(lease))


@pytest.mark.parametrize("late", [-1, 0])
def test_only_before_the_end(world: World, late: int) -> None:
    record = disputes.served(world, 11)
    world.warp_to(world.of(record.lease).started_at + 2 * HOUR + late)
    if late:
        world.do(leave_lease(record.lease))
        return
    with refused("LeaseOver"):
        world.do(leave_lease(record.lease))

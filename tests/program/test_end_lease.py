from __future__ import annotations

import pytest
from ionet.generated.accounts import Lease
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.generated.events import LeaseEnded
from program import calls, disputes
from program.calls import NOBODY, USD, LeaseRef, ata
from program.chain import refused
from program.world import HOUR, World

INTERVAL = 600


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.running()


def finish(world: World, lease: LeaseRef) -> int:
    """Settles and closes; returns what the supplier earned before fees."""
    world.final(lease)
    world.do(calls.settle_lease(lease))
    return world.of(lease).paid


def test_by_the_renter_all_fields(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 1)
    ends_at = world.of(lease).ends_at
    landed = world.do(calls.end_lease(lease))
    assert landed.events == (
        LeaseEnded(
            lease=lease.key,
            seq=5,
            at=world.now,
            node=lease.node.key,
            node_seq=4,
            cluster=lease.cluster.key,
            reason=EndReason.RENTER,
            ends_at_before=ends_at,
            ends_at=world.now,
            due_min_secs=HOUR,
            by=lease.cluster.renter.pubkey(),
        ),
    )
    found, node, cluster = world.of(lease), world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (found.status, found.end_reason, found.ends_at, found.due_min_secs) == (
        LeaseStatus.ENDED,
        EndReason.RENTER,
        world.now,
        HOUR,
    )
    assert (node.current_lease, node.busy_until) == (NOBODY, world.now + INTERVAL + 3_600)
    assert (cluster.head_lease, cluster.head_started_at, cluster.last_activity_at) == (NOBODY, 0, world.now)


def test_the_minimum_charge_is_an_hour(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 1)
    world.do(calls.end_lease(lease))
    assert finish(world, lease) == 16_000_000
    assert world.tokens(ata(lease.node.owner, USD)) == 16_000_000 - 40_000


def test_after_more_than_an_hour_what_was_served(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 7)
    world.do(calls.end_lease(lease))
    assert finish(world, lease) == 7 * 16_000_000 // 6


def test_never_more_than_was_booked(world: World) -> None:
    lease = world.running("b", duration=1_200)
    world.serve(lease, 1)
    world.do(calls.end_lease(lease))
    assert world.of(lease).due_min_secs == 1_200
    assert finish(world, lease) == 16_000_000 // 3


def test_no_minimum_after_a_miss(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 1)
    world.warp(2 * INTERVAL)
    landed = world.do(calls.end_lease(lease))
    assert landed.event(LeaseEnded).due_min_secs == 0
    assert finish(world, lease) == 16_000_000 // 6


def test_no_minimum_when_the_last_interval_turns_out_to_be_missed(world: World, lease: LeaseRef) -> None:
    # When they end it the interval is still open for a proof; none comes.
    world.serve(lease, 1)
    world.warp(INTERVAL)
    world.do(calls.end_lease(lease))
    assert finish(world, lease) == 16_000_000 // 6


def test_no_minimum_for_a_supplier_who_never_served(world: World, lease: LeaseRef) -> None:
    world.warp(INTERVAL)
    world.do(calls.end_lease(lease))
    assert finish(world, lease) == 0
    world.do(calls.close_lease(lease))


def test_the_interval_that_is_cut_can_still_be_proven(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 6)
    world.warp(100)
    world.do(calls.end_lease(lease))
    with refused("ServedTooLong"):
        world.do(calls.append_proof(lease, 6, 101))
    world.warp(INTERVAL - 1)
    world.do(calls.append_proof(lease, 6, 100))
    assert finish(world, lease) == 16_000_000 * 3_700 // 3_600


def test_at_once(world: World, lease: LeaseRef) -> None:
    world.do(calls.end_lease(lease))
    with refused("LeaseOver"):
        world.do(calls.append_proof(lease, 0, 1))
    assert finish(world, lease) == 16_000_000
    world.do(calls.close_lease(lease))


@pytest.mark.parametrize(("missed", "fault"), [(6, False), (7, True)])
def test_by_a_stranger_after_more_than_an_hour_missed(world: World, lease: LeaseRef, missed: int, fault: bool) -> None:
    world.warp((missed + 1) * INTERVAL)
    call = calls.end_lease(lease, world.stranger)
    if not fault:
        with refused("NotSupplierFault"):
            world.do(call)
        return
    ended = world.do(call).event(LeaseEnded)
    assert (ended.reason, ended.due_min_secs, ended.by) == (3, 0, world.stranger.pubkey())
    assert finish(world, lease) == 0


def test_missed_seconds_add_up_to_the_fault(world: World, lease: LeaseRef) -> None:
    for interval in range(8):
        world.warp(INTERVAL)
        world.do(calls.append_proof(lease, interval, 100))
    # Seven intervals are closed after the eighth: 3,500 seconds unserved, then 4,000.
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, world.stranger))
    world.warp(INTERVAL)
    world.do(calls.end_lease(lease, world.stranger))


def test_by_the_renter_it_is_the_suppliers_fault_too(world: World, lease: LeaseRef) -> None:
    world.warp(8 * INTERVAL)
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).reason == EndReason.SUPPLIER_FAULT


@pytest.mark.parametrize("who", ["session", "owner", "device", "stranger"])
def test_by_anybody_else_fails(world: World, lease: LeaseRef, who: str) -> None:
    others = {
        "session": lease.cluster.session,
        "owner": lease.node.owner,
        "device": lease.node.device,
        "stranger": world.stranger,
    }
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, others[who]))


@pytest.mark.parametrize(("late", "allowed"), [(-1, True), (0, False), (1, False)])
def test_only_before_the_end(world: World, lease: LeaseRef, late: int, allowed: bool) -> None:
    world.serve(lease, 11)
    world.warp_to(world.of(lease).ends_at + late)
    if allowed:
        world.do(calls.end_lease(lease))
    else:
        with refused("LeaseOver"):
            world.do(calls.end_lease(lease))


def test_before_the_meter_runs_or_twice_fails(world: World, lease: LeaseRef) -> None:
    world.do(calls.end_lease(lease))
    ready = world.ready(world.staked_node("b"), world.cluster("b"))
    for other in (lease, ready):
        with refused("WrongLeaseState"):
            world.do(calls.end_lease(other))


def test_another_head_follows(world: World, lease: LeaseRef) -> None:
    worker = world.active(world.staked_node("b"), lease.cluster)
    world.do(calls.end_lease(worker))
    assert world.of_cluster(lease.cluster).head_lease == lease.key
    world.do(calls.end_lease(lease))
    assert world.of_cluster(lease.cluster).head_lease == NOBODY


@pytest.mark.parametrize(("defended", "paid"), [(True, 16_000_000), (False, 16_000_000 // 6)])
def test_a_dispute_alone_does_not_save_the_minimum_charge(world: World, defended: bool, paid: int) -> None:
    """Its outcome does: a renter could otherwise buy themselves out of an hour for a hundredth of ten minutes."""
    record = disputes.served(world, 2)
    lease = record.lease
    world.do(disputes.dispute_lease(lease, 0, 1))
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).due_min_secs == HOUR
    world.final(lease)
    world.do(calls.settle_lease(lease))
    # While it is not decided only the other interval is paid.
    assert (world.of(lease).paid, world.of(lease).held_secs) == (16_000_000 // 6, INTERVAL)
    if defended:
        record.defend(0)
    world.warp(disputes.DEFENCE)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).paid == paid
    world.do(calls.close_lease(lease))


def test_no_minimum_after_a_refund(world: World) -> None:
    record = disputes.served(world, 2)
    lease = record.lease
    world.forge(Lease, lease.key, defend_window_secs=60)
    world.do(disputes.dispute_lease(lease, 0, 1))
    world.warp(60)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).undefended_secs == INTERVAL
    world.do(calls.end_lease(lease))
    assert finish(world, lease) == 16_000_000 // 6


def test_no_minimum_when_what_was_disputed_after_the_end_is_refunded(world: World) -> None:
    record = disputes.served(world, 2)
    lease = record.lease
    world.do(calls.end_lease(lease))
    world.warp(disputes.GRACE)
    world.do(disputes.dispute_lease(lease, 1, 2))
    world.warp(disputes.DEFENCE)
    assert finish(world, lease) == 16_000_000 // 6


def test_the_minimum_after_a_defended_dispute(world: World) -> None:
    record = disputes.served(world, 3)
    world.do(disputes.dispute_lease(record.lease, 0, 2))
    record.defend(1, 0)
    world.do(calls.end_lease(record.lease))
    assert finish(world, record.lease) == 16_000_000

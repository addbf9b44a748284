from __future__ import annotations

import pytest
from ionet.generated.accounts import Lease
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.generated.events import LeaseEnded, NodeSlashed
from program import calls, disputes
from program.calls import NOBODY, USD, ata
from program.chain import refused
from program.refs import LeaseRef
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
            rest_secs=HOUR - INTERVAL,
            burned_secs=0,
            pending_bps=0,
            by=lease.cluster.renter.pubkey(),
        ),
    )
    found, node, cluster = world.of(lease), world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (found.status, found.end_reason, found.ends_at, found.rest_secs) == (
        LeaseStatus.ENDED,
        EndReason.RENTER,
        world.now,
        HOUR - INTERVAL,
    )
    assert (node.current_lease, node.busy_until) == (NOBODY, world.now + INTERVAL + 3_600)
    assert (cluster.head_lease, cluster.last_activity_at) == (NOBODY, world.now)


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
    assert world.of(lease).rest_secs == 1_200 - INTERVAL
    assert finish(world, lease) == 16_000_000 // 3


def test_no_minimum_after_a_miss(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 1)
    world.warp(2 * INTERVAL)
    landed = world.do(calls.end_lease(lease))
    assert landed.event(LeaseEnded).rest_secs == HOUR - 3 * INTERVAL
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


@pytest.mark.parametrize(("outage", "fault"), [(HOUR, False), (HOUR + 1, True)])
def test_by_a_stranger_after_more_than_an_hour_of_outage(
    world: World, lease: LeaseRef, outage: int, fault: bool
) -> None:
    world.warp(outage)
    call = calls.end_lease(lease, world.stranger)
    if not fault:
        with refused("NotSupplierFault"):
            world.do(call)
        return
    ended = world.do(call).event(LeaseEnded)
    # An outage of an hour is in the second tier.
    assert (ended.reason, ended.rest_secs, ended.pending_bps, ended.by) == (3, 0, 400, world.stranger.pubkey())
    assert finish(world, lease) == 0


@pytest.mark.parametrize(("served", "strangers"), [(299, True), (300, False)])
def test_only_a_kept_interval_ends_the_outage(world: World, lease: LeaseRef, served: int, strangers: bool) -> None:
    for interval in range(7):
        world.warp(INTERVAL)
        world.do(calls.append_proof(lease, interval, served))
    call = calls.end_lease(lease, world.stranger)
    if strangers:
        assert world.do(call).event(LeaseEnded).pending_bps == 400
        return
    with refused("NotSupplierFault"):
        world.do(call)


@pytest.mark.parametrize(("closed", "reason"), [(12, EndReason.RENTER), (13, EndReason.SUPPLIER_FAULT)])
def test_for_the_renter_missed_seconds_add_up_to_the_fault(world: World, closed: int, reason: EndReason) -> None:
    """Half of every interval is served: 300 seconds are missed in each, and more than an hour in thirteen."""
    lease = world.running("b", duration=5 * HOUR)
    for interval in range(closed + 1):
        world.warp(INTERVAL)
        world.do(calls.append_proof(lease, interval, 300))
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, world.stranger))
    ended = world.do(calls.end_lease(lease)).event(LeaseEnded)
    assert (ended.reason, ended.pending_bps) == (reason, 200 if reason == EndReason.SUPPLIER_FAULT else 0)


@pytest.mark.parametrize(("missed", "reason"), [(12, EndReason.RENTER), (13, EndReason.SUPPLIER_FAULT)])
def test_a_long_lease_may_miss_a_twentieth(world: World, missed: int, reason: EndReason) -> None:
    """Of 40 hours 7,200 seconds: single intervals, so that none of them is an outage."""
    lease = world.running("b", duration=100 * HOUR)
    for interval in range(240):
        world.warp(INTERVAL)
        if interval % 18 != 0 or interval // 18 >= missed:
            world.do(calls.append_proof(lease, interval, INTERVAL))
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).reason == reason


@pytest.mark.parametrize(("taken", "pending"), [(0, 200), (150, 50), (200, 0), (400, 0)])
def test_the_fault_charges_with_all_before_what_quitting_costs(world: World, taken: int, pending: int) -> None:
    lease = world.running("b", duration=5 * HOUR)
    for interval in range(14):
        world.warp(INTERVAL)
        world.do(calls.append_proof(lease, interval, 300))
    world.forge(Lease, lease.key, taken_bps=taken)
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).pending_bps == pending
    report = calls.report_missed(lease, world.stranger, rewarded=False)
    if pending == 0:
        with refused("NothingMissed"):
            world.do(report)
        return
    assert world.do(report).event(NodeSlashed).bps == pending
    with refused("NothingMissed"):
        world.do(report)


def test_what_the_outage_reached_is_due_at_once_and_nothing_is_added_later(world: World, lease: LeaseRef) -> None:
    world.warp(HOUR + 1)
    world.do(calls.end_lease(lease))
    world.warp(240 * HOUR)
    world.do(calls.settle_lease(lease))
    with refused("MissedNotCharged"):
        world.do(calls.close_lease(lease))
    assert world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed).bps == 400
    world.do(calls.close_lease(lease))


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
def test_a_dispute_does_not_save_the_minimum_charge(world: World, defended: bool, paid: int) -> None:
    """What the supplier does not get of the hour is burned: a renter cannot buy themselves out of it."""
    record = disputes.served(world, 2)
    lease = record.lease
    world.do(disputes.dispute_lease(lease, 0, 1))
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).rest_secs == HOUR - 2 * INTERVAL
    world.warp(disputes.DEFENCE - 1)
    if defended:
        record.defend(0)
    world.warp(1)
    world.do(calls.settle_lease(lease))
    # One interval longer nothing after the dispute matures.
    world.warp(INTERVAL - 1 if not defended else INTERVAL)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).burned == 0
    world.warp(1 if not defended else 0)
    world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert (found.paid, found.burned) == (paid, 0 if defended else 16_000_000 * 5 // 6)
    world.do(calls.close_lease(lease))


def test_what_was_undefended_and_the_rest_of_the_hour_are_burned(world: World) -> None:
    record = disputes.served(world, 2)
    lease = record.lease
    world.forge(Lease, lease.key, defend_window_secs=60)
    world.do(disputes.dispute_lease(lease, 0, 1))
    world.warp(60)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).undefended_secs == INTERVAL
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).rest_secs == HOUR - 2 * INTERVAL - 60
    world.do(calls.append_proof(lease, 2, 60))
    assert finish(world, lease) == 16_000_000 * 660 // 3_600
    assert world.of(lease).burned == 16_000_000 * (600 + 2_340) // 3_600


def test_what_was_disputed_after_the_end_is_burned_too(world: World) -> None:
    record = disputes.served(world, 2)
    lease = record.lease
    world.do(calls.end_lease(lease))
    world.warp(disputes.GRACE)
    world.do(disputes.dispute_lease(lease, 1, 2))
    world.warp(disputes.DEFENCE)
    assert finish(world, lease) == 16_000_000 // 6
    assert world.of(lease).burned == 0
    world.warp(INTERVAL)
    world.do(calls.settle_lease(lease))
    assert (world.of(lease).paid, world.of(lease).burned) == (16_000_000 // 6, 16_000_000 * (600 + 2_400) // 3_600)


def test_the_minimum_after_a_defended_dispute(world: World) -> None:
    record = disputes.served(world, 3)
    world.do(disputes.dispute_lease(record.lease, 0, 2))
    record.defend(1, 0)
    world.do(calls.end_lease(record.lease))
    assert finish(world, record.lease) == 16_000_000

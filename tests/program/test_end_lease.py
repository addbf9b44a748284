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
    assert world.of(lease).rest_secs == 600
    assert finish(world, lease) == 16_000_000 // 3


def test_no_minimum_after_a_miss(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 1)
    world.warp(2 * INTERVAL)
    world.do(calls.end_lease(lease))
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


@pytest.mark.parametrize(("silent", "fault"), [(HOUR, False), (HOUR + 1, True)])
def test_by_a_stranger_when_an_outage_lasts_longer_than_an_hour(
    world: World, lease: LeaseRef, silent: int, fault: bool
) -> None:
    """What the outage has reached is due at once, and at least what quitting costs."""
    world.serve(lease, 1)
    world.warp(silent)
    call = calls.end_lease(lease, world.stranger)
    if not fault:
        with refused("NotSupplierFault"):
            world.do(call)
        return
    ended = world.do(call).event(LeaseEnded)
    assert (ended.reason, ended.rest_secs, ended.by) == (EndReason.SUPPLIER_FAULT, 0, world.stranger.pubkey())
    assert ended.pending_bps == 400
    slashed = world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)
    assert slashed.bps == 400
    assert finish(world, lease) == 16_000_000 // 6
    world.do(calls.close_lease(lease))


def test_missed_seconds_that_are_no_outage_are_the_renters_to_judge(world: World, lease: LeaseRef) -> None:
    """Every interval is served by half: all are kept, so there is no outage for a stranger to end it by."""
    for interval in range(11):
        world.warp(INTERVAL)
        world.do(calls.append_proof(lease, interval, 300 if interval < 10 else 240))
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, world.stranger))
    # Ten intervals are closed: 3,000 s were missed. The renter may end it, but not as the supplier's fault.
    ended = world.do(calls.end_lease(lease)).event(LeaseEnded)
    assert (ended.reason, ended.pending_bps) == (EndReason.RENTER, 0)


def test_more_than_an_hour_missed_is_the_suppliers_fault_for_the_renter(world: World) -> None:
    """300 of 600 s for 14 intervals: 13 are closed at the end of the 14th, 3,900 s missed. Quitting's charge is due."""
    lease = world.running("b", duration=4 * HOUR)
    for interval in range(14):
        world.warp(INTERVAL)
        world.do(calls.append_proof(lease, interval, 300))
    ended = world.do(calls.end_lease(lease)).event(LeaseEnded)
    assert (ended.reason, ended.pending_bps) == (EndReason.SUPPLIER_FAULT, 200)
    assert world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed).bps == 200


@pytest.mark.parametrize(("missed", "fault"), [(5_400, False), (5_401, True)])
def test_of_a_long_lease_more_than_a_twentieth_has_to_be_missed(world: World, missed: int, fault: bool) -> None:
    """After 30 h of metered time, 1.5 h."""
    lease = world.running("b", duration=40 * HOUR)
    world.serve(lease, 180)
    world.forge(Lease, lease.key, missed_secs=missed)
    reason = EndReason.SUPPLIER_FAULT if fault else EndReason.RENTER
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).reason == reason


def test_undefended_time_counts_towards_the_fault(world: World) -> None:
    """It looks the same to the chain whether a supplier does not serve or cannot show that they did."""
    lease = world.running("b", duration=4 * HOUR)
    world.serve(lease, 12)
    world.forge(Lease, lease.key, missed_secs=1_800, undefended_secs=1_801)
    ended = world.do(calls.end_lease(lease)).event(LeaseEnded)
    assert (ended.reason, ended.pending_bps) == (EndReason.SUPPLIER_FAULT, 200)


def test_what_the_lease_was_charged_before_counts_against_quitting(world: World) -> None:
    lease = world.running("b", duration=40 * HOUR)
    world.serve(lease, 6)
    world.forge(Lease, lease.key, missed_secs=HOUR + 1, taken_bps=150)
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).pending_bps == 50


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


@pytest.mark.parametrize(("defended", "paid", "burned"), [(True, 16_000_000, 0), (False, 2_666_666, 13_333_333)])
def test_nothing_of_the_first_hour_is_refunded(world: World, defended: bool, paid: int, burned: int) -> None:
    """Two of six intervals served, one disputed: defended, the hour is the supplier's; undefended, what was disputed
    and the rest that the renter did not stay for are burned."""
    record = disputes.served(world, 2)
    lease = record.lease
    world.do(disputes.dispute_lease(lease, 0, 1))
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).rest_secs == HOUR - 2 * INTERVAL
    if defended:
        record.defend(0)
    world.warp(1)
    world.do(calls.settle_lease(lease))
    world.warp(disputes.GRACE + disputes.WINDOW + INTERVAL)
    world.do(calls.settle_lease(lease))
    found, cluster = world.of(lease), world.of_cluster(lease.cluster)
    assert (found.paid, found.burned, cluster.burned) == (paid, burned, burned)
    assert cluster.fees == found.supplier_fee + found.renter_fee + burned
    world.do(calls.close_lease(lease))


def test_a_dispute_after_the_end_burns_what_nobody_defends(world: World) -> None:
    record = disputes.served(world, 2)
    lease = record.lease
    world.do(calls.end_lease(lease))
    world.warp(disputes.GRACE)
    world.do(disputes.dispute_lease(lease, 1, 2))
    world.warp(disputes.DEFENCE)
    world.do(calls.settle_lease(lease))
    world.warp(disputes.WINDOW)
    world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert (found.paid, found.burned) == (16_000_000 // 6, 16_000_000 * 5 // 6)


def test_later_seconds_that_nobody_defends_are_refunded(world: World) -> None:
    """Eight intervals: the last two are after the first hour."""
    record = disputes.served(world, 8)
    lease = record.lease
    world.warp(disputes.GRACE)
    world.do(disputes.dispute_lease(lease, 5, 8))
    world.do(calls.end_lease(lease))
    world.warp(disputes.DEFENCE)
    world.do(calls.settle_lease(lease))
    world.warp(disputes.WINDOW + INTERVAL)
    world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert (found.undefended_secs, found.undefended_early_secs) == (3 * INTERVAL, INTERVAL)
    # The tenth interval was begun and not served, so the supplier left time unproven: nothing is burned.
    assert (found.missed_secs > 0, found.burned) == (True, 0)


def test_the_minimum_after_a_defended_dispute(world: World) -> None:
    record = disputes.served(world, 3)
    world.do(disputes.dispute_lease(record.lease, 0, 2))
    record.defend(1, 0)
    world.do(calls.end_lease(record.lease))
    world.warp(INTERVAL)
    assert finish(world, record.lease) == 16_000_000

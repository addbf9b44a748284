"""What counts as served: an interval that was kept, for at least half of its length. Proofs of a second keep nobody out
of an outage, claims that nobody can defend count as missed, and what one incident cost is never taken twice."""

from __future__ import annotations

import pytest
from ionet.generated.accounts import Lease
from ionet.generated.enums import EndReason
from ionet.generated.events import LeaseClosed, LeaseEnded, NodeSlashed
from program import calls, disputes
from program.calls import IO, ata
from program.chain import refused
from program.disputes import Record
from program.refs import LeaseRef
from program.world import H100, HOUR, World, required_stake

INTERVAL, DAY = 600, 86_400
STAKE = required_stake(H100, 8)


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.running(duration=10 * DAY)


def pretend(world: World, lease: LeaseRef, intervals: int, secs: int = 1, first: int = 0) -> None:
    """Proves a part of each interval at its end."""
    for interval in range(first, first + intervals):
        world.warp_to(world.of(lease).started_at + (interval + 1) * INTERVAL)
        world.do(calls.append_proof(lease, interval, secs))


def report(world: World, lease: LeaseRef) -> NodeSlashed:
    return world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)


# -- one-second proofs


@pytest.mark.parametrize("secs", [1, 299])
def test_125_hours_of_pretence_reach_the_highest_tier(world: World, lease: LeaseRef, secs: int) -> None:
    pretend(world, lease, 750, secs)
    slashed = report(world, lease)
    assert (slashed.bps, slashed.amount) == (5_000, STAKE // 2)
    # What was served of the closed intervals is not missed.
    assert slashed.missed_secs == 749 * (INTERVAL - secs)


@pytest.mark.parametrize(("secs", "bps"), [(INTERVAL, 0), (2 * INTERVAL, 0), (3 * INTERVAL, 200), (HOUR, 400)])
def test_the_ladder_is_climbed_as_by_silence(world: World, lease: LeaseRef, secs: int, bps: int) -> None:
    pretend(world, lease, secs // INTERVAL)
    if bps:
        assert report(world, lease).bps == bps
        return
    with refused("NothingMissed"):
        report(world, lease)


def test_after_pretence_nobody_leaves_without_a_charge(world: World, lease: LeaseRef) -> None:
    pretend(world, lease, 8)
    with refused("NotServing"):
        world.do(disputes.leave_lease(lease))
    assert world.do(calls.quit_lease(lease)).event(NodeSlashed).bps == 400


def test_leaving_needs_kept_intervals_and_nothing_due(world: World, lease: LeaseRef) -> None:
    pretend(world, lease, 2, 299)
    with refused("NotServing"):
        world.do(disputes.leave_lease(lease))
    world.do(calls.append_proof(lease, 1, 300))
    with refused("NotServing"):  # the one before it is closed by now, and was not kept
        world.do(disputes.leave_lease(lease))
    pretend(world, lease, 1, 300, first=2)
    world.do(disputes.leave_lease(lease))


def test_every_end_as_the_suppliers_fault_costs_at_least_what_quitting_does(world: World, lease: LeaseRef) -> None:
    """Three in four intervals are kept: there is no outage ever, and the charge is that of quitting."""
    for interval in range(40):
        pretend(world, lease, 1, 1 if interval % 4 == 3 else INTERVAL, first=interval)
    with refused("NothingMissed"):
        report(world, lease)
    ended = world.do(calls.end_lease(lease)).event(LeaseEnded)
    assert (ended.reason, ended.pending_bps) == (EndReason.SUPPLIER_FAULT, 200)
    assert report(world, lease).amount == STAKE * 200 // 10_000


def test_half_of_every_second_interval_is_no_outage_and_the_renters_to_end(world: World, lease: LeaseRef) -> None:
    """Nine hundred seconds are missed in two intervals: an hour in eight, and more in ten."""
    for interval in range(1, 10, 2):
        pretend(world, lease, 1, 300, first=interval)
    world.warp(INTERVAL)  # the last of them can no longer be raised
    with refused("NothingMissed"):
        report(world, lease)
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, world.stranger))
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).reason == EndReason.SUPPLIER_FAULT


# -- one incident is charged once


def test_an_unkept_proof_does_not_end_the_outage(world: World, lease: LeaseRef) -> None:
    world.warp(7 * INTERVAL)
    assert report(world, lease).bps == 400
    world.do(calls.append_proof(lease, 6, 299))
    assert (world.of(lease).charged_bps, world.of(lease).pending_bps) == (400, 0)
    with refused("NothingMissed"):
        report(world, lease)
    # It goes on, and at two days the rest of that tier is due: not all of it again.
    world.warp_to(world.of(lease).started_at + 48 * HOUR)
    assert report(world, lease).bps == 2_600
    assert world.of(lease).taken_bps == 3_000


def test_the_proof_that_makes_an_interval_a_kept_one_ends_it(world: World, lease: LeaseRef) -> None:
    world.warp(7 * INTERVAL)
    world.do(calls.append_proof(lease, 6, 299))
    assert (world.of(lease).kept_next, world.of(lease).pending_bps) == (0, 0)
    world.do(calls.append_proof(lease, 6, 300))
    assert (world.of(lease).kept_next, world.of(lease).pending_bps) == (7, 400)
    world.do(calls.append_proof(lease, 6, 600))
    assert (world.of(lease).kept_next, world.of(lease).pending_bps) == (7, 400)
    assert report(world, lease).bps == 400
    with refused("NothingMissed"):
        report(world, lease)


@pytest.mark.parametrize(("served", "kept_next", "raised"), [(299, 1, 300), (300, 2, 301)])
def test_an_extension_makes_the_last_short_interval_long(
    world: World, served: int, kept_next: int, raised: int
) -> None:
    """Half of its final length is asked: all of three hundred seconds are less than that once it has six hundred."""
    lease = world.running("b", duration=INTERVAL + served)
    world.serve(lease, 2)
    assert world.of(lease).kept_next == 2
    world.warp_to(world.of(lease).ends_at - 1)
    world.do(calls.extend_lease(lease, H100, HOUR))
    assert world.of(lease).kept_next == kept_next
    world.warp(300)
    world.do(calls.append_proof(lease, 1, raised))
    assert world.of(lease).kept_next == 2


# -- claims that nobody defends


def liar(world: World, ranges: int) -> Record:
    """Claims all of everything and answers nothing; the renter disputes each two intervals once they are closed."""
    record = Record(world, world.running(duration=10 * DAY))
    record.serve(2)
    for number in range(ranges):
        record.serve(1, first=2 + 8 * number)
        world.do(disputes.dispute_lease(record.lease, 8 * number, 8 * number + 2))
        record.serve(7, first=3 + 8 * number)
        world.do(calls.settle_lease(record.lease))
    return record


@pytest.mark.parametrize(("ranges", "reason"), [(3, EndReason.RENTER), (4, EndReason.SUPPLIER_FAULT)])
def test_undefended_claims_count_as_missed_for_the_fault(world: World, ranges: int, reason: EndReason) -> None:
    """Twelve hundred seconds are lost in each range: the fourth makes it more than an hour."""
    lease = liar(world, ranges).lease
    assert (world.of(lease).undefended_secs, world.of(lease).missed_secs) == (ranges * 1_200, 0)
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, world.stranger))
    ended = world.do(calls.end_lease(lease)).event(LeaseEnded)
    assert (ended.reason, ended.pending_bps) == (reason, 200 if reason == EndReason.SUPPLIER_FAULT else 0)


def test_they_reach_no_tier_and_compensate_nobody(world: World) -> None:
    lease = liar(world, 4).lease
    with refused("NothingMissed"):
        report(world, lease)
    world.do(calls.end_lease(lease))
    before = world.tokens(ata(lease.cluster.renter, IO))
    slashed = report(world, lease)
    assert (slashed.bps, slashed.missed_secs, slashed.to_renter) == (200, 0, 0)
    assert slashed.burned == slashed.amount == STAKE * 200 // 10_000
    assert world.tokens(ata(lease.cluster.renter, IO)) == before


def test_the_nodes_record_counts_them_as_missed(world: World) -> None:
    lease = liar(world, 4).lease
    world.do(calls.end_lease(lease))
    world.final(lease)
    report(world, lease)
    world.do(calls.settle_lease(lease))
    closed = world.do(calls.close_lease(lease)).event(LeaseClosed)
    assert (closed.undefended_secs, closed.missed_secs) == (4 * 1_200, 0)
    assert world.of_node(lease.node).missed_secs == 4 * 1_200


# -- the renter's threshold


def long_lease(world: World, missed: int, undefended: int, days: int = 20) -> LeaseRef:
    """After twenty days, of which every interval is closed, folded and kept but for this many seconds."""
    lease = world.running("b", duration=30 * DAY)
    world.warp(days * DAY)
    closed = days * DAY // INTERVAL - 1
    world.forge(
        Lease,
        lease.key,
        ring_base=closed,
        ring_next=closed,
        kept_next=closed,
        last_kept_at=world.now,
        last_kept_slot=world.slot,
        synced_at=world.now,
        synced_slot=world.slot,
        missed_secs=missed,
        undefended_secs=undefended,
    )
    return lease


@pytest.mark.parametrize(
    ("missed", "undefended", "fault"),
    [
        (3_601, 0, False),
        (86_400, 0, False),
        (86_401, 0, True),
        (0, 86_400, False),
        (0, 86_401, True),
        (40_000, 46_400, False),
        (40_000, 46_401, True),
    ],
)
def test_it_is_a_twentieth_of_the_metered_time(world: World, missed: int, undefended: int, fault: bool) -> None:
    """Of twenty days a day: not an hour of a month, which every node with 99.86 % uptime would have missed."""
    lease = long_lease(world, missed, undefended)
    ended = world.do(calls.end_lease(lease)).event(LeaseEnded)
    assert (ended.reason == EndReason.SUPPLIER_FAULT, ended.pending_bps) == (fault, 200 if fault else 0)


@pytest.mark.parametrize(("missed", "fault"), [(3_600, False), (3_601, True)])
def test_and_never_less_than_an_hour(world: World, missed: int, fault: bool) -> None:
    lease = world.running("b", duration=5 * HOUR)
    pretend(world, lease, 12, INTERVAL)
    world.forge(Lease, lease.key, undefended_secs=missed)
    assert (world.do(calls.end_lease(lease)).event(LeaseEnded).reason == EndReason.SUPPLIER_FAULT) == fault


def test_a_stranger_cannot_end_what_both_sides_want(world: World) -> None:
    """A third of the time is missed, and no outage is an hour long."""
    lease = long_lease(world, 6 * DAY, 0)
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, world.stranger))
    world.warp(HOUR)
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(lease, world.stranger))
    world.warp(1)
    world.do(calls.end_lease(lease, world.stranger))

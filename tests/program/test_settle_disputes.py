"""`settle_lease` where intervals are in dispute: what is held, burned, refunded, and what becomes of bonds."""

from __future__ import annotations

from contextlib import suppress

import pytest
from ionet.generated.errors import NothingMissed
from ionet.generated.events import ClusterClosed, DisputeResolved, LeaseEnded, LeaseSettled
from program import calls, disputes
from program.calls import USD, ata
from program.chain import refused
from program.disputes import DEFENCE, INTERVAL, Record
from program.harms.suppliers import serves_an_hour_and_claims
from program.refs import LeaseRef
from program.world import HOUR, World

HOURLY = 16_000_000
BOND = 80_000  # one percent of three intervals
BOND_OF_ONE = 26_667


@pytest.fixture
def record(world: World) -> Record:
    """Six intervals proven; the second to the fourth are in dispute."""
    return disputes.disputed(world, 6, 1, 4)


def test_what_nobody_defended_is_never_paid_all_fields(world: World, record: Record) -> None:
    lease = record.lease
    cluster = world.of_cluster(lease.cluster)
    world.warp(DEFENCE)
    ended, resolved, settled = world.do(calls.settle_lease(lease)).events
    assert isinstance(ended, LeaseEnded)
    assert resolved == DisputeResolved(
        lease=lease.key,
        seq=12,
        at=world.now,
        node=lease.node.key,
        cluster=lease.cluster.key,
        cluster_seq=cluster.seq + 1,
        undefended_secs=3 * INTERVAL,
        bond_returned=BOND,
        bond_due=0,
        cluster_locked_after=cluster.locked - BOND,
    )
    # What comes after the dispute waits an interval longer, so that it can be disputed too.
    assert isinstance(settled, LeaseSettled)
    assert (settled.paid, settled.bond_paid, settled.payable_secs) == (HOURLY // 6, 0, INTERVAL)
    found = world.of(lease)
    assert (found.undefended_secs, found.undefended_early_secs, found.held_secs) == (3 * INTERVAL, 3 * INTERVAL, 0)
    assert (found.blocked_from, found.blocked_until, found.missed_secs) == (1, world.now + INTERVAL, 0)


def finish(world: World, lease: LeaseRef) -> ClusterClosed:
    """The last second in which anything can change, then everything is paid and closed by strangers."""
    world.final(lease)
    world.do(calls.settle_lease(lease))
    with suppress(NothingMissed):
        world.do(calls.report_missed(lease, world.stranger, rewarded=False))
    world.do(calls.close_lease(lease))
    return world.do(calls.close_cluster(lease.cluster)).event(ClusterClosed)


def spent(paid_secs: int, burned_secs: int) -> tuple[int, int]:
    """What a supplier gets and what is burned for this many seconds."""
    gross = HOURLY * paid_secs // HOUR
    fee = -(-gross * 25 // 10_000)
    return gross - fee, HOURLY * burned_secs // HOUR + 2 * fee


def lost(world: World, first: int, end: int) -> LeaseRef:
    """A lease of two hours, served in full, of which nobody defends a range that was disputed when it was over."""
    record = disputes.served(world, 12)
    world.do(disputes.dispute_lease(record.lease, first, end))
    world.warp(DEFENCE)
    world.do(calls.settle_lease(record.lease))
    return record.lease


@pytest.mark.parametrize(("first", "end"), [(5, 6), (6, 7), (5, 8), (6, 11)])
def test_undefended_time_up_to_an_hour_is_burned(world: World, first: int, end: int) -> None:
    """Of the first hour and of any other."""
    lease = lost(world, first, end)
    closed = finish(world, lease)
    assert (closed.paid, closed.fees) == spent(7_200 - (end - first) * INTERVAL, (end - first) * INTERVAL)
    assert closed.refund == closed.deposit - closed.paid - closed.fees


def test_after_the_first_hour_another_hour_is_burned_and_no_more() -> None:
    """Five hours that a supplier only claimed; the one that they served is paid."""
    table = serves_an_hour_and_claims().play.table
    assert (table.paid(), table.burned()) == (HOURLY, HOURLY)


def test_a_supplier_who_left_time_unproven_is_burned_nothing_for_the_renter(world: World, record: Record) -> None:
    """Six of twelve intervals were never proven: three paid, three undefended ones of the first hour go back."""
    world.warp(DEFENCE)
    world.do(calls.settle_lease(record.lease))
    closed = finish(world, record.lease)
    assert (closed.paid, closed.fees) == spent(3 * INTERVAL, 0)


@pytest.mark.parametrize(("opened", "paid", "burned"), [((), 3, 3), ((1,), 6, 0)])
def test_the_rest_of_the_first_hour_is_the_suppliers_if_they_showed_all_challenges(
    world: World, opened: tuple[int, ...], paid: int, burned: int
) -> None:
    """The renter ends after four intervals and disputes the second."""
    record = disputes.served(world, 4)
    lease = record.lease
    world.do(calls.end_lease(lease))
    world.do(disputes.dispute_lease(lease, 1, 2))
    record.defend(*opened)
    world.warp(DEFENCE)
    world.do(calls.settle_lease(lease))
    closed = finish(world, lease)
    assert (closed.paid - (BOND_OF_ONE if opened else 0), closed.fees) == spent(paid * INTERVAL, burned * INTERVAL)


def test_a_quitter_and_one_at_fault_keep_no_first_hour(world: World) -> None:
    """What nobody defends of it goes back to the renter."""
    record = disputes.served(world, 4)
    world.do(disputes.dispute_lease(record.lease, 1, 3))
    world.do(calls.quit_lease(record.lease))
    world.warp(DEFENCE)
    world.do(calls.settle_lease(record.lease))
    closed = finish(world, record.lease)
    assert (closed.paid, closed.fees) == spent(2 * INTERVAL, 0)


@pytest.mark.parametrize("late", [-1, 0])
def test_the_time_to_defend_to_the_second(world: World, record: Record, late: int) -> None:
    world.warp(DEFENCE + late)
    world.do(calls.settle_lease(record.lease))
    assert world.of(record.lease).undefended_secs == (0 if late else 3 * INTERVAL)


def test_half_defended_half_refunded_to_the_unit(world: World) -> None:
    record = disputes.disputed(world, 5, 0, 4)
    lease = record.lease
    bond = world.of(lease).dispute_bond
    assert bond == -(-(16_000_000 * 4 // 6) // 100)
    record.defend(3, 2)
    world.warp(DEFENCE)
    landed = world.do(calls.settle_lease(lease))
    resolved, settled = landed.event(DisputeResolved), landed.event(LeaseSettled)
    assert resolved.bond_returned + resolved.bond_due == bond
    assert abs(resolved.bond_due - bond / 2) < 2
    assert (resolved.undefended_secs, settled.bond_paid) == (2 * INTERVAL, resolved.bond_due)
    assert settled.paid == HOURLY * 2 * INTERVAL // HOUR
    assert world.of(lease).bond_due == 0


def last_disputed(world: World) -> Record:
    """A lease of two hours served in full; the last interval is disputed in the second in which it can be first."""
    record = disputes.served(world, 12)
    world.warp(disputes.GRACE)
    world.do(disputes.dispute_lease(record.lease, 11, 12))
    world.warp(DEFENCE - 1)
    world.do(calls.settle_lease(record.lease))
    assert world.of(record.lease).paid == HOURLY * 11 // 6
    return record


def test_a_bond_that_is_due_is_paid_before_the_lease_can_close(world: World) -> None:
    record = last_disputed(world)
    lease = record.lease
    with refused("DisputeOpen"):
        world.do(calls.close_lease(lease))
    record.defend(11)
    world.warp(INTERVAL - 1)
    with refused("TooEarly"):
        world.do(calls.close_lease(lease))
    world.warp(1)
    with refused("NotSettled"):
        world.do(calls.close_lease(lease))
    before = world.tokens(ata(lease.node.owner, USD))
    settled = world.do(calls.settle_lease(lease)).event(LeaseSettled)
    assert (settled.bond_paid, settled.paid - settled.paid_before) == (BOND_OF_ONE, 2_666_667)
    assert world.tokens(ata(lease.node.owner, USD)) - before == settled.supplier_amount + BOND_OF_ONE
    world.do(calls.close_lease(lease))
    assert world.of_cluster(lease.cluster).locked == 0


def test_disputes_at_the_end_keep_the_lease_open_until_they_are_decided(world: World) -> None:
    """And one interval longer."""
    lease = last_disputed(world).lease
    for _ in range(2):
        with refused("DisputeOpen"):
            world.do(calls.close_lease(lease))
        world.warp(1)
    world.do(calls.settle_lease(lease))
    world.warp(INTERVAL - 1)
    with refused("TooEarly"):
        world.do(calls.close_lease(lease))
    world.warp(1)
    with refused("NotSettled"):  # what nobody defended is burned first
        world.do(calls.close_lease(lease))
    world.do(calls.settle_lease(lease), calls.close_lease(lease))


def test_slashes_and_disputes_together(world: World) -> None:
    """A gap is charged while an interval before it is in dispute; neither touches the other's seconds."""
    record = disputes.served(world, 3)
    lease = record.lease
    world.warp(3 * INTERVAL)
    record.serve(1, first=6)
    world.do(disputes.dispute_lease(lease, 1, 3))
    world.do(calls.report_missed(lease, world.stranger, rewarded=False))
    found = world.of(lease)
    assert (found.compensated_secs, found.held_secs, found.missed_secs) == (3 * INTERVAL, 2 * INTERVAL, 0)
    slashed = world.of_node(lease.node).slashed
    assert slashed == 1_600_000_000_00 * 10 * 200 // 10_000
    record.defend(2)
    world.warp(DEFENCE)
    world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert (found.matured_secs, found.undefended_secs, found.missed_secs) == (2 * INTERVAL, INTERVAL, 0)
    world.final(lease)
    world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert (found.matured_secs, found.undefended_secs, found.missed_secs) == (3 * INTERVAL, INTERVAL, 8 * INTERVAL)
    assert found.matured_secs + found.undefended_secs + found.missed_secs == found.duration

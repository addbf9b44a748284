"""`settle_lease` where intervals are in dispute: what is held, refunded, and what becomes of bonds."""

from __future__ import annotations

import pytest
from ionet.generated.events import DisputeResolved, LeaseEnded, LeaseSettled
from program import calls, disputes
from program.calls import USD, ata
from program.chain import refused
from program.disputes import DEFENCE, INTERVAL, Record
from program.world import World

BOND = 80_000  # one percent of three intervals


@pytest.fixture
def record(world: World) -> Record:
    """Six intervals proven; the second to the fourth are in dispute."""
    return disputes.disputed(world, 6, 1, 4)


def test_what_nobody_defended_is_refunded_all_fields(world: World, record: Record) -> None:
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
    assert isinstance(settled, LeaseSettled)
    assert (settled.paid, settled.bond_paid, settled.payable_secs) == (8_000_000, 0, 3 * INTERVAL)
    found = world.of(lease)
    assert (found.undefended_secs, found.held_secs, found.missed_secs) == (3 * INTERVAL, 0, 6 * INTERVAL)
    world.do(calls.report_missed(lease, world.stranger, rewarded=False))
    world.do(calls.close_lease(lease))
    assert world.of_cluster(lease.cluster).locked == 0


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
    assert settled.paid == 8_000_000
    assert world.of(lease).bond_due == 0


def test_a_bond_that_is_due_is_paid_before_the_lease_can_close(world: World) -> None:
    record = disputes.served(world, 12)
    world.warp(disputes.GRACE)
    lease = record.lease
    world.do(disputes.dispute_lease(lease, 11, 12))
    world.final(lease)
    world.do(calls.settle_lease(lease))
    with refused("DisputeOpen"):
        world.do(calls.close_lease(lease))
    record.defend(11)
    with refused("NotSettled"):
        world.do(calls.close_lease(lease))
    before = world.tokens(ata(lease.node.owner, USD))
    settled = world.do(calls.settle_lease(lease)).event(LeaseSettled)
    assert (settled.bond_paid, settled.paid - settled.paid_before) == (26_667, 2_666_667)
    assert world.tokens(ata(lease.node.owner, USD)) - before == settled.supplier_amount + 26_667
    world.do(calls.close_lease(lease))
    assert world.of_cluster(lease.cluster).locked == 0


def test_disputes_at_the_end_keep_the_lease_open_until_they_are_decided(world: World) -> None:
    record = disputes.served(world, 12)
    world.warp(disputes.GRACE)
    world.do(disputes.dispute_lease(record.lease, 11, 12))
    world.final(record.lease)
    world.do(calls.settle_lease(record.lease))
    world.warp(DEFENCE - 1 - disputes.WINDOW)
    with refused("DisputeOpen"):
        world.do(calls.close_lease(record.lease))
    world.warp(1)
    with refused("DisputeOpen"):
        world.do(calls.close_lease(record.lease))
    world.do(calls.settle_lease(record.lease))
    world.do(calls.close_lease(record.lease))


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
    assert (found.matured_secs, found.undefended_secs, found.missed_secs) == (3 * INTERVAL, INTERVAL, 8 * INTERVAL)
    assert found.matured_secs + found.undefended_secs + found.missed_secs == found.duration

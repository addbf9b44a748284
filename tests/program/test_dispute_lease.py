from __future__ import annotations

import pytest
from ionet.generated.accounts import Cluster, Lease
from ionet.generated.events import DisputeResolved, LeaseDisputed
from program import calls, disputes
from program.calls import NOBODY
from program.chain import refused, who
from program.disputes import DEFENCE, GRACE, INTERVAL, WINDOW, Record, dispute_lease
from program.world import HOUR, World


@pytest.fixture
def record(world: World) -> Record:
    """Six intervals proven, of which five are closed."""
    return disputes.served(world, 6)


def test_all_fields_ok(world: World, record: Record) -> None:
    lease, session = record.lease, record.lease.cluster.session
    before = world.of_cluster(lease.cluster)
    landed = world.do(dispute_lease(lease, 1, 4))
    bond = -(-(16_000_000 * 1_800 // 3_600) // 100)
    assert landed.events == (
        LeaseDisputed(
            lease=lease.key,
            seq=10,
            at=world.now,
            node=lease.node.key,
            cluster=lease.cluster.key,
            cluster_seq=before.seq + 1,
            from_interval=1,
            to_interval=4,
            served_secs=1_800,
            bond=bond,
            defend_by=world.now + DEFENCE,
            by=session.pubkey(),
            cluster_locked_after=before.locked + bond,
        ),
    )
    found, cluster = world.of(lease), world.of_cluster(lease.cluster)
    assert (found.dispute_from, found.dispute_to, found.held_secs, found.dispute_bond) == (1, 4, 1_800, bond)
    assert (found.disputed_at, found.disputed_slot, found.dispute_head) == (world.now, world.slot, record.head())
    assert (cluster.disputes_open, cluster.locked) == (1, before.locked + bond)


def test_what_is_held_is_neither_paid_nor_missed(world: World, record: Record) -> None:
    lease = record.lease
    world.do(dispute_lease(lease, 1, 4))
    world.warp(DEFENCE - 1)
    world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert (found.matured_secs, found.missed_secs, found.held_secs, found.undefended_secs) == (600, 0, 1_800, 0)
    assert found.paid == 16_000_000 // 6


def test_unserved_seconds_of_a_disputed_interval_are_missed_once(world: World) -> None:
    record = Record(world, world.running())
    for interval in range(3):
        world.warp(INTERVAL)
        record.prove(interval, 400)
    world.warp(GRACE)
    landed = world.do(dispute_lease(record.lease, 0, 3))
    assert landed.event(LeaseDisputed).served_secs == 1_200
    found = world.of(record.lease)
    assert (found.missed_secs, found.held_secs) == (600, 1_200)
    world.warp(DEFENCE - 1)
    world.do(calls.settle_lease(record.lease))
    assert world.of(record.lease).missed_secs == 600
    record.defend(2, 1, 0)
    # An interval later the next one, which nobody proved, is too old to be disputed as well.
    world.warp(INTERVAL + 1)
    world.do(calls.settle_lease(record.lease))
    found = world.of(record.lease)
    assert (found.ring_base, found.matured_secs, found.missed_secs) == (4, 1_200, 600 + INTERVAL)


def test_by_the_renter(world: World, record: Record) -> None:
    renter = record.lease.cluster.renter
    assert world.do(dispute_lease(record.lease, 0, 1, renter)).event(LeaseDisputed).by == renter.pubkey()


def test_by_another_than_the_renters_side_fails(world: World, record: Record) -> None:
    for other in (record.lease.node.owner, record.lease.node.device, world.stranger):
        with refused("NotRenterOrSession"):
            world.do(dispute_lease(record.lease, 0, 1, other))


@pytest.mark.parametrize(("first", "end"), [(0, 0), (2, 2), (3, 2), (5, 6), (0, 6), (6, 7), (0, 2**32 - 1)])
def test_what_is_not_closed_and_proven_fails(world: World, record: Record, first: int, end: int) -> None:
    with refused("RangeNotDisputable"):
        world.do(dispute_lease(record.lease, first, end))


def test_what_nobody_proved_fails(world: World) -> None:
    record = disputes.served(world, 2)
    world.warp(INTERVAL)
    record.serve(1, first=3)
    world.warp(GRACE)
    with refused("RangeNotDisputable"):
        world.do(dispute_lease(record.lease, 2, 3))
    landed = world.do(dispute_lease(record.lease, 1, 4))
    assert landed.event(LeaseDisputed).served_secs == 2 * INTERVAL
    assert world.of(record.lease).missed_secs == INTERVAL


@pytest.mark.parametrize(("late", "allowed"), [(-1, False), (0, True)])
def test_an_interval_closes_to_the_second(world: World, record: Record, late: int, allowed: bool) -> None:
    world.warp(GRACE + late)
    if allowed:
        world.do(dispute_lease(record.lease, 5, 6))
    else:
        with refused("RangeNotDisputable"):
            world.do(dispute_lease(record.lease, 5, 6))


@pytest.mark.parametrize(("late", "allowed"), [(-1, True), (0, False)])
def test_an_interval_matures_to_the_second(world: World, record: Record, late: int, allowed: bool) -> None:
    world.warp_to(world.of(record.lease).started_at + 2 * INTERVAL + GRACE + WINDOW + late)
    if allowed:
        world.do(dispute_lease(record.lease, 1, 2))
    else:
        with refused("RangeNotDisputable"):
            world.do(dispute_lease(record.lease, 1, 2))
        world.do(dispute_lease(record.lease, 2, 3))


def test_what_was_approved_fails(world: World, record: Record) -> None:
    world.do(disputes.approve_lease(world, record.lease, 2))
    for first in (0, 1):
        with refused("RangeNotDisputable"):
            world.do(dispute_lease(record.lease, first, 3))
    world.do(dispute_lease(record.lease, 2, 3))


def test_one_at_a_time(world: World, record: Record) -> None:
    world.do(dispute_lease(record.lease, 1, 2))
    for first in (1, 2):
        with refused("DisputeOpen"):
            world.do(dispute_lease(record.lease, first, first + 1))
    record.defend(1)
    world.do(dispute_lease(record.lease, 2, 3))


def test_what_was_defended_is_not_disputed_again(world: World, record: Record) -> None:
    world.do(dispute_lease(record.lease, 1, 3))
    record.defend(2, 1)
    for first, end in ((0, 2), (1, 2), (2, 4)):
        with refused("RangeNotDisputable"):
            world.do(dispute_lease(record.lease, first, end))
    world.do(dispute_lease(record.lease, 0, 1))


def test_what_was_refunded_is_not_disputed_again(world: World) -> None:
    """A lease with a short time to defend, so that the rest can still be disputed afterwards."""
    record = disputes.served(world, 3)
    world.forge(Lease, record.lease.key, defend_window_secs=60)
    world.do(dispute_lease(record.lease, 0, 1))
    world.warp(60)
    resolved = world.do(calls.settle_lease(record.lease)).event(DisputeResolved)
    assert resolved.undefended_secs == INTERVAL
    with refused("RangeNotDisputable"):
        world.do(dispute_lease(record.lease, 0, 2))
    world.do(dispute_lease(record.lease, 1, 2))


def test_without_a_session_key_fails(world: World, record: Record) -> None:
    world.do(calls.set_session_key(record.lease.cluster, NOBODY, 0))
    with refused("NoChallengeKey"):
        world.do(dispute_lease(record.lease, 0, 1, record.lease.cluster.renter))


@pytest.mark.parametrize(("into", "allowed"), [(0, True), (1, False)])
def test_an_interval_that_began_before_the_key_changed_fails(world: World, into: int, allowed: bool) -> None:
    """The key changes `into` the third interval: no challenge of the new key is owed before the next begins."""
    record = disputes.served(world, 2)
    world.warp(into)
    new = who("new session")
    world.do(calls.set_session_key(record.lease.cluster, new.pubkey(), world.now + HOUR * 24))
    record.key = new
    record.serve(2, first=2)
    world.warp(GRACE)
    renter = record.lease.cluster.renter
    with refused("NoChallengeKey"):
        world.do(dispute_lease(record.lease, 1, 2, renter))
    if allowed:
        world.do(dispute_lease(record.lease, 2, 3, renter))
        record.defend(2)
    else:
        with refused("NoChallengeKey"):
            world.do(dispute_lease(record.lease, 2, 4, renter))
        world.do(dispute_lease(record.lease, 3, 4, renter))
        record.defend(3)


@pytest.mark.parametrize(("early", "allowed"), [(0, True), (1, False)])
def test_an_interval_that_outlived_the_key_fails(world: World, early: int, allowed: bool) -> None:
    lease = world.running()
    record = Record(world, lease)
    session = lease.cluster.session.pubkey()
    world.do(calls.set_session_key(lease.cluster, session, world.now + 2 * INTERVAL - early))
    record.serve(2)
    world.warp(GRACE)
    renter = lease.cluster.renter
    if allowed:
        world.do(dispute_lease(lease, 0, 2, renter))
    else:
        with refused("NoChallengeKey"):
            world.do(dispute_lease(lease, 0, 2, renter))
        world.do(dispute_lease(lease, 0, 1, renter))


def test_the_bond_comes_out_of_the_free_budget(world: World) -> None:
    cluster = world.cluster("a", 32_080_000 + 26_666)
    record = Record(world, world.active(world.staked_node(), cluster))
    record.serve(2)
    world.warp(GRACE)
    with refused("BudgetTooSmall"):
        world.do(dispute_lease(record.lease, 0, 1))
    world.forge(Cluster, cluster.key, deposit=32_080_000 + 26_667)
    world.do(dispute_lease(record.lease, 0, 1))
    assert world.of(record.lease).dispute_bond == 26_667
    with refused("BudgetTooSmall"):
        world.do(calls.withdraw_budget(cluster, 1))


def test_after_the_end(world: World, record: Record) -> None:
    world.do(calls.end_lease(record.lease))
    world.warp(GRACE)
    world.do(dispute_lease(record.lease, 5, 6))
    world.final(record.lease)
    with refused("DisputeOpen"):
        world.do(calls.close_lease(record.lease))


def test_before_the_meter_runs_fails(world: World) -> None:
    lease = world.ready(world.staked_node("b"), world.cluster("b"))
    with refused("WrongLeaseState"):
        world.do(dispute_lease(lease, 0, 1))


def test_two_leases_of_a_cluster_are_disputed_side_by_side(world: World) -> None:
    first = Record(world, world.running("a"))
    second = Record(world, world.active(world.staked_node("b"), first.lease.cluster))
    world.warp(INTERVAL)
    for record in (first, second):
        record.prove(0, 1)
    world.warp(GRACE)
    for record in (first, second):
        world.do(dispute_lease(record.lease, 0, 1))
    assert world.of_cluster(first.lease.cluster).disputes_open == 2
    first.defend(0)
    assert world.of_cluster(first.lease.cluster).disputes_open == 1
    assert world.of(second.lease).held_secs == 1

from __future__ import annotations

import pytest
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.generated.events import ClusterClosed, LeaseEnded, LeaseSettled
from program import calls, disputes
from program.calls import NOBODY
from program.chain import refused, who
from program.disputes import DEFENCE, GRACE, INTERVAL, Record, dispute_lease, leave_lease
from program.refs import LeaseRef
from program.world import HOUR, World

TWO = 16_000_000 * 2 * INTERVAL // HOUR  # the price of two intervals


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
            rest_secs=0,
            burned_secs=2 * INTERVAL,
            pending_bps=0,
            by=lease.node.owner.pubkey(),
        ),
    )
    found, node, cluster = world.of(lease), world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (found.status, found.end_reason, found.ends_at, found.burned_secs) == (
        LeaseStatus.ENDED,
        EndReason.UNCHALLENGED,
        until,
        2 * INTERVAL,
    )
    assert (node.current_lease, node.bonded, node.slashed) == (NOBODY, bonded, 0)
    assert cluster.head_lease == NOBODY


def test_by_the_device_key(world: World, record: Record) -> None:
    device = record.lease.node.device
    assert world.do(leave_lease(record.lease, device)).event(LeaseEnded).by == device.pubkey()


def test_by_another_than_the_suppliers_side_fails(world: World, record: Record) -> None:
    lease = record.lease
    for other in (lease.cluster.renter, lease.cluster.session, world.stranger):
        with refused("NotSupplier"):
            world.do(leave_lease(lease, other))


def test_by_a_rotated_device_key(world: World, record: Record) -> None:
    lease, new = record.lease, who("new device")
    world.do(calls.rotate_device_key(lease.node, new))
    with refused("NotSupplier"):
        world.do(leave_lease(lease, lease.node.device))
    world.do(leave_lease(lease, new))


# -- what it costs


def fee(gross: int) -> int:
    return -(-gross * 25 // 10_000)


def close(world: World, lease: LeaseRef) -> ClusterClosed:
    """Everything is paid and closed."""
    world.final(lease)
    world.do(calls.settle_lease(lease))
    world.do(calls.close_lease(lease))
    return world.do(calls.close_cluster(lease.cluster)).event(ClusterClosed)


def test_the_renter_pays_the_last_two_intervals_and_nobody_gets_them(world: World, record: Record) -> None:
    lease = record.lease
    world.do(leave_lease(lease))
    settled = world.do(calls.settle_lease(lease)).event(LeaseSettled)
    assert (settled.burned, settled.paid, settled.supplier_amount, settled.renter_fee) == (TWO, 0, 0, 0)
    cluster = world.of_cluster(lease.cluster)
    assert (cluster.burned, cluster.fees, cluster.paid) == (TWO, TWO, 0)
    closed = close(world, lease)
    assert closed.paid == TWO - fee(TWO)
    assert closed.fees == closed.fees_to_burn == TWO + 2 * fee(TWO)
    assert closed.refund == closed.deposit - 2 * TWO - fee(TWO)
    node = world.of_node(lease.node)
    assert (node.slashed, node.served_secs, node.missed_secs) == (0, 2 * INTERVAL, 0)


def test_a_renter_who_challenges_for_an_hour_only_pays_for_every_interval_of_use(world: World) -> None:
    """Twenty minutes without a challenge, then the supplier leaves, then the next node: nothing of it is free."""
    record = disputes.served(world, 8)
    lease = record.lease
    world.do(leave_lease(lease, lease.node.device))
    closed = close(world, lease)
    six = 16_000_000
    assert (closed.paid, closed.fees) == (six - fee(six), TWO + 2 * fee(six))
    assert closed.refund == closed.deposit - six - fee(six) - TWO


@pytest.mark.parametrize(("part", "allowed"), [(299, False), (300, True)])
def test_a_false_leave_costs_two_kept_intervals(world: World, part: int, allowed: bool) -> None:
    """Half of an interval at least, not a second of it."""
    record = Record(world, world.running())
    for interval in (0, 1):
        world.warp(INTERVAL)
        record.prove(interval, part)
    if not allowed:
        with refused("NotServing"):
            world.do(leave_lease(record.lease))
        return
    world.do(leave_lease(record.lease))
    found = world.of(record.lease)
    assert (found.burned_secs, found.missed_secs) == (2 * part, 2 * (INTERVAL - part))
    assert world.do(calls.settle_lease(record.lease)).event(LeaseSettled).burned == 16_000_000 * 2 * part // HOUR


@pytest.mark.parametrize(("part", "allowed"), [(299, False), (300, True)])
def test_one_of_the_two_that_is_not_kept_fails(world: World, record: Record, part: int, allowed: bool) -> None:
    world.warp(part)
    record.prove(4, part)
    if allowed:
        world.do(leave_lease(record.lease))
        assert world.of(record.lease).burned_secs == INTERVAL + part
    else:
        with refused("NotServing"):
            world.do(leave_lease(record.lease))


def test_in_the_middle_of_a_proven_interval_it_ends_now(world: World, record: Record) -> None:
    """What ran after the last proof is nobody's; the interval is taken, and no later one can be proven."""
    world.warp(400)
    record.prove(4, 400)
    world.warp(50)
    world.do(leave_lease(record.lease))
    found = world.of(record.lease)
    assert (found.ends_at, found.burned_secs, found.missed_secs, found.rest_secs) == (world.now, 1_000, 50, 0)
    with refused("ProofLowered"):
        record.prove(4, 450)
    with refused("LeaseOver"):
        record.prove(5, 1)


# -- disputes


def test_the_last_two_cannot_be_disputed(world: World, record: Record) -> None:
    """They are burned already: neither side has anything to win."""
    lease = record.lease
    world.do(leave_lease(lease))
    world.warp(GRACE)
    for first, end in ((0, 4), (0, 3), (2, 3), (2, 4), (3, 4)):
        with refused("RangeNotDisputable"):
            world.do(dispute_lease(lease, first, end))
    world.do(dispute_lease(lease, 0, 2))
    record.defend(1, 0)
    found = world.of(lease)
    assert (found.matured_secs, found.burned_secs, found.undefended_secs) == (2 * INTERVAL, 2 * INTERVAL, 0)


def test_with_one_of_the_last_two_in_dispute_fails_until_the_next_is_proven(world: World, record: Record) -> None:
    world.do(dispute_lease(record.lease, 1, 3))
    with refused("NotServing"):
        world.do(leave_lease(record.lease))
    world.warp(INTERVAL // 2)
    record.prove(4, INTERVAL // 2)
    world.do(leave_lease(record.lease))
    found = world.of(record.lease)
    assert (found.burned_secs, found.held_secs) == (INTERVAL + INTERVAL // 2, 2 * INTERVAL)


def test_what_nobody_defends_of_the_rest_is_burned_too(world: World, record: Record) -> None:
    """Nothing of the first hour goes back to a renter, nor to a supplier who cannot show a challenge."""
    lease = record.lease
    world.do(dispute_lease(lease, 0, 2))
    world.do(leave_lease(lease))
    world.warp(DEFENCE)
    world.do(calls.settle_lease(lease))
    closed = close(world, lease)
    four = 16_000_000 * 4 * INTERVAL // HOUR
    assert (closed.paid, closed.fees, closed.refund) == (0, four, closed.deposit - four)


def test_disputes_cannot_keep_a_supplier(world: World) -> None:
    """Whatever is disputed as soon as it can be: half an interval later the last two are neither closed nor taken."""
    record = Record(world, world.running())
    for interval in range(11):
        record.serve(1, first=interval)
        if interval:
            world.do(dispute_lease(record.lease, interval - 1, interval))
            record.defend(interval - 1)
    world.warp(INTERVAL // 2)
    record.prove(11, INTERVAL // 2)
    world.do(leave_lease(record.lease))
    assert world.of(record.lease).burned_secs == INTERVAL + INTERVAL // 2


# -- when


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
    world.warp(INTERVAL // 2)
    record.prove(4, INTERVAL // 2)
    with refused("RangeNotApprovable"):
        world.do(disputes.approve_lease(world, record.lease, 4))
    world.do(disputes.approve_lease(world, record.lease, 3))
    world.do(calls.settle_lease(record.lease))
    world.do(leave_lease(record.lease))


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

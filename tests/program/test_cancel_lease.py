from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Lease, Node
from ionet.generated.enums import EndReason, LeaseStatus, SlashReason
from ionet.generated.events import LeaseCancelled, LeaseSettled, NodeFlagsChanged, NodeSlashed
from program import calls
from program.calls import ID, IO, NOBODY, USD, ata
from program.chain import refused
from program.refs import LeaseRef
from program.world import H100, USD_UNIT, World, required_stake

DAY = 86_400
PRICE, FEE = 32_000_000, 80_000
# What twenty minutes without an answer cost, before fees.
UNANSWERED = 16_000_000 * 1_200 // 3_600
STAKE = required_stake(H100, 8)


def fees(gross: int) -> int:
    """A side's fee."""
    return -(-gross * 25 // 10_000)


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.booked(world.staked_node(), world.cluster(deposit=100 * USD_UNIT))


def test_not_ready_in_time_all_fields(world: World, lease: LeaseRef) -> None:
    world.warp(300)
    landed = world.do(calls.cancel_lease(lease))
    assert landed.events == (
        LeaseCancelled(
            lease=lease.key,
            seq=2,
            at=world.now,
            node=lease.node.key,
            node_seq=4,
            cluster=lease.cluster.key,
            cluster_seq=3,
            reason=EndReason.NOT_READY,
            by=NOBODY,
            unanswered_secs=0,
            burned=0,
            released=PRICE + FEE,
            cluster_fees_after=0,
            cluster_locked_after=0,
        ),
        NodeFlagsChanged(node=lease.node.key, seq=5, at=world.now, before=0, after=16),
    )
    found, node, cluster = world.of(lease), world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (found.status, found.end_reason, found.locked) == (LeaseStatus.CANCELLED, EndReason.NOT_READY, 0)
    assert (node.current_lease, node.flags, node.promises_broken_at) == (NOBODY, 16, (world.now, 0, 0))
    assert (node.busy_until, node.unsettled) == (world.now, 0)
    assert (cluster.head_lease, cluster.fees, cluster.locked) == (NOBODY, 0, 0)
    world.do(calls.withdraw_budget(lease.cluster, 100 * USD_UNIT))


def test_not_accepted_in_time_all_fields(world: World, lease: LeaseRef) -> None:
    world.do(calls.mark_ready(lease))
    world.warp(1_200)
    landed = world.do(calls.cancel_lease(lease))
    assert landed.events == (
        LeaseCancelled(
            lease=lease.key,
            seq=3,
            at=world.now,
            node=lease.node.key,
            node_seq=4,
            cluster=lease.cluster.key,
            cluster_seq=3,
            reason=EndReason.NOT_ACCEPTED,
            by=NOBODY,
            unanswered_secs=1_200,
            burned=0,
            released=PRICE + FEE - UNANSWERED - fees(UNANSWERED),
            cluster_fees_after=0,
            cluster_locked_after=UNANSWERED + fees(UNANSWERED),
        ),
    )
    node, cluster = world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (node.flags, node.promises_broken_at[0], cluster.fees, cluster.burned) == (0, 0, 0, 0)
    with refused("BudgetTooSmall"):
        world.do(calls.withdraw_budget(lease.cluster, 100 * USD_UNIT - UNANSWERED - fees(UNANSWERED) + 1))
    with refused("NotSettled"):
        world.do(calls.close_lease(lease))
    before = world.tokens(ata(lease.node.owner, USD))
    settled = world.do(calls.settle_lease(lease)).event(LeaseSettled)
    assert (settled.payable_secs, settled.paid, settled.burned) == (1_200, UNANSWERED, 0)
    assert world.tokens(ata(lease.node.owner, USD)) - before == UNANSWERED - fees(UNANSWERED)
    assert world.do(calls.settle_lease(lease)).events == ()
    world.do(calls.close_lease(lease), calls.close_cluster(lease.cluster))
    assert world.tokens(pdas.burn_vault(ID, USD)) == 2 * fees(UNANSWERED)


@pytest.mark.parametrize("late", [0, 7 * DAY, 365 * DAY])
def test_however_late_it_is_cancelled_twenty_minutes_are_paid(world: World, lease: LeaseRef, late: int) -> None:
    world.do(calls.mark_ready(lease))
    world.warp(1_200 + late)
    world.do(calls.cancel_lease(lease))
    assert world.of(lease).unanswered_secs == 1_200


def test_a_ready_node_is_paid_for_never_more_than_was_booked(world: World) -> None:
    node = world.staked_node("b", min_duration=1)
    lease = world.ready(node, world.cluster("b"), duration=10)
    world.warp(1_200)
    cancelled = world.do(calls.cancel_lease(lease)).event(LeaseCancelled)
    assert (cancelled.unanswered_secs, cancelled.released) == (10, 0)
    assert world.do(calls.settle_lease(lease)).event(LeaseSettled).paid == 44_444


@pytest.mark.parametrize("by", ["owner", "device"])
def test_an_absent_node_is_not_hired_before_it_says_that_it_is_back(world: World, lease: LeaseRef, by: str) -> None:
    world.warp(300)
    world.do(calls.cancel_lease(lease))
    again = LeaseRef(lease.node, lease.cluster, 1)
    with refused("NodeAbsent"):
        world.do(calls.add_lease(again, H100, 7_200))
    with refused("NotSupplier"):
        world.do(calls.return_node(lease.node, lease.cluster.renter))
    world.do(calls.pause_node(lease.node, False))
    assert world.of_node(lease.node).flags == 16
    world.do(calls.return_node(lease.node, getattr(lease.node, by)), calls.add_lease(again, H100, 7_200))


def test_coming_back_does_not_lift_the_owners_pause(world: World, lease: LeaseRef) -> None:
    world.do(calls.pause_node(lease.node, True))
    world.warp(300)
    world.do(calls.cancel_lease(lease))
    assert world.of_node(lease.node).flags == 1 + 16
    world.do(calls.return_node(lease.node))
    assert world.of_node(lease.node).flags == 1


@pytest.mark.parametrize("ready", [False, True])
def test_one_second_before_the_deadline_fails(world: World, lease: LeaseRef, ready: bool) -> None:
    if ready:
        world.do(calls.mark_ready(lease))
    world.warp(1_199 if ready else 299)
    with refused("TooEarly"):
        world.do(calls.cancel_lease(lease))
    world.warp(1)
    world.do(calls.cancel_lease(lease))


def test_a_clock_that_jumped_while_the_chain_stood_still_cancels_nothing(world: World, lease: LeaseRef) -> None:
    world.warp(12_000, slots=1_199)
    with refused("TooEarly"):
        world.do(calls.cancel_lease(lease))
    world.warp(0, slots=1)
    world.do(calls.cancel_lease(lease))


def break_promise(world: World, lease: LeaseRef, number: int) -> list[object]:
    """One more lease of the same node that is never ready; returns the events of its cancellation."""
    again = LeaseRef(lease.node, lease.cluster, number)
    world.do(calls.return_node(lease.node), calls.add_lease(again, H100, 7_200))
    world.warp(300)
    return list(world.do(calls.cancel_lease(again)).events)


def test_the_third_broken_promise_is_slashed(world: World, lease: LeaseRef) -> None:
    world.do(calls.stake(lease.node, STAKE))
    world.warp(300)
    world.do(calls.cancel_lease(lease))
    assert len(break_promise(world, lease, 1)) == 2
    events = break_promise(world, lease, 2)
    charge = STAKE * 50 // 10_000
    assert events[2:] == [
        NodeSlashed(
            node=lease.node.key,
            seq=world.of_node(lease.node).seq,
            at=world.now,
            lease=LeaseRef(lease.node, lease.cluster, 2).key,
            reason=SlashReason.PROMISE,
            bps=50,
            missed_secs=0,
            amount=charge,
            from_bonded=charge,
            from_unbonding=0,
            to_renter=0,
            to_reporter=0,
            burned=charge,
            reporter=NOBODY,
            bonded_after=2 * STAKE - charge,
            unbonding_after=0,
        )
    ]
    assert world.tokens(lease.node.vault) == 2 * STAKE - charge
    assert world.tokens(pdas.burn_vault(ID, IO)) == charge
    assert world.of_node(lease.node).promises_broken_at == (0, 0, 0)
    assert len(break_promise(world, lease, 3)) == 2


@pytest.mark.parametrize(("late", "slashed"), [(-1, True), (0, False)])
def test_promises_are_counted_for_thirty_days(world: World, lease: LeaseRef, late: int, slashed: bool) -> None:
    world.warp(300)
    world.do(calls.cancel_lease(lease))
    first = world.now
    break_promise(world, lease, 1)
    world.warp_to(first + 30 * DAY - 300 + late)
    events = break_promise(world, lease, 2)
    assert any(isinstance(event, NodeSlashed) for event in events) == slashed
    known = world.of_node(lease.node).promises_broken_at
    assert known == ((0, 0, 0) if slashed else (world.now, first + 300, first))


def test_any_thirty_days_count_not_those_after_the_first(world: World, lease: LeaseRef) -> None:
    """Broken on days 0, 29, 31 and 32: three of them within four days."""
    world.warp(300)
    world.do(calls.cancel_lease(lease))
    first = world.now
    for number, day in ((1, 29), (2, 31)):
        world.warp_to(first + day * DAY - 300)
        assert len(break_promise(world, lease, number)) == 2
    world.warp_to(first + 32 * DAY - 300)
    assert isinstance(break_promise(world, lease, 3)[-1], NodeSlashed)


@pytest.mark.parametrize(("limit", "slashed"), [(1, [1]), (2, [0, 1]), (3, [0, 0, 1]), (4, [0, 0, 0, 1])])
def test_the_limit_is_a_parameter(world: World, lease: LeaseRef, limit: int, slashed: list[int]) -> None:
    world.forge(Lease, lease.key, promise_limit=limit)
    world.warp(300)
    landed = [list(world.do(calls.cancel_lease(lease)).events)]
    for number in range(1, limit):
        again = LeaseRef(lease.node, lease.cluster, number)
        world.do(calls.return_node(lease.node), calls.add_lease(again, H100, 7_200))
        world.forge(Lease, again.key, promise_limit=limit)
        world.warp(300)
        landed.append(list(world.do(calls.cancel_lease(again)).events))
    assert [sum(isinstance(event, NodeSlashed) for event in events) for events in landed] == slashed


def test_a_node_without_stake_is_absent_all_the_same(world: World, lease: LeaseRef) -> None:
    world.do(calls.request_unbond(lease.node, STAKE))
    world.forge(Node, lease.node.key, promises_broken_at=(world.now, world.now, 0), unbonding=calls.EMPTY_POOL)
    world.warp(1_200)
    landed = world.do(calls.cancel_lease(lease))
    assert [type(event) for event in landed.events] == [LeaseCancelled, NodeFlagsChanged]


def test_unbonding_stake_is_slashed_pro_rata(world: World, lease: LeaseRef) -> None:
    world.do(calls.request_unbond(lease.node, STAKE // 4))
    world.forge(Node, lease.node.key, promises_broken_at=(world.now, world.now, 0))
    world.warp(1_200)
    slashed = world.do(calls.cancel_lease(lease)).event(NodeSlashed)
    charge = STAKE * 50 // 10_000
    assert (slashed.from_bonded, slashed.from_unbonding) == (charge * 3 // 4, charge - charge * 3 // 4)


def test_a_lease_that_started_or_ended_fails(world: World, lease: LeaseRef) -> None:
    active = world.running("b")
    world.warp(1_200)
    world.do(calls.cancel_lease(lease))
    for other in (lease, active):
        with refused("WrongLeaseState"):
            world.do(calls.cancel_lease(other))
    world.do(calls.quit_lease(active))
    with refused("WrongLeaseState"):
        world.do(calls.cancel_lease(active))

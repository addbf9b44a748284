from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, Lease, Node
from ionet.generated.enums import EndReason, LeaseStatus, NodeFlag, SlashReason
from ionet.generated.events import LeaseCancelled, LeaseSettled, NodeFlagsChanged, NodeSlashed
from program import calls
from program.calls import ID, IO, NOBODY, ata
from program.chain import refused
from program.refs import LeaseRef
from program.world import H100, HOUR, USD_UNIT, World, required_stake

DAY = 86_400
PRICE, FEE = 32_000_000, 80_000
HELD = 16_000_000 * 1_200 // 3_600
HELD_FEE = -(-HELD * 25 // 10_000)
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
        NodeFlagsChanged(node=lease.node.key, seq=5, at=world.now, before=0, after=NodeFlag.ABSENT),
    )
    found, node, cluster = world.of(lease), world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (found.status, found.end_reason, found.locked) == (LeaseStatus.CANCELLED, EndReason.NOT_READY, 0)
    assert (node.current_lease, node.flags, node.promises_broken) == (NOBODY, NodeFlag.ABSENT, 1)
    assert node.busy_until == world.now
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
            released=PRICE + FEE - HELD - HELD_FEE,
            cluster_fees_after=0,
            cluster_locked_after=HELD + HELD_FEE,
        ),
    )
    node, cluster = world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (node.flags, node.promises_broken, cluster.fees) == (0, 0, 0)
    with refused("NotSettled"):
        world.do(calls.close_lease(lease))
    settled = world.do(calls.settle_lease(lease)).event(LeaseSettled)
    assert (settled.paid, settled.supplier_fee, settled.renter_fee) == (HELD, HELD_FEE, HELD_FEE)
    assert world.tokens(ata(lease.node.owner, calls.USD)) == HELD - HELD_FEE
    world.do(calls.close_lease(lease), calls.close_cluster(lease.cluster))
    assert world.tokens(pdas.burn_vault(ID, calls.USD)) == 2 * HELD_FEE


@pytest.mark.parametrize("late", [0, 7 * DAY])
def test_however_late_it_is_cancelled_the_deadlines_worth_is_owed(world: World, lease: LeaseRef, late: int) -> None:
    world.do(calls.mark_ready(lease))
    world.warp(1_200 + late)
    assert world.do(calls.cancel_lease(lease)).event(LeaseCancelled).unanswered_secs == 1_200


def test_never_more_is_owed_than_was_reserved(world: World) -> None:
    node = world.staked_node("b", min_duration=1)
    lease = world.ready(node, world.cluster("b"), duration=10)
    world.warp(1_200)
    cancelled = world.do(calls.cancel_lease(lease)).event(LeaseCancelled)
    assert (cancelled.unanswered_secs, cancelled.released) == (10, 0)
    assert world.do(calls.settle_lease(lease)).event(LeaseSettled).paid == 44_444


def test_a_price_at_the_edge_of_what_fits_blocks_no_end(world: World) -> None:
    """IO at seven millionths of a dollar: the locked price alone nearly fills 64 bits (A15)."""
    lease = world.ready(world.staked_node("b"), world.cluster("b"))
    price = 2**64 // 8 // 2 - 1
    world.forge(Lease, lease.key, price=price, locked=2 * HOUR * price * 8 // HOUR, renter_fee_bps=0)
    world.forge(Cluster, lease.cluster.key, locked=2 * HOUR * price * 8 // HOUR, deposit=2**64 - 1)
    world.warp(1_200)
    world.do(calls.cancel_lease(lease))


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
    assert world.of_node(lease.node).promises_broken == 0
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
    assert world.of_node(lease.node).promises_broken == (0 if slashed else 1)


def test_a_node_without_stake_counts_as_absent_all_the_same(world: World, lease: LeaseRef) -> None:
    world.do(calls.request_unbond(lease.node, STAKE))
    world.forge(Node, lease.node.key, promises_broken=2, promise_window_start=world.now, unbonding=calls.EMPTY_POOL)
    world.warp(300)
    landed = world.do(calls.cancel_lease(lease))
    assert [type(event) for event in landed.events] == [LeaseCancelled, NodeFlagsChanged]


def test_unbonding_stake_is_slashed_pro_rata(world: World, lease: LeaseRef) -> None:
    world.do(calls.request_unbond(lease.node, STAKE // 4))
    world.forge(Node, lease.node.key, promises_broken=2, promise_window_start=world.now)
    world.warp(300)
    slashed = world.do(calls.cancel_lease(lease)).event(NodeSlashed)
    charge = STAKE * 50 // 10_000
    assert (slashed.from_bonded, slashed.from_unbonding) == (charge * 3 // 4, charge - charge * 3 // 4)


def test_a_lease_that_started_or_ended_fails(world: World, lease: LeaseRef) -> None:
    active = world.running("b")
    world.warp(300)
    world.do(calls.cancel_lease(lease))
    for other in (lease, active):
        with refused("WrongLeaseState"):
            world.do(calls.cancel_lease(other))
    world.do(calls.quit_lease(active))
    with refused("WrongLeaseState"):
        world.do(calls.cancel_lease(active))

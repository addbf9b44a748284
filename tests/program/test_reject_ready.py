"""A renter who checked a ready node and does not want it: the time since is burned, little and at the cost of both."""

from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Lease
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.generated.events import ClusterClosed, LeaseCancelled
from program import calls
from program.calls import ID, NOBODY, USD, ata
from program.chain import refused, who
from program.refs import LeaseRef
from program.world import H100, USD_UNIT, World, required_stake

PRICE, FEE = 32_000_000, 80_000
HOURLY = 16_000_000
DEADLINE = 1_200


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.ready(world.staked_node(), world.cluster(deposit=100 * USD_UNIT))


@pytest.mark.parametrize("side", ["renter", "session"])
def test_by_renter_and_session_key_all_fields(world: World, lease: LeaseRef, side: str) -> None:
    signer = getattr(lease.cluster, side)
    node_before, vault = world.of_node(lease.node), world.tokens(lease.node.vault)
    world.warp(90)
    landed = world.do(calls.reject_ready(lease, signer))
    burned = HOURLY * 90 // 3_600
    assert landed.events == (
        LeaseCancelled(
            lease=lease.key,
            seq=3,
            at=world.now,
            node=lease.node.key,
            node_seq=4,
            cluster=lease.cluster.key,
            cluster_seq=3,
            reason=EndReason.REJECTED,
            by=signer.pubkey(),
            unanswered_secs=0,
            burned=burned,
            released=PRICE + FEE - burned,
            cluster_fees_after=burned,
            cluster_locked_after=0,
        ),
    )
    found, cluster, node = world.of(lease), world.of_cluster(lease.cluster), world.of_node(lease.node)
    assert (found.status, found.end_reason, found.locked) == (LeaseStatus.CANCELLED, EndReason.REJECTED, 0)
    assert (found.burned, found.burned_secs, found.paid, found.renter_fee) == (burned, 90, 0, 0)
    assert (cluster.fees, cluster.burned, cluster.locked, cluster.paid) == (burned, burned, 0, 0)
    assert cluster.last_activity_at == world.now
    # Neither stake nor flags nor promises: only the score knows it.
    assert (node.current_lease, node.flags, node.promises_broken_at[0], node.slashed) == (NOBODY, 0, 0, 0)
    assert (node.bonded, world.tokens(lease.node.vault)) == (node_before.bonded, vault)
    assert node.unsettled == 0


@pytest.mark.parametrize(
    ("waited", "secs"), [(0, 60), (59, 60), (60, 60), (61, 61), (600, 600), (DEADLINE - 1, DEADLINE - 1)]
)
def test_the_seconds_since_it_was_ready_and_at_least_a_minute(
    world: World, lease: LeaseRef, waited: int, secs: int
) -> None:
    world.warp(waited)
    assert world.do(calls.reject_ready(lease)).event(LeaseCancelled).burned == HOURLY * secs // 3_600


def test_it_counts_from_ready_and_not_from_the_booking(world: World) -> None:
    lease = world.booked(world.staked_node("b"), world.cluster("b"))
    world.warp(299)
    world.do(calls.mark_ready(lease))
    world.warp(100)
    world.do(calls.reject_ready(lease))
    assert world.of(lease).burned_secs == 100


@pytest.mark.parametrize(("duration", "secs"), [(10, 10), (60, 60), (61, 60)])
def test_never_more_than_is_reserved(world: World, duration: int, secs: int) -> None:
    node = world.staked_node("b", min_duration=1)
    lease = world.ready(node, world.cluster("b"), duration)
    landed = world.do(calls.reject_ready(lease)).event(LeaseCancelled)
    price = HOURLY * duration // 3_600
    assert landed.burned == HOURLY * secs // 3_600
    assert landed.released == price + -(-price * 25 // 10_000) - landed.burned


@pytest.mark.parametrize("late", [0, 1])
def test_at_the_deadline_fails(world: World, lease: LeaseRef, late: int) -> None:
    world.warp(DEADLINE + late)
    with refused("TooLate"):
        world.do(calls.reject_ready(lease))


def test_a_clock_that_jumped_while_the_chain_stood_still_costs_nothing(world: World, lease: LeaseRef) -> None:
    """Ten hours by the clock, a hundred seconds of slots."""
    world.warp(36_000, slots=400)
    world.do(calls.reject_ready(lease))
    assert world.of(lease).burned_secs == 100


def test_it_is_closed_at_once_and_the_burned_part_leaves_with_the_cluster(world: World, lease: LeaseRef) -> None:
    before = world.tokens(ata(lease.cluster.renter, USD))
    world.do(calls.reject_ready(lease), calls.close_lease(lease))
    burned = HOURLY // 60
    closed = world.do(calls.close_cluster(lease.cluster)).event(ClusterClosed)
    assert (closed.fees, closed.burned, closed.fees_to_burn, closed.paid) == (burned, burned, burned, 0)
    assert closed.refund == 100 * USD_UNIT - burned
    assert world.tokens(pdas.burn_vault(ID, USD)) == burned
    assert world.tokens(ata(lease.cluster.renter, USD)) - before == 100 * USD_UNIT - burned


def test_nothing_is_owed_to_the_supplier(world: World, lease: LeaseRef) -> None:
    world.warp(600)
    world.do(calls.reject_ready(lease))
    before = world.tokens(ata(lease.node.owner, USD))
    assert world.do(calls.settle_lease(lease)).events == ()
    assert world.tokens(ata(lease.node.owner, USD)) == before


def test_the_node_can_be_booked_again_at_once(world: World, lease: LeaseRef) -> None:
    again = LeaseRef(lease.node, lease.cluster, 1)
    world.do(calls.reject_ready(lease), calls.add_lease(again, H100, 7_200))
    world.do(calls.mark_ready(again), calls.accept_ready(again))


@pytest.mark.parametrize(("waited", "secs"), [(0, 60), (45, 60), (600, 600)])
def test_thirty_rejections_touch_neither_stake_nor_pause(world: World, waited: int, secs: int) -> None:
    """A rival's weapon if they did. Each costs the renter the time that the node was held, at least a minute, and the
    supplier the same pay; all of it is burned."""
    node, cluster, burned = world.staked_node("b"), world.cluster("b", deposit=200 * USD_UNIT), HOURLY * secs // 3_600
    before = world.of_node(node)
    held, owner = world.tokens(node.vault), world.tokens(ata(node.owner, USD))
    for number in range(1, 31):
        lease = world.ready(node, cluster)
        world.warp(waited)
        assert world.do(calls.reject_ready(lease), calls.close_lease(lease)).event(LeaseCancelled).burned == burned
        found, budget = world.of_node(node), world.of_cluster(cluster)
        assert (budget.burned, budget.fees, budget.paid, budget.locked) == (number * burned, number * burned, 0, 0)
        assert (found.flags, found.promises_broken_at[0], found.slashed, found.bonded) == (0, 0, 0, before.bonded)
        assert (world.tokens(node.vault), world.tokens(ata(node.owner, USD))) == (held, owner)
    assert found.bonded.amount == required_stake(H100, 8)
    world.active(node, cluster)
    # Nothing else was taken from the renter: the rest is theirs, but for what the new lease sets aside.
    world.do(calls.withdraw_budget(cluster, 200 * USD_UNIT - 30 * burned - PRICE - FEE))
    with refused("BudgetTooSmall"):
        world.do(calls.withdraw_budget(cluster, 1))


def test_a_renter_never_pays_both_answers(world: World, lease: LeaseRef) -> None:
    world.do(calls.reject_ready(lease))
    for call in (calls.accept_ready(lease), calls.reject_ready(lease), calls.cancel_lease(lease)):
        with refused("WrongLeaseState"):
            world.do(call)


@pytest.mark.parametrize("state", ["booked", "active"])
def test_in_any_other_state_fails(world: World, state: str) -> None:
    lease = getattr(world, state)(world.staked_node("b"), world.cluster("b"))
    with refused("WrongLeaseState"):
        world.do(calls.reject_ready(lease))


def test_by_anybody_else_fails(world: World, lease: LeaseRef) -> None:
    for other in (lease.node.owner, lease.node.device, world.stranger):
        with refused("NotRenterOrSession"):
            world.do(calls.reject_ready(lease, other))


def test_with_a_session_key_that_expired_or_was_replaced_fails(world: World, lease: LeaseRef) -> None:
    new = who("new session")
    world.do(calls.set_session_key(lease.cluster, new.pubkey(), world.now + 100))
    with refused("NotRenterOrSession"):
        world.do(calls.reject_ready(lease))
    world.warp(100)
    with refused("NotRenterOrSession"):
        world.do(calls.reject_ready(lease, new))
    world.do(calls.reject_ready(lease, lease.cluster.renter))


def test_the_floor_is_the_one_copied_at_booking(world: World, lease: LeaseRef) -> None:
    world.forge(Lease, lease.key, reject_floor_secs=7)
    world.do(calls.reject_ready(lease))
    assert world.of(lease).burned_secs == 7

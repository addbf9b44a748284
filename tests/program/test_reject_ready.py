from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.generated.events import LeaseCancelled
from program import calls
from program.calls import ID, NOBODY, USD
from program.chain import refused
from program.refs import LeaseRef
from program.world import USD_UNIT, World

PRICE, FEE = 32_000_000, 80_000


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.ready(world.staked_node(), world.cluster(deposit=100 * USD_UNIT))


def price_of(secs: int) -> int:
    return 16_000_000 * secs // 3_600


@pytest.mark.parametrize("side", ["renter", "session"])
def test_all_fields_ok(world: World, lease: LeaseRef, side: str) -> None:
    """The price of the time since it was ready is burned, without a fee; stake and flags stay."""
    world.warp(100)
    signer = getattr(lease.cluster, side)
    node_before = world.of_node(lease.node)
    landed = world.do(calls.reject_ready(lease, signer))
    burned = price_of(100)
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
    found, node, cluster = world.of(lease), world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (found.status, found.end_reason, found.locked) == (LeaseStatus.CANCELLED, EndReason.REJECTED, 0)
    assert (found.burned, found.burned_secs, cluster.burned) == (burned, 100, burned)
    assert (node.current_lease, node.flags, node.promises_broken) == (NOBODY, 0, 0)
    assert (node.bonded, node.slashed) == (node_before.bonded, 0)
    world.do(calls.close_lease(lease), calls.close_cluster(lease.cluster))
    assert world.tokens(pdas.burn_vault(ID, USD)) == burned


@pytest.mark.parametrize(("secs", "burned"), [(0, 60), (59, 60), (60, 60), (61, 61), (1_199, 1_199)])
def test_a_minute_at_least_and_to_the_second(world: World, lease: LeaseRef, secs: int, burned: int) -> None:
    world.warp(secs)
    assert world.do(calls.reject_ready(lease)).event(LeaseCancelled).burned == price_of(burned)


def test_never_more_than_was_reserved(world: World) -> None:
    node = world.staked_node("b", min_duration=1)
    lease = world.ready(node, world.cluster("b"), duration=10)
    rejected = world.do(calls.reject_ready(lease)).event(LeaseCancelled)
    assert (rejected.burned, rejected.released) == (44_444, 112)  # ten seconds; the fee goes back


def test_in_usdc_it_buys_io_later(world: World, lease: LeaseRef) -> None:
    """What is burned goes the way of the currency's fees; here IOSD, whose fees are burned."""
    world.do(calls.reject_ready(lease), calls.close_lease(lease))
    cluster = world.of_cluster(lease.cluster)
    assert cluster.deposit == world.tokens(lease.cluster.escrow) == 100 * USD_UNIT
    assert cluster.fees == cluster.burned == price_of(60)


@pytest.mark.parametrize("late", [0, 1])
def test_at_the_deadline_fails(world: World, lease: LeaseRef, late: int) -> None:
    world.warp(1_200 + late)
    with refused("TooLate"):
        world.do(calls.reject_ready(lease))


def test_by_anybody_else_fails(world: World, lease: LeaseRef) -> None:
    for other in (lease.node.owner, lease.node.device, world.stranger):
        with refused("NotRenterOrSession"):
            world.do(calls.reject_ready(lease, other))


def test_in_any_other_state_fails(world: World, lease: LeaseRef) -> None:
    world.do(calls.reject_ready(lease))
    booked = world.booked(world.staked_node("b"), lease.cluster)
    active = world.active(world.staked_node("c"), lease.cluster)
    for other in (lease, booked, active):
        with refused("WrongLeaseState"):
            world.do(calls.reject_ready(other))

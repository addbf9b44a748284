from __future__ import annotations

from typing import Any

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Cluster, DeviceModel, Iosd, Node
from ionet.generated.enums import Currency, LeaseRole, LeaseStatus
from ionet.generated.events import LeaseBooked
from program import calls
from program.calls import ID, IOSD, NOBODY
from program.chain import refused
from program.refs import LeaseRef
from program.world import H100, HOUR, T4, USD_UNIT, World, required_stake

PRICE, FEE = 32_000_000, 80_000
DAY = 86_400


@pytest.fixture
def lease(world: World) -> LeaseRef:
    """A lease to be, of a node that can be hired."""
    return LeaseRef(world.staked_node(), world.cluster(), 0)


def test_all_fields_ok(world: World, lease: LeaseRef) -> None:
    lamports = world.lamports(lease.cluster.renter.pubkey())
    landed = world.do(calls.add_lease(lease, H100, 2 * HOUR))
    assert landed.events == (
        LeaseBooked(
            lease=lease.key,
            seq=1,
            at=world.now,
            node=lease.node.key,
            node_seq=3,
            cluster=lease.cluster.key,
            cluster_seq=2,
            number=0,
            processors=8,
            price=2_000_000,
            duration=2 * HOUR,
            max_duration=30 * DAY,
            interval_secs=600,
            ready_by=world.now + 300,
            required_stake=required_stake(H100, 8),
            io_price=3_000_000,
            locked=PRICE + FEE,
            cluster_locked_after=PRICE + FEE,
        ),
    )
    found, cluster, node = world.of(lease), world.of_cluster(lease.cluster), world.of_node(lease.node)
    assert (found.status, found.role, found.number, found.currency) == (
        LeaseStatus.BOOKED,
        LeaseRole.OPEN,
        0,
        Currency.IOSD,
    )
    assert (found.booked_at, found.booked_slot, found.locked) == (world.now, world.slot, PRICE + FEE)
    assert (found.proof_head, found.ring, found.ring_next) == (bytes(32), (0,) * 16, 0)
    assert (cluster.locked, cluster.leases_booked, cluster.leases_open) == (PRICE + FEE, 1, 1)
    assert (cluster.head_lease, cluster.last_activity_at) == (NOBODY, world.now)
    assert (node.current_lease, node.next_lease_number) == (lease.key, 1)
    assert (node.busy_until, node.earlier_over_at) == (world.now + 300 + 1_200 + 2 * HOUR + 600 + 3_600, 0)
    assert lamports - world.lamports(lease.cluster.renter.pubkey()) == world.lamports(lease.key)


def test_every_parameter_is_copied(world: World, lease: LeaseRef) -> None:
    world.do(calls.add_lease(lease, H100, HOUR))
    found, params = world.of(lease), world.params
    copied = [name for name in params.__struct_fields__ if name in found.__struct_fields__]
    assert len(copied) == 25
    assert {name: getattr(found, name) for name in copied} == {name: getattr(params, name) for name in copied}


@pytest.mark.parametrize(
    ("price", "processors", "duration"), [(1, 1, 600), (1, 1, 3_601), (999_999, 7, 601), (3_333_333, 3, 12_345)]
)
def test_price_rounded_down_and_fee_rounded_up(world: World, price: int, processors: int, duration: int) -> None:
    node = world.staked_node(processors=processors, price=price)
    lease = LeaseRef(node, world.cluster(), 0)
    landed = world.do(calls.add_lease(lease, H100, duration, price))
    cost = price * processors * duration // 3_600
    assert landed.event(LeaseBooked).locked == cost + -(-cost * 25 // 10_000)


def test_a_second_lease_locks_on_top_of_the_first_and_no_head_is_named(world: World, lease: LeaseRef) -> None:
    world.do(calls.add_lease(lease, H100, HOUR))
    second = LeaseRef(world.staked_node("b", T4, 1), lease.cluster, 0)
    landed = world.do(calls.add_lease(second, T4, HOUR))
    booked = landed.event(LeaseBooked)
    assert booked.cluster_seq == 3
    assert (world.of(lease).role, world.of(second).role) == (LeaseRole.OPEN, LeaseRole.OPEN)
    assert booked.cluster_locked_after == world.of(lease).locked + booked.locked
    assert world.of_cluster(lease.cluster).head_lease == NOBODY


def test_five_nodes_in_one_transaction(world: World) -> None:
    cluster = world.cluster()
    leases = [LeaseRef(world.staked_node(name, T4, 1), cluster, 0) for name in "abcde"]
    world.do(*(calls.add_lease(lease, T4, HOUR) for lease in leases))
    assert world.of_cluster(cluster).leases_open == 5


def test_the_whole_budget_and_not_a_unit_more(world: World) -> None:
    lease = LeaseRef(world.staked_node(), world.cluster(deposit=PRICE + FEE), 0)
    with refused("BudgetTooSmall"):
        world.do(calls.add_lease(lease, H100, 2 * HOUR + 1))
    world.do(calls.add_lease(lease, H100, 2 * HOUR))


def test_an_address_that_holds_lamports_is_no_obstacle(world: World, lease: LeaseRef) -> None:
    world.fund(lease.key, 1_000_000)
    world.do(calls.add_lease(lease, H100, HOUR))


def test_no_price_of_io_known_yet(world: World, lease: LeaseRef) -> None:
    world.forge(Iosd, IOSD, last_price=0)
    assert world.do(calls.add_lease(lease, H100, HOUR)).event(LeaseBooked).io_price == 0


@pytest.mark.parametrize(("age", "known"), [(599, 3_000_000), (600, 0)])
def test_the_last_price_values_a_compensation_for_ten_minutes(
    world: World, lease: LeaseRef, age: int, known: int
) -> None:
    world.forge(Iosd, IOSD, last_price=3_000_000, last_publish_time=world.now - age)
    assert world.do(calls.add_lease(lease, H100, HOUR)).event(LeaseBooked).io_price == known


def test_more_than_the_maximum_price_fails(world: World, lease: LeaseRef) -> None:
    with refused("PriceTooHigh"):
        world.do(calls.add_lease(lease, H100, HOUR, max_price=1_999_999))
    world.do(calls.add_lease(lease, H100, HOUR, max_price=2_000_000))


@pytest.mark.parametrize("terms_seq", [0, 2])
def test_other_terms_than_were_read_fails(world: World, lease: LeaseRef, terms_seq: int) -> None:
    with refused("TermsChanged"):
        world.do(calls.add_lease(lease, H100, HOUR, terms_seq=terms_seq))


@pytest.mark.parametrize("duration", [0, 599, 30 * DAY + 1])
def test_a_duration_that_is_not_offered_fails(world: World, lease: LeaseRef, duration: int) -> None:
    with refused("DurationRefused"):
        world.do(calls.add_lease(lease, H100, duration))


@pytest.mark.parametrize("duration", [600, 30 * DAY])
def test_a_duration_at_the_bounds(world: World, lease: LeaseRef, duration: int) -> None:
    world.do(calls.add_lease(lease, H100, duration))


def test_a_node_on_another_lease_fails(world: World, lease: LeaseRef) -> None:
    world.do(calls.add_lease(lease, H100, HOUR))
    with refused("NodeBusy"):
        world.do(calls.add_lease(LeaseRef(lease.node, lease.cluster, 1), H100, HOUR))


def test_a_node_that_does_not_take_the_currency_fails(world: World) -> None:
    lease = LeaseRef(world.staked_node(currencies=Currency.USDC | Currency.IO), world.cluster(), 0)
    with refused("CurrencyRefused"):
        world.do(calls.add_lease(lease, H100, HOUR))


@pytest.mark.parametrize(
    ("error", "kind", "changes"),
    [
        ("NodeBlocked", Node, {"flags": 4}),
        ("NodeBlocked", Node, {"flags": 8}),
        ("NodePaused", Node, {"flags": 1}),
        ("NodeAbsent", Node, {"flags": 16}),
        ("NodeRetired", Node, {"flags": 2}),
        ("ModelDisabled", DeviceModel, {"enabled": 0}),
    ],
)
def test_a_node_that_cannot_be_hired_fails(
    world: World, lease: LeaseRef, error: str, kind: type[Any], changes: dict[str, Any]
) -> None:
    world.forge(kind, lease.node.key if kind is Node else pdas.model(ID, H100), **changes)
    with refused(error):
        world.do(calls.add_lease(lease, H100, HOUR))


def test_by_another_than_the_renter_fails(world: World, lease: LeaseRef) -> None:
    world.fund(lease.cluster.session.pubkey())
    for other in (lease.cluster.session, lease.node.owner):
        with refused("NotRenter"):
            world.do(calls.add_lease(lease, H100, HOUR).signed_by("renter", other))


def test_a_booking_knows_when_the_nodes_earlier_leases_are_over(world: World, lease: LeaseRef) -> None:
    world.do(calls.add_lease(lease, H100, HOUR), calls.mark_ready(lease), calls.accept_ready(lease))
    world.warp(60)
    world.do(calls.end_lease(lease))
    over_at = world.now + 600 + 3_600
    assert world.of_node(lease.node).busy_until == over_at
    world.do(calls.add_lease(LeaseRef(lease.node, lease.cluster, 1), H100, HOUR))
    node = world.of_node(lease.node)
    assert (node.earlier_over_at, node.busy_until) == (over_at, world.now + 300 + 1_200 + HOUR + 600 + 3_600)


def test_more_leases_than_can_be_counted_fails(world: World, lease: LeaseRef) -> None:
    world.forge(Cluster, lease.cluster.key, leases_booked=2**32 - 1)
    with refused("Overflow"):
        world.do(calls.add_lease(lease, H100, HOUR))


def test_deposit_is_never_reserved_twice(world: World) -> None:
    cluster = world.cluster(deposit=2 * (PRICE + FEE) - 1)
    world.booked(world.staked_node("a"), cluster)
    with refused("BudgetTooSmall"):
        world.booked(world.staked_node("b"), cluster)
    assert world.of_cluster(cluster).locked == PRICE + FEE
    assert world.tokens(cluster.escrow) == 2 * (PRICE + FEE) - 1 < 100 * USD_UNIT

from __future__ import annotations

from typing import Any

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel, Lease, Node
from ionet.generated.events import LeaseExtended
from program import calls
from program.calls import ID
from program.chain import refused
from program.refs import LeaseRef
from program.world import H100, HOUR, USD_UNIT, World

DAY = 86_400
HOURLY = 16_000_000 + 40_000


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.running()


def test_all_fields_ok(world: World, lease: LeaseRef) -> None:
    before = world.of(lease)
    landed = world.do(calls.extend_lease(lease, H100, HOUR))
    assert landed.events == (
        LeaseExtended(
            lease=lease.key,
            seq=4,
            at=world.now,
            cluster=lease.cluster.key,
            cluster_seq=4,
            node=lease.node.key,
            node_seq=4,
            duration_before=2 * HOUR,
            duration=3 * HOUR,
            ends_at=before.ends_at + HOUR,
            added_amount=HOURLY,
            cluster_locked_after=3 * HOURLY,
        ),
    )
    found = world.of(lease)
    assert (found.duration, found.ends_at, found.locked) == (3 * HOUR, before.ends_at + HOUR, 3 * HOURLY)
    assert found.price == before.price
    assert world.of_cluster(lease.cluster).locked == 3 * HOURLY


def test_second_by_second_costs_what_one_extension_costs(world: World) -> None:
    node = world.staked_node("b", price=999_999, processors=7)
    lease = world.active(node, world.cluster("b"))
    for _ in range(50):
        world.do(calls.extend_lease(lease, H100, 7))
    price = 999_999 * 7 * (2 * HOUR + 350) // 3_600
    assert world.of(lease).locked == price + -(-price * 25 // 10_000)


def test_the_added_time_is_served_and_paid(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 11)
    world.warp_to(world.of(lease).ends_at - 1)
    world.do(calls.extend_lease(lease, H100, HOUR))
    world.serve(lease, 7, first=11)
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease))
    assert world.of_node(lease.node).earned == 48_000_000
    assert world.of_node(lease.node).missed_secs == 0


def test_an_interval_that_was_the_short_last_one_grows(world: World) -> None:
    lease = world.running("b", duration=1_000)
    world.serve(lease, 1)
    world.warp(399)
    world.do(calls.append_proof(lease, 1, 399))
    world.do(calls.extend_lease(lease, H100, 600))
    world.warp(201)
    world.do(calls.append_proof(lease, 1, 600))
    assert world.of(lease).ring[:2] == (600, 600)


def test_up_to_the_maximum_as_copied_at_booking(world: World, lease: LeaseRef) -> None:
    world.do(calls.update_node(lease.node, calls.terms(lease.node.owner, max_duration=366 * DAY)))
    most = 30 * DAY - 2 * HOUR
    for extra in (most + 1, 2**32 - 1 - 2 * HOUR):
        with refused("DurationRefused"):
            world.do(calls.extend_lease(lease, H100, extra))
    with refused("Overflow"):
        world.do(calls.extend_lease(lease, H100, 2**32 - 1))
    world.do(calls.extend_lease(lease, H100, most))


@pytest.mark.parametrize(("late", "allowed"), [(-1, True), (0, False), (1, False)])
def test_only_before_the_end(world: World, lease: LeaseRef, late: int, allowed: bool) -> None:
    world.warp(2 * HOUR + late)
    if allowed:
        world.do(calls.extend_lease(lease, H100, 1))
    else:
        with refused("TooLate"):
            world.do(calls.extend_lease(lease, H100, 1))


def test_zero_fails(world: World, lease: LeaseRef) -> None:
    with refused("ZeroAmount"):
        world.do(calls.extend_lease(lease, H100, 0))


def test_more_than_the_budget_fails(world: World) -> None:
    lease = world.active(world.staked_node("b"), world.cluster("b", deposit=40 * USD_UNIT))
    with refused("BudgetTooSmall"):
        world.do(calls.extend_lease(lease, H100, HOUR))


@pytest.mark.parametrize("state", ["booked", "ready"])
def test_before_the_meter_runs_fails(world: World, state: str) -> None:
    lease = getattr(world, state)(world.staked_node("b"), world.cluster("b"))
    with refused("WrongLeaseState"):
        world.do(calls.extend_lease(lease, H100, HOUR))


def test_after_an_early_end_fails(world: World, lease: LeaseRef) -> None:
    world.do(calls.end_lease(lease))
    with refused("WrongLeaseState"):
        world.do(calls.extend_lease(lease, H100, HOUR))


@pytest.mark.parametrize(
    ("error", "kind", "changes"),
    [
        ("NodeBlocked", Node, {"flags": 4}),
        ("NodeRetired", Node, {"flags": 2}),
        ("NodePaused", Node, {"flags": 1}),
        ("ModelDisabled", DeviceModel, {"enabled": 0}),
    ],
)
def test_a_node_that_cannot_be_hired_fails(
    world: World, lease: LeaseRef, error: str, kind: type[Any], changes: dict[str, Any]
) -> None:
    world.forge(kind, lease.node.key if kind is Node else pdas.model(ID, H100), **changes)
    with refused(error):
        world.do(calls.extend_lease(lease, H100, HOUR))


def test_by_another_than_the_renter_fails(world: World, lease: LeaseRef) -> None:
    for other in (lease.cluster.session, lease.node.owner, world.stranger):
        with refused("NotRenter"):
            world.do(calls.extend_lease(lease, H100, HOUR).signed_by("renter", other))


def test_the_ring_still_holds_every_open_interval(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 11)
    world.do(calls.extend_lease(lease, H100, 3 * HOUR))
    world.serve(lease, 19, first=11)
    found = world.get(Lease, lease.key)
    assert (found.ring_next, found.missed_secs) == (30, 0)
    assert found.matured_secs + sum(found.ring) == 5 * HOUR

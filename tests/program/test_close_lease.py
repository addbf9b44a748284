from __future__ import annotations

import pytest
from ionet.generated.events import LeaseClosed
from program import calls, disputes
from program.chain import refused
from program.refs import LeaseRef
from program.world import World
from solders.system_program import TransferParams, transfer

INTERVAL = 600


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.running()


def test_all_fields_ok(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 11)
    world.warp_to(world.of(lease).ends_at + INTERVAL + 3_600)
    world.do(calls.settle_lease(lease))
    paid = 16_000_000 * 11 // 6
    fee = -(-paid * 25 // 10_000)
    rent, lamports = world.lamports(lease.key), world.lamports(lease.cluster.renter.pubkey())
    landed = world.do(calls.close_lease(lease))
    assert landed.events == (
        LeaseClosed(
            lease=lease.key,
            seq=17,
            at=world.now,
            node=lease.node.key,
            node_seq=6,
            cluster=lease.cluster.key,
            cluster_seq=5,
            paid=paid,
            supplier_fee=fee,
            renter_fee=fee,
            burned=0,
            served_secs=6_600,
            missed_secs=600,
            undefended_secs=0,
            released=32_080_000 - paid - fee,
            cluster_locked_after=0,
        ),
    )
    assert not world.exists(lease.key)
    assert world.lamports(lease.cluster.renter.pubkey()) - lamports == rent
    node, cluster = world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (node.leases_closed, node.served_secs, node.missed_secs, node.earned) == (1, 6_600, 600, paid)
    assert (cluster.leases_open, cluster.locked, cluster.last_activity_at) == (0, 0, world.now)


def test_a_cancelled_lease(world: World) -> None:
    lease = world.booked(world.staked_node("b"), world.cluster("b"))
    world.warp(300)
    world.do(calls.cancel_lease(lease))
    closed = world.do(calls.close_lease(lease)).event(LeaseClosed)
    assert (closed.paid, closed.served_secs, closed.missed_secs, closed.released) == (0, 0, 0, 0)


def test_settled_and_closed_in_one_transaction(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 12)
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease), calls.close_cluster(lease.cluster))
    assert not any(world.exists(key) for key in (lease.key, lease.cluster.key, lease.cluster.escrow))


@pytest.mark.parametrize("late", [-1, 0, 1])
def test_the_last_window_to_the_second(world: World, lease: LeaseRef, late: int) -> None:
    world.serve(lease, 12)
    world.warp(INTERVAL + 3_600 + late)
    world.do(calls.settle_lease(lease))
    if late < 0:
        with refused("TooEarly"):
            world.do(calls.close_lease(lease))
    else:
        world.do(calls.close_lease(lease))


@pytest.mark.parametrize("state", ["booked", "ready", "active"])
def test_an_open_lease_fails(world: World, state: str) -> None:
    lease = getattr(world, state)(world.staked_node("b"), world.cluster("b"))
    world.warp(30 * 86_400)
    with refused("WrongLeaseState"):
        world.do(calls.close_lease(lease))


def test_before_it_is_settled_fails(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 12)
    world.do(calls.settle_lease(lease))  # ends it, but nothing more than five hours' worth has matured
    world.final(lease)
    with refused("NotSettled"):
        world.do(calls.close_lease(lease))
    world.do(calls.settle_lease(lease), calls.close_lease(lease))


def test_before_the_minimum_charge_is_paid_fails(world: World, lease: LeaseRef) -> None:
    world.do(calls.end_lease(lease))
    world.final(lease)
    with refused("NotSettled"):
        world.do(calls.close_lease(lease))


@pytest.mark.parametrize("ends", [True, False])
def test_before_missed_tiers_are_charged_fails(world: World, lease: LeaseRef, ends: bool) -> None:
    if ends:  # the outage reaches the end of the lease
        world.serve(lease, 3)
    else:  # an outage in the middle is still pending
        world.warp(3 * INTERVAL)
        world.serve(lease, 9, first=3)
    world.final(lease)
    world.do(calls.settle_lease(lease))
    with refused("MissedNotCharged"):
        world.do(calls.close_lease(lease))
    world.do(calls.report_missed(lease, world.stranger, rewarded=False), calls.close_lease(lease))


def test_time_after_a_restart_is_nobodys_fault_and_needs_no_charge(world: World, lease: LeaseRef) -> None:
    world.warp(1)
    world.svm.set_last_restart_slot(world.slot - 1)
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease))
    assert world.of_node(lease.node).missed_secs == 0


@pytest.mark.parametrize(("late", "closes"), [(-1, False), (0, True)])
def test_after_a_dispute_one_interval_longer(world: World, late: int, closes: bool) -> None:
    """What nobody disputed in time still waits for it, so that the renter can dispute the next range."""
    record = disputes.served(world, 12)
    world.warp(INTERVAL)
    world.do(disputes.dispute_lease(record.lease, 11, 12))
    world.warp(disputes.DEFENCE)
    world.do(calls.settle_lease(record.lease))
    world.warp(INTERVAL + late)
    world.do(calls.settle_lease(record.lease))
    if closes:
        closed = world.do(calls.close_lease(record.lease)).event(LeaseClosed)
        assert (closed.served_secs, closed.missed_secs, closed.undefended_secs) == (6_600, 0, 600)
        # Undefended is missed in the node's record.
        assert world.of_node(record.lease.node).missed_secs == 600
    else:
        with refused("TooEarly"):
            world.do(calls.close_lease(record.lease))


def test_a_rejected_lease(world: World) -> None:
    lease = world.ready(world.staked_node("b"), world.cluster("b"))
    world.do(calls.reject_ready(lease))
    closed = world.do(calls.close_lease(lease)).event(LeaseClosed)
    assert (closed.paid, closed.burned, closed.served_secs, closed.released) == (0, 16_000_000 // 60, 0, 0)


def test_used_again_in_the_same_transaction_fails(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 12)
    world.final(lease)
    world.do(calls.settle_lease(lease))
    params = TransferParams(from_pubkey=world.payer.pubkey(), to_pubkey=lease.key, lamports=10**9)
    for after in (calls.close_lease(lease), calls.settle_lease(lease)):
        with refused("AccountDataTooSmall"):
            world.do(calls.close_lease(lease), after)
        revived = [calls.close_lease(lease).instruction, transfer(params), after.instruction]
        with refused("AccountDataTooSmall"):
            world.send(revived, [world.payer])


def test_used_again_later_fails(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 12)
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease))
    with refused("AccountDataTooSmall"):
        world.do(calls.close_lease(lease))
    world.fund(lease.key)
    with refused("AccountDataTooSmall"):
        world.do(calls.close_lease(lease))

from __future__ import annotations

import pytest
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.generated.events import LeaseEnded, LeaseSettled
from program import calls
from program.calls import IO, NOBODY, USD, ata
from program.chain import refused, who
from program.refs import LeaseRef
from program.world import H100, HOUR, World

INTERVAL, WINDOW = 600, 3_600


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.running()


def test_what_has_matured_all_fields(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 3)
    start = world.of(lease).started_at
    world.warp_to(start + 3 * INTERVAL + INTERVAL + WINDOW - 1)  # the third is disputable for one second more
    world.do(calls.append_proof(lease, 9, 1))
    landed = world.do(calls.settle_lease(lease))
    gross = 16_000_000 * 1_200 // 3_600
    fee = -(-gross * 25 // 10_000)
    assert landed.events == (
        LeaseSettled(
            lease=lease.key,
            seq=8,
            at=world.now,
            node=lease.node.key,
            node_seq=5,
            cluster=lease.cluster.key,
            cluster_seq=4,
            payable_secs=1_200,
            missed_secs=0,
            paid_before=0,
            paid=gross,
            supplier_amount=gross - fee,
            supplier_fee=fee,
            renter_fee=fee,
            burned=0,
            payout=lease.node.owner.pubkey(),
            cluster_paid_after=gross - fee,
            cluster_fees_after=2 * fee,
            cluster_locked_after=32_080_000 - gross - fee,
            bond_paid=0,
            to_stakers=0,
            owed=False,
        ),
    )
    assert world.tokens(ata(lease.node.owner, USD)) == gross - fee
    assert world.tokens(lease.cluster.escrow) == world.of_cluster(lease.cluster).deposit - (gross - fee)
    found, cluster = world.of(lease), world.of_cluster(lease.cluster)
    assert (found.paid, found.supplier_fee, found.renter_fee) == (gross, fee, fee)
    assert (found.matured_secs, found.missed_secs, found.ring_base, found.status) == (
        1_200,
        0,
        2,
        LeaseStatus.ACTIVE,
    )
    assert (cluster.paid, cluster.fees, cluster.refunded) == (gross - fee, 2 * fee, 0)


@pytest.mark.parametrize(("late", "paid"), [(-1, 0), (0, 2_666_666), (1, 2_666_666)])
def test_the_window_to_the_second(world: World, lease: LeaseRef, late: int, paid: int) -> None:
    world.serve(lease, 1)
    world.warp(INTERVAL + WINDOW + late)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).paid == paid


def test_with_nothing_to_pay_it_does_nothing(world: World, lease: LeaseRef) -> None:
    before = world.raw(lease.key).data
    assert world.do(calls.settle_lease(lease)).events == ()
    assert world.raw(lease.key).data == before


def test_after_the_end_it_ends_the_lease_all_fields(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 12)
    world.final(lease)
    ends_at = world.of(lease).ends_at
    landed = world.do(calls.settle_lease(lease))
    ended, settled = landed.events
    assert ended == LeaseEnded(
        lease=lease.key,
        seq=16,
        at=world.now,
        node=lease.node.key,
        node_seq=4,
        cluster=lease.cluster.key,
        reason=EndReason.EXPIRED,
        ends_at_before=ends_at,
        ends_at=ends_at,
        rest_secs=0,
        burned_secs=0,
        pending_bps=0,
        by=NOBODY,
    )
    assert (settled.seq, settled.paid, settled.cluster_locked_after) == (17, 32_000_000, 0)
    node, cluster = world.of_node(lease.node), world.of_cluster(lease.cluster)
    assert (node.current_lease, node.busy_until, cluster.head_lease) == (
        NOBODY,
        ends_at + 300 + 1_200 + 600 + 3_600,
        NOBODY,
    )


def test_at_its_end_the_node_is_free_for_the_next_lease(world: World, lease: LeaseRef) -> None:
    world.warp(2 * HOUR - 1)
    assert world.do(calls.settle_lease(lease)).events == ()
    with refused("NodeBusy"):
        world.do(calls.add_lease(LeaseRef(lease.node, lease.cluster, 1), H100, HOUR))
    world.warp(1)
    assert world.do(calls.settle_lease(lease)).event(LeaseEnded).reason == EndReason.EXPIRED
    world.do(calls.add_lease(LeaseRef(lease.node, lease.cluster, 1), H100, HOUR))


def test_missed_time_is_never_paid(world: World, lease: LeaseRef) -> None:
    for interval in range(12):
        world.warp(INTERVAL)
        if interval % 3:
            world.do(calls.append_proof(lease, interval, interval * 50 + 7))
    served = sum(interval * 50 + 7 for interval in range(12) if interval % 3)
    world.final(lease)
    settled = world.do(calls.settle_lease(lease)).event(LeaseSettled)
    assert (settled.payable_secs, settled.missed_secs) == (served, 2 * HOUR - served)
    assert settled.paid == 16_000_000 * served // 3_600


def test_a_raised_proof_counts_once(world: World, lease: LeaseRef) -> None:
    world.warp(300)
    world.do(calls.append_proof(lease, 0, 300))
    world.warp(300)
    world.do(calls.append_proof(lease, 0, 600))
    world.warp(INTERVAL + WINDOW)
    assert world.do(calls.settle_lease(lease)).event(LeaseSettled).payable_secs == 600


def test_a_hundred_settlements_pay_what_one_pays(world: World) -> None:
    leases = []
    for name in "ab":
        node = world.staked_node(name, price=1_234_567, processors=7)
        leases.append(world.active(node, world.cluster(name), 3 * HOUR))
    often, once = leases
    for interval in range(18):
        for step in range(6):
            world.warp(100)
            for lease in leases:
                world.do(calls.append_proof(lease, interval, (step + 1) * 100 - interval))
            world.do(calls.settle_lease(often))
    for _ in range(8):
        world.warp(INTERVAL)
        world.do(calls.settle_lease(often))
    world.do(calls.settle_lease(once))
    first, second = world.of(often), world.of(once)
    assert first.seq > second.seq
    names = ("paid", "supplier_fee", "renter_fee", "matured_secs", "missed_secs", "locked", "proof_count")
    assert {name: getattr(first, name) for name in names} == {name: getattr(second, name) for name in names}
    assert world.tokens(ata(often.node.owner, USD)) == world.tokens(ata(once.node.owner, USD)) > 0


def test_to_the_payout_wallet(world: World) -> None:
    payout = who("payout")
    node = world.staked_node("b", payout=payout.pubkey())
    lease = world.active(node, world.cluster("b"))
    world.serve(lease, 12)
    world.final(lease)
    with refused("NotAssociatedAccount"):
        world.do(calls.settle_lease(lease))
    create = calls.create_ata(world.payer, payout, USD)
    world.do(calls.settle_lease(lease, payout), also=[create])
    assert world.tokens(ata(payout, USD)) == 31_920_000


def test_to_anything_but_the_associated_account_fails(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 12)
    world.final(lease)
    second = world.token_account("second", lease.node.owner.pubkey(), USD)
    for wrong in (ata(lease.node.owner, IO), ata(lease.cluster.renter, USD), second):
        with refused("NotAssociatedAccount"):
            world.do(calls.settle_lease(lease).swapped(payout_account=wrong))


@pytest.mark.parametrize("state", ["booked", "ready"])
def test_before_the_meter_runs_fails(world: World, state: str) -> None:
    lease = getattr(world, state)(world.staked_node("b"), world.cluster("b"))
    with refused("WrongLeaseState"):
        world.do(calls.settle_lease(lease))


def test_after_a_cancellation_that_owes_nothing_it_does_nothing(world: World) -> None:
    lease = world.booked(world.staked_node("b"), world.cluster("b"))
    world.warp(300)
    world.do(calls.cancel_lease(lease))
    assert world.do(calls.settle_lease(lease)).events == ()
    world.do(calls.close_lease(lease))


def test_a_ready_node_that_nobody_answered_is_paid_once(world: World) -> None:
    lease = world.ready(world.staked_node("b"), world.cluster("b"))
    world.warp(1_200)
    world.do(calls.cancel_lease(lease))
    gross = 16_000_000 // 3
    settled = world.do(calls.settle_lease(lease)).event(LeaseSettled)
    assert (settled.payable_secs, settled.paid, settled.supplier_fee) == (1_200, gross, -(-gross * 25 // 10_000))
    assert (settled.cluster_locked_after, world.of(lease).locked) == (0, 0)
    assert world.do(calls.settle_lease(lease)).events == ()

"""Whole lives of leases: whatever happens, strangers can push everything to its end and nothing is left behind."""

from __future__ import annotations

from contextlib import suppress

import pytest
from ionet.generated import pdas
from ionet.generated.enums import EndReason, LeaseStatus, NodeFlag
from ionet.generated.errors import NothingMissed
from ionet.generated.events import LeaseCancelled, LeaseEnded, NodeSlashed
from program import calls, disputes
from program.calls import ID, IO, USD, ata
from program.chain import refused, who
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.whole_life import DAY, HOURLY, INTERVAL, STAKE, Life, outcome, slashed
from program.world import H100, HOUR, IO_UNIT, USD_UNIT, World


def test_normal_end(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 12)
    assert life.finish() == outcome(2 * HOURLY)


@pytest.mark.parametrize(("served", "paid_secs"), [(1, HOUR), (6, HOUR), (9, 9 * INTERVAL)])
def test_early_end_by_the_renter(world: World, served: int, paid_secs: int) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, served)
    world.do(calls.end_lease(life.lease))
    assert life.finish() == outcome(HOURLY * paid_secs // HOUR)


def test_early_end_by_the_renter_after_a_miss(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 1)
    world.warp(INTERVAL)
    world.serve(life.lease, 1, first=2)
    world.do(calls.end_lease(life.lease))
    assert life.finish() == outcome(HOURLY * 2 * INTERVAL // HOUR)


def test_extended_and_served(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 6)
    world.do(calls.extend_lease(life.lease, H100, HOUR))
    world.serve(life.lease, 12, first=6)
    assert life.finish() == outcome(3 * HOURLY)


def test_ended_by_a_stranger_as_the_suppliers_fault(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 2)
    world.warp(8 * INTERVAL)
    ended = world.do(calls.end_lease(life.lease, world.stranger)).event(LeaseEnded)
    assert ended.reason == EndReason.SUPPLIER_FAULT
    world.final(life.lease)
    life.report()
    assert life.finish() == slashed(HOURLY * 2 * INTERVAL // HOUR, 400, 8 * INTERVAL)


@pytest.mark.parametrize(("disputed", "bps"), [(6, 0), (7, 200)])
def test_ended_by_the_renter_for_more_than_an_hour_that_nobody_can_answer_for(
    world: World, disputed: int, bps: int
) -> None:
    """Claimed, disputed and not defended. Up to an hour it is not the supplier's fault, and the first hour is burned;
    beyond, it costs what quitting costs, without compensation, and all of it goes back."""
    life = Life(world, duration=5 * HOUR)
    life.start()
    lease = life.lease
    world.serve(lease, 7)
    world.do(disputes.dispute_lease(lease, 0, 6))
    world.serve(lease, 6, first=7)
    world.do(calls.settle_lease(lease))
    if disputed > 6:
        world.do(disputes.dispute_lease(lease, 6, 7))
    world.serve(lease, 6, first=13)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).undefended_secs == disputed * INTERVAL
    ended = world.do(calls.end_lease(lease)).event(LeaseEnded)
    reason = EndReason.SUPPLIER_FAULT if bps else EndReason.RENTER
    assert (ended.reason, ended.pending_bps, ended.rest_secs) == (reason, bps, 0)
    gross = HOURLY * (19 - disputed) * INTERVAL // HOUR
    if not bps:
        assert life.finish() == outcome(gross, burned=HOURLY)
        return
    slash = life.report()
    assert (slash.bps, slash.missed_secs) == (200, 0)
    assert life.finish() == slashed(gross, 200, 0)


def test_quit(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 3)
    world.do(calls.quit_lease(life.lease))
    taken = STAKE * 200 // 10_000
    gained = life.finish()
    usd = outcome(HOURLY // 2)
    assert gained == {**usd, "owner": (-taken, usd["owner"][1]), "burned": (taken, usd["burned"][1])}


def test_left_for_want_of_challenges(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 5)
    world.do(disputes.leave_lease(life.lease, life.lease.node.device))
    assert life.finish() == outcome(HOURLY // 2, burned=HOURLY // 3)


@pytest.mark.parametrize("late", [0, DAY])
def test_never_ready(world: World, late: int) -> None:
    """All goes back; the node is absent until it says that it is there again."""
    life = Life(world)
    world.warp(300 + late)
    world.do(calls.cancel_lease(life.lease))
    assert world.of_node(life.lease.node).flags == NodeFlag.ABSENT
    world.do(calls.return_node(life.lease.node))
    assert life.finish() == outcome(0)


@pytest.mark.parametrize("late", [0, 7 * DAY])
def test_ready_and_never_answered(world: World, late: int) -> None:
    """The accept deadline's worth is the supplier's, however late somebody cancels."""
    life = Life(world)
    world.do(calls.mark_ready(life.lease))
    world.warp(1_200 + late)
    world.do(calls.cancel_lease(life.lease))
    assert life.finish() == outcome(HOURLY * 1_200 // HOUR)


@pytest.mark.parametrize(("waited", "secs"), [(0, 60), (60, 60), (61, 61), (1_199, 1_199)])
def test_ready_and_rejected(world: World, waited: int, secs: int) -> None:
    life = Life(world)
    world.do(calls.mark_ready(life.lease))
    world.warp(waited)
    world.do(calls.reject_ready(life.lease))
    assert world.of_node(life.lease.node).flags == 0
    assert life.finish() == outcome(0, burned=HOURLY * secs // HOUR)


def test_never_ready_for_the_third_time(world: World) -> None:
    life = Life(world)
    taken = 0
    for number in range(3):
        lease = LeaseRef(life.lease.node, life.lease.cluster, number)
        if number:
            world.do(calls.return_node(lease.node))
            world.booked(lease.node, lease.cluster)
        world.warp(300)
        landed = world.do(calls.cancel_lease(lease))
        assert landed.event(LeaseCancelled).reason == EndReason.NOT_READY
        taken += sum(event.amount for event in landed.events if isinstance(event, NodeSlashed))
        world.do(calls.close_lease(lease))
    assert taken == STAKE * 50 // 10_000
    assert life.finish()["owner"] == (-taken, 0)


def test_a_hundred_rejections_cost_a_node_no_stake_and_do_not_pause_it(world: World) -> None:
    """And the renter a minute of its price for each."""
    life = Life(world)
    for number in range(100):
        lease = LeaseRef(life.lease.node, life.lease.cluster, number)
        if number:
            world.booked(lease.node, lease.cluster)
        world.do(calls.mark_ready(lease))
        world.do(calls.reject_ready(lease))
        world.do(calls.close_lease(lease))
    assert world.of_node(life.lease.node).flags == 0
    assert life.finish() == outcome(0, burned=100 * (HOURLY * 60 // HOUR))


@pytest.mark.parametrize(
    ("silence", "bps"), [(3 * INTERVAL, 200), (HOUR, 400), (48 * HOUR, 3_000), (120 * HOUR, 5_000)]
)
def test_missed_time_of_every_tier(world: World, silence: int, bps: int) -> None:
    life = Life(world, duration=10 * DAY)
    life.start()
    world.serve(life.lease, 6)
    world.warp(silence)
    assert life.report().bps == bps
    # They come back for a last interval, so that the outage is over, and the renter ends it.
    back = (world.now - world.of(life.lease).started_at) // INTERVAL - 1
    world.do(calls.append_proof(life.lease, back, INTERVAL))
    missed = (back - 6) * INTERVAL
    world.do(calls.end_lease(life.lease))
    gained = life.finish()
    assert gained == slashed(HOURLY * 7 * INTERVAL // HOUR, bps, missed)


def test_the_same_time_is_never_slashed_twice_however_often_it_is_reported(world: World) -> None:
    life = Life(world, 10 * DAY)
    life.start()
    charged = []
    for _ in range(7 * 48):
        world.warp(HOUR // 2)
        with suppress(NothingMissed):
            charged.append(life.report().bps)
    assert charged == [200, 200, 2_600, 2_000]
    assert world.of_node(life.lease.node).slashed == STAKE // 2


def test_a_gap_is_charged_before_the_lease_can_close(world: World) -> None:
    life = Life(world)
    life.start()
    world.serve(life.lease, 2)
    world.warp(3 * INTERVAL)
    world.serve(life.lease, 7, first=5)
    world.final(life.lease)
    world.do(calls.settle_lease(life.lease))
    with refused("MissedNotCharged"):
        world.do(calls.close_lease(life.lease))
    life.report()
    assert life.finish() == slashed(HOURLY * 9 * INTERVAL // HOUR, 200, 3 * INTERVAL)


def test_a_thousand_settlements_pay_what_one_pays(world: World) -> None:
    """At a price and with seconds that never divide evenly, settled after every second step."""
    leases = []
    for name in "ab":
        node = world.staked_node(name, price=1_000_003, processors=7)
        leases.append(world.active(node, world.cluster(name), 50 * HOUR))
    often, once = leases
    settlements = 0
    for interval in range(300):
        world.warp(INTERVAL)
        for lease in leases:
            world.do(calls.append_proof(lease, interval, 1 + interval * 97 % INTERVAL))
        for _ in range(4):
            world.do(calls.settle_lease(often))
            settlements += 1
    for lease in leases:
        world.final(often)
        world.do(calls.settle_lease(lease))
    first, second = world.of(often), world.of(once)
    assert settlements > 1_000
    assert (first.paid, first.supplier_fee, first.renter_fee) == (second.paid, second.supplier_fee, second.renter_fee)
    served = sum(1 + interval * 97 % INTERVAL for interval in range(300))
    assert first.paid == 1_000_003 * 7 * served // HOUR
    assert world.tokens(ata(often.node.owner, USD)) == world.tokens(ata(once.node.owner, USD))


@pytest.mark.parametrize(
    "how", ["served", "missed", "quit", "fault", "not ready", "not accepted", "rejected", "ended at once", "left"]
)
def test_who_is_supplier_renter_and_reporter_at_once_only_loses(world: World, how: str) -> None:
    """One person behind every key: nothing that they do to themselves makes their IO or IOSD more."""
    alone, friend = world.supplier("alone"), who("friend")
    world.give_iosd(alone, 5_000 * IO_UNIT)
    world.open_ata(friend, IO)
    accounts = [ata(alone, IO), ata(alone, USD), ata(friend, IO)]
    before = [world.tokens(account) for account in accounts]
    node = NodeRef(alone, who("device alone"))
    world.do(calls.register_node(node, H100, 8), calls.stake(node, STAKE))
    cluster = ClusterRef(alone, 0, who("session"))
    world.do(calls.open_cluster(cluster, 1_000 * USD_UNIT, world.now + DAY))
    lease = world.booked(node, cluster)
    _live(world, lease, how)
    if world.of(lease).status != LeaseStatus.CANCELLED:
        world.final(lease)
        with suppress(NothingMissed):
            world.do(calls.report_missed(lease, friend))
    world.do(calls.settle_lease(lease))
    world.do(calls.close_lease(lease), calls.close_cluster(cluster), calls.retire_node(node))
    world.warp(14 * DAY)
    world.do(calls.withdraw(node))
    lost = [amount - world.tokens(account) for amount, account in zip(before, accounts, strict=True)]
    assert lost[0] + lost[2] == world.tokens(pdas.burn_vault(ID, IO)) >= 0
    assert lost[1] == world.tokens(pdas.burn_vault(ID, USD)) >= 0
    assert sum(lost) > 0 or how == "not ready"


def _live(world: World, lease: LeaseRef, how: str) -> None:
    if how not in ("not ready", "not accepted", "rejected"):
        world.do(calls.mark_ready(lease))
        world.do(calls.accept_ready(lease))
    if how == "served":
        world.serve(lease, 12)
    elif how == "missed":
        world.warp(2 * HOUR)
    elif how == "quit":
        world.warp(HOUR)
        world.do(calls.quit_lease(lease))
    elif how == "fault":
        world.warp(HOUR + 3 * INTERVAL)
        world.do(calls.end_lease(lease))
    elif how == "ended at once":
        world.do(calls.end_lease(lease))
    elif how == "left":
        world.serve(lease, 3)
        world.do(disputes.leave_lease(lease))
    elif how == "rejected":
        world.do(calls.mark_ready(lease))
        world.do(calls.reject_ready(lease))
    else:
        if how == "not accepted":
            world.do(calls.mark_ready(lease))
        world.warp(1_200)
        world.do(calls.cancel_lease(lease))

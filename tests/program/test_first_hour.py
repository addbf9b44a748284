"""Of the first hour nothing is refunded: what is undisputed or defended is paid, what a dispute takes is burned.

Neither a renter who withholds challenges nor a supplier who claims without serving gains anything by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Lease
from ionet.generated.events import ClusterClosed, LeaseClosed, LeaseEnded
from program import calls, disputes
from program.calls import ID, USD, ata
from program.chain import refused
from program.disputes import Record
from program.refs import LeaseRef
from program.world import HOUR, USD_UNIT, World

INTERVAL = 600
HOURLY = 16_000_000
DEPOSIT = 20_000 * USD_UNIT


def price(secs: int) -> int:
    return HOURLY * secs // HOUR


def fee(gross: int) -> int:
    return -(-gross * 25 // 10_000)


@dataclass(frozen=True)
class Life:
    """A lease: seconds proven by interval, what is disputed and defended, who ends it and when (seconds)."""

    proofs: tuple[int, ...]
    disputed: tuple[int, int] | None = None
    defended: tuple[int, ...] = ()
    ended: str = "expired"
    at: int = 2 * HOUR
    duration: int = 2 * HOUR

    def live(self, world: World) -> LeaseRef:
        record = Record(world, world.active(world.staked_node(), world.cluster(), self.duration))
        lease, start = record.lease, world.now
        deeds: list[tuple[int, int, int]] = []
        for interval, secs in enumerate(self.proofs):
            if secs:
                deeds.append((min((interval + 1) * INTERVAL, self.at), 0, interval))
        deeds.append((self.at, 1, 0))
        if self.disputed:
            # The earliest moment: no proof of its last interval can come any more.
            closes = min(self.disputed[1] * INTERVAL, self.at) + INTERVAL
            deeds.append((closes, 2, 0))
        for at, kind, interval in sorted(deeds):
            world.warp_to(start + at)
            if kind == 0:
                record.prove(interval, self.proofs[interval])
            elif kind == 1:
                self.end(world, lease)
            elif self.disputed:
                world.do(disputes.dispute_lease(lease, *self.disputed))
                proven = [proof.entry.interval for proof in record.proofs]
                record.defend(*(proven.index(one) for one in sorted(self.defended, reverse=True)))
        # Everything that can wait is over, and the interval that follows a dispute too.
        for _ in range(2):
            world.warp(disputes.DEFENCE + disputes.WINDOW + 2 * INTERVAL)
            world.do(calls.settle_lease(lease))
        return lease

    def bond_won(self) -> int:
        """Of a hundredth of the price in dispute, the supplier's part for what they defend, the latest first."""
        first, end = self.disputed or (0, 0)
        held = sum(self.proofs[first:end])
        bond, won = -(-price(held) * 100 // 10_000), 0
        for interval in sorted(self.defended, reverse=True):
            part = bond * self.proofs[interval] // held
            bond, won, held = bond - part, won + part, held - self.proofs[interval]
        return won

    def end(self, world: World, lease: LeaseRef) -> None:
        deed = {
            "expired": lambda: calls.settle_lease(lease),
            "renter": lambda: calls.end_lease(lease),
            "stranger": lambda: calls.end_lease(lease, world.stranger),
            "quit": lambda: calls.quit_lease(lease),
            "left": lambda: disputes.leave_lease(lease, lease.node.device),
        }
        world.do(deed[self.ended]())


WHOLE = (INTERVAL,) * 12
# What is lived, seconds paid to the supplier, seconds burned.
LIVES: dict[str, tuple[Life, int, int]] = {
    "served in full": (Life(WHOLE), 7_200, 0),
    "ended early": (Life(WHOLE[:3], ended="renter", at=1_800), 3_600, 0),
    "ended at once": (Life((), ended="renter", at=0), 3_600, 0),
    "ended in the middle of an interval": (Life((600, 599), ended="renter", at=1_199), 3_600, 0),
    "ended after the hour": (Life(WHOLE[:7], ended="renter", at=4_200), 4_200, 0),
    "ended at the hour": (Life(WHOLE[:6], ended="renter", at=3_600), 3_600, 0),
    "defended": (Life(WHOLE[:3], (0, 1), (0,), "renter", 1_800), 3_600, 0),
    "lost in the first hour": (Life(WHOLE, (0, 1)), 6_600, 600),
    "lost after the first hour": (Life(WHOLE, (6, 7)), 6_600, 600),
    "lost on both sides of the hour": (Life(WHOLE, (5, 7)), 6_000, 1_200),
    "half of a range defended": (Life(WHOLE, (0, 4), (0, 1)), 6_000, 1_200),
    "the later half of a range defended": (Life(WHOLE, (0, 4), (2, 3)), 6_000, 1_200),
    "lost, then ended early": (Life(WHOLE[:3], (0, 1), (), "renter", 1_800), 1_200, 600 + 1_800),
    "all of it lost, then ended early": (Life((600, 599), (0, 2), (), "renter", 1_199), 0, 3_600),
    "lost, then ended after the hour": (Life(WHOLE[:7], (0, 1), (), "renter", 4_200), 3_600, 600),
    # Only what comes later than the hour was lost, and the hour was stayed for.
    "lost after the hour, then ended": (Life(WHOLE[:8], (6, 7), (), "renter", 4_800), 4_200, 600),
    "lost after the hour, the last second unproven": (Life((*WHOLE[:11], 599), (6, 7)), 6_599, 600),
    "lost after the hour, then quit": (Life(WHOLE[:8], (6, 7), (), "quit", 4_800), 4_200, 0),
    "a second unproven": (Life((599, 600, 600), None, (), "renter", 1_800), 1_799, 0),
    "a second unproven, and lost": (Life((599, 600, 600), (0, 1), (), "renter", 1_800), 1_200, 0),
    "an interval unproven, another lost": (Life((600, 0, 600), (0, 1), (), "renter", 1_800), 600, 0),
    "unproven after the hour, lost in it": (Life((*WHOLE[:11], 599), (0, 1)), 6_599, 0),
    "the cut interval never proven": (Life((600,), ended="renter", at=1_199), 600, 0),
    "quit": (Life(WHOLE[:3], None, (), "quit", 1_800), 1_800, 0),
    "lost, then quit": (Life(WHOLE[:3], (0, 1), (), "quit", 1_800), 1_200, 0),
    "ended as the supplier's fault": (Life(WHOLE[:2], (0, 1), (), "stranger", 1_200 + HOUR + 1), 600, 0),
    "left": (Life(WHOLE[:2], None, (), "left", 1_200), 0, 1_200),
    "lost, then left": (Life(WHOLE[:4], (0, 1), (), "left", 2_400), 600, 600 + 1_200),
    "left after the hour": (Life(WHOLE[:9], None, (), "left", 5_400), 4_200, 1_200),
    "twenty minutes, served": (Life(WHOLE[:2], at=1_200, duration=1_200), 1_200, 0),
    "twenty minutes, lost": (Life(WHOLE[:2], (0, 2), (), "expired", 1_200, 1_200), 0, 1_200),
    "twenty minutes, ended after ten": (Life(WHOLE[:1], None, (), "renter", 600, 1_200), 1_200, 0),
    "twenty minutes, lost and ended": (Life(WHOLE[:1], (0, 1), (), "renter", 600, 1_200), 0, 1_200),
}


@pytest.mark.parametrize("name", LIVES)
def test_who_pays_and_who_gets_what(world: World, name: str) -> None:
    life, paid, burned = LIVES[name]
    lease = life.live(world)
    renter, owner = ata(lease.cluster.renter, USD), ata(lease.node.owner, USD)
    found, cluster = world.of(lease), world.of_cluster(lease.cluster)
    assert (found.paid, found.burned) == (price(paid), price(burned))
    # The burned part carries no fee, and is apart from the fees of what is paid.
    assert (found.supplier_fee, found.renter_fee) == (fee(price(paid)), fee(price(paid)))
    assert (cluster.burned, cluster.fees) == (price(burned), price(burned) + 2 * fee(price(paid)))
    assert world.tokens(lease.cluster.escrow) == DEPOSIT - cluster.paid  # fees wait in it
    assert world.tokens(owner) == price(paid) - fee(price(paid)) + life.bond_won()
    if life.ended == "stranger" or world.of(lease).pending_bps:
        world.do(calls.report_missed(lease, world.stranger, rewarded=False))
    closed = world.do(calls.close_lease(lease)).event(LeaseClosed)
    assert (closed.paid, closed.burned) == (price(paid), price(burned))
    before = world.tokens(renter)
    over = world.do(calls.close_cluster(lease.cluster)).event(ClusterClosed)
    assert (over.burned, over.fees_to_burn) == (price(burned), price(burned) + 2 * fee(price(paid)))
    cost = price(paid) + fee(price(paid)) + price(burned) + life.bond_won()
    assert world.tokens(renter) - before == DEPOSIT - cost
    assert world.tokens(pdas.burn_vault(ID, USD)) == over.fees_to_burn


def test_a_renter_who_withholds_every_challenge_uses_nothing_for_free(world: World) -> None:
    """The audit's way: accept, use it for 1,199 seconds, send no challenge, end, dispute all of it."""
    lease = LIVES["all of it lost, then ended early"][0].live(world)
    world.do(calls.close_lease(lease))
    cluster = world.of_cluster(lease.cluster)
    # The bond is back, the hour is gone.
    assert (cluster.burned, cluster.fees, cluster.paid, cluster.locked) == (HOURLY, HOURLY, 0, 0)
    world.do(calls.withdraw_budget(lease.cluster, DEPOSIT - HOURLY))
    with refused("BudgetTooSmall"):
        world.do(calls.withdraw_budget(lease.cluster, 1))


def test_a_supplier_who_claims_without_serving_gets_nothing(world: World) -> None:
    """Passes the check, claims all, and cannot answer: the hour is burned, and the claim counts as missed."""
    lease = LIVES["lost, then ended early"][0].live(world)
    before = world.tokens(ata(lease.node.owner, USD))
    all_lost = Life(WHOLE[:1], (0, 1), (), "renter", 600)
    again = Record(world, world.active(lease.node, lease.cluster))
    start = world.now
    world.warp_to(start + 600)
    again.prove(0, all_lost.proofs[0])
    world.do(calls.end_lease(again.lease))
    world.warp(INTERVAL)
    world.do(disputes.dispute_lease(again.lease, 0, 1))
    for _ in range(2):
        world.warp(disputes.DEFENCE + INTERVAL)
        world.do(calls.settle_lease(again.lease))
    assert world.tokens(ata(lease.node.owner, USD)) == before
    assert (world.of(again.lease).paid, world.of(again.lease).burned) == (0, HOURLY)
    missed = world.of_node(lease.node).missed_secs
    world.do(calls.close_lease(again.lease))
    assert world.of_node(lease.node).missed_secs - missed == 600
    assert world.of_node(lease.node).served_secs == 0


@pytest.mark.parametrize("answer", ["none", "rejected", "accepted late"])
def test_a_job_in_the_window_for_the_check_is_not_free(world: World, answer: str) -> None:
    """Silence is the renter's alone: it is paid. A rejection is burned. Accepting late only starts the hour."""
    lease = world.ready(world.staked_node(), world.cluster())
    owner = ata(lease.node.owner, USD)
    world.warp(1_199)
    if answer == "rejected":
        world.do(calls.reject_ready(lease))
        assert (world.of_cluster(lease.cluster).burned, world.tokens(owner)) == (price(1_199), 0)
    elif answer == "none":
        world.warp(1)
        world.do(calls.cancel_lease(lease), calls.settle_lease(lease))
        assert world.tokens(owner) == price(1_200) - fee(price(1_200))
        assert world.of_cluster(lease.cluster).burned == 0
    else:
        world.do(calls.accept_ready(lease), calls.end_lease(lease))
        world.final(lease)
        world.do(calls.settle_lease(lease))
        assert world.tokens(owner) == HOURLY - fee(HOURLY)


def test_all_is_known_only_when_the_last_interval_has_matured(world: World) -> None:
    """A proof may still come after the end: until then nothing of the rest is paid or burned."""
    lease = world.running()
    world.serve(lease, 1)
    world.do(calls.end_lease(lease))
    world.final(lease)
    world.warp(-1)
    world.do(calls.settle_lease(lease))
    assert (world.of(lease).paid, world.of(lease).burned) == (0, 0)
    world.warp(1)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).paid == HOURLY


def test_an_extension_does_not_lengthen_the_hour_of_a_long_lease(world: World) -> None:
    lease = world.running(duration=HOUR)
    world.do(calls.extend_lease(lease, 3, HOUR))
    world.serve(lease, 2)
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).rest_secs == HOUR - 1_200


def test_an_extension_of_a_short_lease_makes_the_hour_whole(world: World) -> None:
    lease = world.running(duration=1_200)
    world.do(calls.extend_lease(lease, 3, HOUR))
    world.serve(lease, 1)
    assert world.do(calls.end_lease(lease)).event(LeaseEnded).rest_secs == HOUR - 600


@pytest.mark.parametrize(("share", "paid"), [(0, 1_200), (1_800, 1_800)])
def test_the_hour_is_the_one_copied_at_booking(world: World, share: int, paid: int) -> None:
    lease = world.running()
    world.forge(Lease, lease.key, min_charge_secs=share)
    world.serve(lease, 2)
    world.do(calls.end_lease(lease))
    world.final(lease)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).paid == price(paid)
    with refused("WrongLeaseState"):
        world.do(calls.end_lease(lease))

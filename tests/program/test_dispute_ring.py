"""What a dispute keeps from maturing: losing one range shields no other, and the ring still holds what is open."""

from __future__ import annotations

import pytest
from ionet.generated.events import ClusterClosed
from program import calls, disputes
from program.chain import refused
from program.disputes import DEFENCE, GRACE, INTERVAL, WINDOW, dispute_lease
from program.refs import LeaseRef
from program.world import HOUR, World

RING = 16
TAKEN = 2**32 - 1
SERVED = 48 * 6 * (INTERVAL - 1)  # two days, each interval but for its first second
HOURLY = 16_000_000
# Latest an interval matures after its end, whatever is disputed.
LATEST = GRACE + WINDOW + DEFENCE + INTERVAL


def lost(world: World, lease: LeaseRef, first: int, end: int) -> None:
    """A dispute that nobody defends, decided in the first second in which it can be."""
    world.do(dispute_lease(lease, first, end))
    world.warp(DEFENCE)
    world.do(calls.settle_lease(lease))


def test_what_follows_a_dispute_does_not_mature_while_it_is_open_and_an_interval_longer(world: World) -> None:
    record = disputes.served(world, 6)
    lease = record.lease
    lost(world, lease, 0, 1)
    # All six would have matured by now.
    world.warp(INTERVAL - 1)
    world.do(calls.settle_lease(lease))
    assert (world.of(lease).ring_base, world.of(lease).matured_secs) == (0, 0)
    world.warp(1)
    world.do(calls.settle_lease(lease))
    assert (world.of(lease).ring_base, world.of(lease).matured_secs) == (6, 5 * INTERVAL)


@pytest.mark.parametrize(("late", "allowed"), [(-1, True), (0, False)])
def test_the_next_range_can_be_disputed_for_an_interval_to_the_second(world: World, late: int, allowed: bool) -> None:
    record = disputes.served(world, 6)
    lost(world, record.lease, 0, 1)
    world.warp(INTERVAL + late)
    if allowed:
        world.do(dispute_lease(record.lease, 1, 6))
    else:
        with refused("RangeNotDisputable"):
            world.do(dispute_lease(record.lease, 1, 6))


def test_also_after_a_dispute_that_was_defended(world: World) -> None:
    record = disputes.served(world, 6)
    world.do(dispute_lease(record.lease, 0, 1))
    world.warp(DEFENCE - 1)
    record.defend(0)
    world.warp(INTERVAL - 1)
    world.do(dispute_lease(record.lease, 1, 6))


def test_what_came_before_the_range_matures_in_time(world: World) -> None:
    record = disputes.served(world, 6)
    world.do(dispute_lease(record.lease, 3, 4))
    world.warp_to(world.of(record.lease).started_at + 3 * INTERVAL + GRACE + WINDOW)
    world.do(calls.settle_lease(record.lease))
    assert (world.of(record.lease).ring_base, world.of(record.lease).matured_secs) == (3, 3 * INTERVAL)


def test_losing_one_range_shields_no_other(world: World) -> None:
    """A supplier who answers nothing and loses the first interval on purpose is paid for none: of two hours the first
    is burned, the second goes back."""
    record = disputes.served(world, 2)
    lease = record.lease
    world.do(dispute_lease(lease, 0, 1))
    record.serve(6, first=2)  # the defence ends with the last of them
    world.do(calls.settle_lease(lease))
    world.do(dispute_lease(lease, 1, 7))
    record.serve(4, first=8)
    world.warp(DEFENCE - 4 * INTERVAL)
    world.do(calls.settle_lease(lease))
    lost(world, lease, 7, 12)
    world.warp(INTERVAL)
    world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert (found.undefended_secs, found.undefended_early_secs, found.matured_secs) == (7_200, HOUR, 0)
    world.do(calls.close_lease(lease))
    closed = world.do(calls.close_cluster(lease.cluster)).event(ClusterClosed)
    assert (closed.paid, closed.fees, closed.refund) == (0, HOURLY, closed.deposit - HOURLY)


@pytest.mark.parametrize(("late", "matured"), [(-1, 0), (0, INTERVAL)])
def test_no_interval_matures_more_than_a_defence_and_an_interval_late(world: World, late: int, matured: int) -> None:
    """The fourth interval behind three disputes one after another, of the three before it."""
    record = disputes.served(world, 2, duration=5 * HOUR)
    lease, start = record.lease, world.of(record.lease).started_at
    world.do(dispute_lease(lease, 0, 1))
    record.serve(6, first=2)
    world.do(calls.settle_lease(lease))
    world.do(dispute_lease(lease, 1, 2))
    record.serve(6, first=8)
    world.do(calls.settle_lease(lease))
    world.do(dispute_lease(lease, 2, 3))
    record.serve(3, first=14)
    world.warp_to(start + 4 * INTERVAL + LATEST + late)
    world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert (found.held_secs, found.matured_secs, found.ring_base) == (INTERVAL, matured, 4 if matured else 3)


# -- the ring


class Renter:
    """Lives through a long lease whose supplier proves each interval in its second second and answers nothing."""

    def __init__(self, world: World, hours: int, delay: int) -> None:
        self.world, self.delay = world, delay
        self.lease = world.running("a", hours * HOUR)
        self.start = world.of(self.lease).started_at
        self.intervals = hours * 6
        self.open = 0  # most entries of the ring that were open at once
        self.next_dispute = 0

    def live(self, one_by_one: bool) -> None:
        for interval in range(self.intervals):
            self.until(interval * INTERVAL + 1, one_by_one)
            self.world.do(calls.append_proof(self.lease, interval, 1))
            found = self.world.of(self.lease)
            self.open = max(self.open, found.ring_next - found.ring_base)
            self.until((interval + 1) * INTERVAL - 1, one_by_one)
            self.world.do(calls.append_proof(self.lease, interval, INTERVAL - 1))

    def until(self, secs: int, one_by_one: bool) -> None:
        """Time passes until this many seconds after the start; what can be settled and disputed meanwhile is."""
        while self.next_dispute <= secs:
            self.world.warp_to(max(self.world.now, self.start + self.next_dispute))
            self.dispute(one_by_one)
        self.world.warp_to(self.start + secs)

    def dispute(self, one_by_one: bool) -> None:
        """`delay` after the last one was decided: the oldest interval that is still there, or all of them."""
        self.next_dispute = self.world.now - self.start + 60
        found = self.world.of(self.lease)
        if found.held_secs:
            self.world.do(calls.settle_lease(self.lease))
            self.next_dispute = self.world.now - self.start + self.delay
            return
        closed = max(0, (self.world.now - self.start) // INTERVAL - 1)
        proven = min(closed, found.ring_next)
        there = [item for item in range(found.ring_base, proven) if found.ring[item % RING] != TAKEN]
        mature = (self.world.now - self.start - GRACE - WINDOW) // INTERVAL
        if self.world.now >= found.blocked_until:
            there = [item for item in there if item >= mature]
        if there:
            self.world.do(dispute_lease(self.lease, there[0], there[0] + 1 if one_by_one else proven))
            self.next_dispute = self.world.now - self.start + DEFENCE


@pytest.mark.parametrize("delay", [0, INTERVAL - 1])
def test_nothing_escapes_a_renter_who_disputes_all_they_can_each_time(world: World, delay: int) -> None:
    """Two days without one challenge: at most sixteen intervals are open, and none is ever paid."""
    renter = Renter(world, 48, delay)
    renter.live(one_by_one=False)
    assert renter.open <= RING
    renter.until(48 * HOUR + 3 * DEFENCE, one_by_one=False)
    found = world.of(renter.lease)
    assert (found.matured_secs, found.undefended_secs) == (0, SERVED)


@pytest.mark.parametrize("delay", [0, INTERVAL - 1])
def test_a_renter_who_disputes_one_by_one_does_not_fill_the_ring(world: World, delay: int) -> None:
    """Of the same two days they get what they dispute: a proof is never refused for want of room."""
    renter = Renter(world, 48, delay)
    renter.live(one_by_one=True)
    assert renter.open <= RING
    found = world.of(renter.lease)
    still_open = [secs for secs in found.ring if secs != TAKEN]
    assert found.matured_secs + found.undefended_secs + found.held_secs + sum(still_open) == SERVED
    # One is opened for each hour, and for each `delay` between them.
    disputed = (found.undefended_secs + found.held_secs) // (INTERVAL - 1)
    assert disputed == (48 * HOUR - 2 * INTERVAL) // (DEFENCE + delay) + 1

"""A halt of the chain and what waits in a lease: ends, windows, maturity, disputes, the ring."""

from __future__ import annotations

from random import Random

import pytest
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import (
    DisputeResolved,
    LeaseSettled,
)
from program import calls, disputes
from program.chain import refused, who
from program.disputes import DEFENCE, GRACE, INTERVAL, WINDOW, Record
from program.halts import DAY, HALTS, HOURLY, RECOVERY, finish, restart
from program.world import HOUR, World

pytestmark = pytest.mark.matrix

# -- ended


@HALTS
@pytest.mark.parametrize("offset", [0, 1, 599, 600, 4_199])
def test_the_windows_of_a_lease_that_ended_stood_still_too(world: World, halt: int, offset: int) -> None:
    record = disputes.served(world, 2)
    lease = record.lease
    world.do(calls.end_lease(lease))
    ended = world.now
    world.warp(offset)
    restart(world, halt)
    landed = world.do(calls.settle_lease(lease))
    # Nothing is paid: what nobody had settled before the halt waits for the recovery.
    assert landed.events == ()
    assert world.of(lease).ends_at == ended + halt
    with refused("TooEarly"):
        world.do(calls.close_lease(lease))
    if offset >= GRACE:
        world.do(disputes.dispute_lease(lease, 1, 2))


@HALTS
def test_the_cut_interval_can_still_be_proven_after_it(world: World, halt: int) -> None:
    lease = world.running()
    world.serve(lease, 6)
    world.warp(100)
    world.do(calls.end_lease(lease))
    world.warp(599)
    restart(world, halt)
    world.do(calls.append_proof(lease, 6, 100))
    assert finish(world, lease).paid == HOURLY * 3_700 // HOUR


@HALTS
def test_a_lease_whose_time_was_over_while_it_halted_is_not(world: World, halt: int) -> None:
    lease = world.running()
    world.serve(lease, 11)
    restart(world, halt)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).status == LeaseStatus.ACTIVE
    world.warp(INTERVAL - 1)
    world.do(calls.end_lease(lease))


# -- maturity


@HALTS
@pytest.mark.parametrize("before", [0, 100, 3_000])
def test_maturity_waits_with_a_cap(world: World, halt: int, before: int) -> None:
    """While the chain recovers nothing matures, though no interval more than a defence and one interval late."""
    lease = world.running(duration=8 * HOUR)
    world.serve(lease, 1)
    # `before` seconds before the interval would have matured.
    world.warp(GRACE + WINDOW - before)
    restart(world, halt)
    world.do(calls.settle_lease(lease))
    recovered, latest = world.now + RECOVERY, world.now + before + DEFENCE + INTERVAL
    if before == 0:  # it had matured, but nobody had folded it: it waits like the others
        assert world.of(lease).matured_secs == 0
    world.warp_to(min(recovered, latest) - 1)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).matured_secs == 0
    world.warp(1)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).matured_secs == INTERVAL


@HALTS
def test_what_was_about_to_mature_can_be_disputed_after_it(world: World, halt: int) -> None:
    record = disputes.served(world, 2)
    world.warp(GRACE + WINDOW - INTERVAL - 1)
    restart(world, halt)
    world.warp(HOUR)
    world.do(disputes.dispute_lease(record.lease, 0, 2))


@HALTS
def test_approved_intervals_are_paid_while_the_chain_recovers(world: World, halt: int) -> None:
    record = disputes.served(world, 2)
    world.warp(GRACE)
    restart(world, halt)
    world.do(disputes.approve_lease(world, record.lease, 2))
    assert world.do(calls.settle_lease(record.lease)).event(LeaseSettled).payable_secs == 1_200


# -- disputed


@HALTS
@pytest.mark.parametrize("offset", [0, 1, DEFENCE - 1])
def test_a_dispute_can_be_defended_after_it(world: World, halt: int, offset: int) -> None:
    record = disputes.disputed(world, 2, 0, 2)
    world.warp(offset)
    restart(world, halt)
    assert world.do(calls.settle_lease(record.lease)).events == ()
    world.warp(RECOVERY - 1)
    assert not [e for e in world.do(calls.settle_lease(record.lease)).events if isinstance(e, DisputeResolved)]
    record.defend(1, 0)
    assert (world.of(record.lease).undefended_secs, world.of(record.lease).matured_secs) == (0, 1_200)


@HALTS
def test_a_dispute_that_nobody_defends_ends_when_the_chain_has_recovered(world: World, halt: int) -> None:
    record = disputes.disputed(world, 2, 0, 2)
    world.warp(DEFENCE - 1)
    restart(world, halt)
    world.warp(RECOVERY)
    with refused("DefendTooLate"):
        record.defend(1)
    resolved = world.do(calls.settle_lease(record.lease)).event(DisputeResolved)
    assert (resolved.undefended_secs, world.of(record.lease).blocked_until) == (1_200, world.now + INTERVAL)


@HALTS
def test_the_interval_after_a_dispute_stood_still_too(world: World, halt: int) -> None:
    record = disputes.disputed(world, 2, 0, 1)
    world.warp(DEFENCE)
    world.do(calls.settle_lease(record.lease))
    until = world.of(record.lease).blocked_until
    world.warp(100)
    restart(world, halt)
    world.do(calls.settle_lease(record.lease))
    assert world.of(record.lease).blocked_until == until + halt


@pytest.mark.parametrize(("changed", "allowed"), [(0, True), (1, False)])
@HALTS
def test_a_new_session_key_is_compared_with_the_unmoved_start(
    world: World, halt: int, changed: int, allowed: bool
) -> None:
    """The interval's challenge was sent before the halt, or could not be: its moved start says nothing about it."""
    lease = world.running()
    new = who("new session")
    world.warp(changed)
    world.do(calls.set_session_key(lease.cluster, new.pubkey(), world.now + 30 * DAY))
    world.warp(100)
    restart(world, halt)
    world.do(calls.settle_lease(lease))
    world.serve(lease, 1)
    world.warp(GRACE)
    call = disputes.dispute_lease(lease, 0, 1, new)
    if allowed:
        world.do(call)
        return
    with refused("NoChallengeKey"):
        world.do(call)


# -- the ring


@HALTS
@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("disputing", [False, True])
def test_the_ring_holds_what_is_open_whatever_halts_and_is_disputed(
    world: World, halt: int, times: int, disputing: bool
) -> None:
    """Every interval is proven, each is disputed as late as can be, and restarts follow one another."""
    record = Record(world, world.running(duration=DAY))
    lease, most = record.lease, 0
    halts = {20 + 11 * number for number in range(times)}
    for interval in range(100):
        record.serve(1, first=interval)
        found = world.of(lease)
        most = max(most, found.ring_next - found.ring_base)
        if disputing and interval > 8 and found.dispute_to == found.dispute_from:
            base = max(found.ring_base, interval - 8)
            world.do(disputes.dispute_lease(lease, base, base + 1))
        if interval in halts:
            world.warp(Random(interval).randrange(INTERVAL))
            restart(world, halt)
        if interval % 6 == 5 or interval in halts:
            world.do(calls.settle_lease(lease))
    assert most <= 16
    assert world.of(lease).missed_secs == 0

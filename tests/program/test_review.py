"""Faults found by the review of release 1: each test states the rule and fails while the program breaks it."""

from __future__ import annotations

import pytest
from ionet.generated.enums import EndReason
from ionet.generated.events import LeaseEnded, NodeSlashed
from program import calls, disputes
from program.chain import refused
from program.halts import DAY, RECOVERY, report, restart
from program.refs import LeaseRef
from program.world import H100, HOUR, IO_UNIT, World

INTERVAL = 600


def one_interval_missed(world: World, *, extended: bool) -> LeaseRef:
    """Interval 0 kept, proven, approved and folded; interval 1 missed; the renter adds a second or not."""
    lease = world.running(duration=10 * 24 * HOUR)
    start = world.now
    world.serve(lease, 1)
    world.warp_to(start + 2 * INTERVAL)
    world.do(disputes.approve_lease(world, lease, 1), calls.settle_lease(lease))
    if extended:
        world.do(calls.extend_lease(lease, H100, 1))
    world.warp_to(start + 3 * INTERVAL)
    return lease


@pytest.mark.parametrize("extended", [False, True])
def test_a_single_missed_interval_is_no_outage_though_the_renter_extends(world: World, extended: bool) -> None:
    """Tier 1 takes two intervals in a row: an extension makes no folded interval an unkept one."""
    lease = one_interval_missed(world, extended=extended)
    assert world.of(lease).kept_next == 1
    with refused("NothingMissed"):
        report(world, lease)


@pytest.mark.parametrize("extended", [False, True])
def test_the_next_kept_proof_leaves_nothing_due(world: World, extended: bool) -> None:
    lease = one_interval_missed(world, extended=extended)
    world.do(calls.append_proof(lease, 2, INTERVAL))
    assert world.of(lease).pending_bps == 0
    with refused("NothingMissed"):
        report(world, lease)


def silent_between_two_restarts(world: World, secs: int, *, settled: bool) -> NodeSlashed:
    """Silent after a first restart for its two hours and `secs` more; then a second one, and what it costs after it."""
    lease = world.running(duration=20 * DAY)
    world.serve(lease, 1)
    restart(world, HOUR)
    world.warp(1)
    world.do(calls.append_proof(lease, 1, 1))  # touches it: excused until two hours after the restart
    world.warp(RECOVERY - 1 + secs)
    if settled:
        world.do(calls.settle_lease(lease))
    restart(world, HOUR)
    with refused("ChainRecovering"):
        report(world, lease)
    world.do(calls.settle_lease(lease))
    world.warp(RECOVERY)
    return report(world, lease)


@pytest.mark.parametrize("settled", [True, False])
def test_a_second_restart_forgives_no_outage_between_the_two(world: World, settled: bool) -> None:
    """121 hours of silence are 50 % of 16,000 IO, whether or not somebody settled meanwhile."""
    slashed = silent_between_two_restarts(world, 121 * HOUR, settled=settled)
    assert (slashed.bps, slashed.amount) == (5_000, 8_000 * IO_UNIT)


@pytest.mark.parametrize("settled", [True, False])
def test_a_second_restart_charges_nothing_of_the_two_hours_after_the_first(world: World, settled: bool) -> None:
    """119 hours of silence besides them are tier 3: 30 % of 16,000 IO."""
    slashed = silent_between_two_restarts(world, 119 * HOUR, settled=settled)
    assert (slashed.bps, slashed.amount) == (3_000, 4_800 * IO_UNIT)


def test_a_time_that_is_counted_to_its_last_second_is_not_stretched_over_what_follows(world: World) -> None:
    """The second restart comes when all of the first one's hours, and not a second more, has been counted: 14 intervals
    later the two do not become one. 7,800 s of silence are tier 2, 4 % of 16,000 IO."""
    slashed = silent_between_two_restarts(world, 14 * INTERVAL, settled=False)
    assert (slashed.bps, slashed.amount) == (400, 640 * IO_UNIT)


def test_a_proof_in_the_very_slot_of_the_restart_came_before_the_halt(world: World) -> None:
    """The sysvar holds the hard fork's slot, the last one before the halt: its clock stood still as any other's."""
    lease = world.running(duration=10 * DAY)
    world.serve(lease, 2)
    last = world.slot
    world.warp(12 * HOUR, slots=1)
    world.svm.set_last_restart_slot(last)
    world.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert (found.moved_secs, found.missed_secs) == (12 * HOUR, 0)


def test_who_proved_in_the_slot_of_the_restart_is_not_at_fault_for_the_halt(world: World) -> None:
    lease = world.running(duration=10 * DAY)
    world.serve(lease, 2)
    last = world.slot
    world.warp(12 * HOUR, slots=1)
    world.svm.set_last_restart_slot(last)
    world.do(calls.settle_lease(lease))
    started = world.of(lease).started_at
    for _ in range(13):  # the supplier serves on from the first slot, and proves every interval
        world.warp(INTERVAL)
        world.do(calls.append_proof(lease, (world.now - started) // INTERVAL - 1, INTERVAL))
        started = world.of(lease).started_at
    ended = world.do(calls.end_lease(lease)).event(LeaseEnded)
    assert (ended.reason, ended.pending_bps) == (EndReason.RENTER, 0)


def test_the_authority_may_be_the_genesis_owner() -> None:
    world = World()
    world.do(calls.init_network(world.authority, world.usdc, world.authority))
    assert world.tokens(calls.ata(world.authority.pubkey(), calls.IO)) == 500_000_000 * IO_UNIT


@pytest.mark.parametrize("served", [300, 600])
def test_two_intervals_skipped_for_good_are_an_outage_whenever_the_next_proof_comes(world: World, served: int) -> None:
    """2 % from two missed intervals (3.7): intervals 1 and 2 can never be proven once interval 3 is."""
    lease = world.running(duration=10 * 24 * HOUR)
    start = world.now
    world.serve(lease, 1)
    world.warp_to(start + 3 * INTERVAL + served)
    world.do(calls.append_proof(lease, 3, served))
    slashed = report(world, lease)
    assert (slashed.bps, slashed.amount) == (200, 320 * IO_UNIT)

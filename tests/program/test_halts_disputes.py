"""Whole lives through halts of the chain: its clock runs on, nobody can act, and nobody loses by it."""

from __future__ import annotations

import pytest
from ionet.generated.enums import EndReason
from ionet.generated.events import LeaseEnded
from program import calls, disputes
from program.chain import refused
from program.disputes import Record
from program.whole_life import DAY, HOURLY, INTERVAL, Life, outcome
from program.world import H100, HOUR, World

pytestmark = pytest.mark.matrix

IN_TIME = disputes.GRACE + disputes.WINDOW
LATEST = IN_TIME + disputes.DEFENCE + INTERVAL


def halt(world: World, secs: int) -> None:
    """The chain stands still and is restarted; its clock has run on."""
    world.warp(secs, slots=10)
    world.svm.set_last_restart_slot(world.slot - 1)


@pytest.mark.parametrize("hours", [1, 48, 120])
def test_a_halt_of_the_chain_costs_nobody_anything(world: World, hours: int) -> None:
    """The supplier goes on where they stood, and is paid for every interval that they serve."""
    life = Life(world)
    life.start()
    world.serve(life.lease, 6)
    halt(world, hours * HOUR)
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(life.lease, world.stranger))
    with refused("ChainRecovering"):
        life.report()
    world.do(calls.settle_lease(life.lease))
    assert world.of(life.lease).moved_secs == hours * HOUR - 2
    world.serve(life.lease, 6, first=6)
    world.warp(3 * HOUR)  # the chain has recovered
    with refused("NothingMissed"):
        life.report()
    assert life.finish() == outcome(2 * HOURLY)


def test_who_does_not_come_back_after_a_halt_is_at_fault_when_the_chain_has_recovered(world: World) -> None:
    """Two hours, in slots, in which nothing is anybody's fault; then outage and tiers as always."""
    life = Life(world, duration=10 * HOUR)
    life.start()
    world.serve(life.lease, 6)
    halt(world, 48 * HOUR)
    world.warp(2 * HOUR - 1)
    with refused("ChainRecovering"):
        life.report()
    world.warp(1)
    with refused("NothingMissed"):
        life.report()
    # Two whole intervals after the one in which it recovered, and the grace of the second.
    world.warp(4 * INTERVAL - 3)
    with refused("NothingMissed"):
        life.report()
    world.warp(1)
    assert life.report().bps == 200
    world.warp(HOUR)
    assert world.do(calls.end_lease(life.lease, world.stranger)).event(LeaseEnded).reason == EndReason.SUPPLIER_FAULT
    assert life.report().bps == 200
    gained = life.finish()
    assert {name: usd for name, (_, usd) in gained.items()} == {name: usd for name, (_, usd) in outcome(HOURLY).items()}


def test_no_deadline_runs_out_while_the_chain_recovers(world: World) -> None:
    """Readiness after a day, acceptance after another; both may still be cancelled two hours after the last halt."""
    life = Life(world)
    lease = life.lease
    halt(world, DAY)
    world.warp(2 * HOUR - 1)
    with refused("TooEarly"):
        world.do(calls.cancel_lease(lease))
    world.do(calls.mark_ready(lease))
    halt(world, DAY)
    world.warp(2 * HOUR - 1)
    with refused("TooEarly"):
        world.do(calls.cancel_lease(lease))
    world.warp(1)
    with refused("TooLate"):
        world.do(calls.accept_ready(lease))
    world.do(calls.cancel_lease(lease))
    assert life.finish() == outcome(HOURLY * 1_200 // HOUR)


def test_a_clock_that_jumps_without_a_restart_lets_no_stranger_take_anything(world: World) -> None:
    """Silence is measured by the clock or the slots, whichever ran less."""
    life = Life(world, duration=4 * DAY)
    life.start()
    world.serve(life.lease, 6)
    world.warp(48 * HOUR, slots=10)
    with refused("NothingMissed"):
        life.report()
    with refused("NotSupplierFault"):
        world.do(calls.end_lease(life.lease, world.stranger))


@pytest.mark.parametrize("recovered", [False, True])
@pytest.mark.parametrize("deed", ["end", "quit", "leave", "extend", "approve"])
def test_everything_that_can_be_done_to_a_lease_still_can_after_a_halt(
    world: World, deed: str, recovered: bool
) -> None:
    """Also where the supplier has proven more than is closed."""
    record = disputes.served(world, 6, duration=6 * HOUR)
    lease = record.lease
    halt(world, 48 * HOUR)
    world.do(calls.settle_lease(lease))
    if recovered:
        record.serve(13, first=6)
    made = {
        "end": calls.end_lease(lease),
        "quit": calls.quit_lease(lease),
        "leave": disputes.leave_lease(lease),
        "extend": calls.extend_lease(lease, H100, INTERVAL),
        "approve": disputes.approve_lease(world, lease, 17 if recovered else 5),
    }
    world.do(made[deed])


# -- disputes


def restarted(world: World) -> tuple[Record, int]:
    """Six intervals served, of which the first is in dispute since an interval later; then a halt of two days. Returns
    the record and when the chain has recovered."""
    record = disputes.served(world, 6, duration=6 * HOUR)
    record.serve(1, first=6)
    world.do(disputes.dispute_lease(record.lease, 0, 1))
    halt(world, 48 * HOUR)
    return record, world.now + 2 * HOUR


@pytest.mark.parametrize(("late", "over"), [(-1, False), (0, True)])
def test_no_defence_runs_out_while_the_chain_recovers(world: World, late: int, over: bool) -> None:
    record, recovered = restarted(world)
    world.warp_to(recovered + late)
    world.do(calls.settle_lease(record.lease))
    assert world.of(record.lease).held_secs == (0 if over else INTERVAL)
    if not over:
        record.defend(0)
        # And what has matured although all wait: the five oldest intervals, this one among them.
        late = (world.now - world.of(record.lease).started_at - LATEST) // INTERVAL
        assert (late, world.of(record.lease).matured_secs) == (5, 5 * INTERVAL)


def test_nothing_matures_while_the_chain_recovers_but_no_more_than_a_defence_and_an_interval_late(
    world: World,
) -> None:
    record = disputes.served(world, 6, duration=6 * HOUR)
    lease = record.lease
    halt(world, 48 * HOUR)
    recovered = world.now + 2 * HOUR
    world.do(calls.settle_lease(lease))
    record.serve(11, first=6)
    start = world.of(lease).started_at
    for at, matured in ((recovered - 1, recovered - 1 - LATEST), (recovered, recovered - IN_TIME)):
        world.warp_to(at)
        world.do(calls.settle_lease(lease))
        count = (matured - start) // INTERVAL
        found = world.of(lease)
        assert (
            (found.ring_base, found.matured_secs)
            == (count, count * INTERVAL)
            == ((4, 2_400), (11, 6_600))[at == recovered]
        )


def test_what_a_halt_swallowed_of_the_dispute_window_comes_back(world: World) -> None:
    """Nobody could dispute while the chain stood still: afterwards the same intervals still can be."""
    record = disputes.served(world, 6)
    halt(world, 48 * HOUR)
    world.do(disputes.dispute_lease(record.lease, 0, 5))
    assert world.of(record.lease).held_secs == 5 * INTERVAL
    record.defend(4, 3, 2, 1, 0)


def test_a_halt_during_a_dispute_moves_what_it_keeps_from_maturing(world: World) -> None:
    record, recovered = restarted(world)
    lease = record.lease
    record.defend(0)
    assert world.of(lease).blocked_until == world.now + INTERVAL
    halt(world, HOUR)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).blocked_until == world.now + INTERVAL - 2
    assert recovered < world.now + 2 * HOUR


def test_leaving_after_a_halt_names_the_intervals_before_it(world: World) -> None:
    record = disputes.served(world, 6)
    halt(world, 48 * HOUR)
    ended = world.do(disputes.leave_lease(record.lease)).event(LeaseEnded)
    start = world.of(record.lease).started_at
    assert (ended.burned_secs, ended.ends_at - start) == (2 * INTERVAL, 6 * INTERVAL)

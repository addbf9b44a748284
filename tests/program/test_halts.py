"""Whole lives through halts of the chain: its clock runs on, nobody can act, and nobody loses by it."""

from __future__ import annotations

import pytest
from ionet.generated.enums import EndReason
from ionet.generated.events import LeaseEnded
from program import calls
from program.chain import refused
from program.whole_life import DAY, HOURLY, INTERVAL, Life, outcome
from program.world import HOUR, World


def halt(world: World, secs: int) -> None:
    """The chain stands still and is restarted; its clock has run on."""
    world.warp(secs, slots=10)
    world.svm.set_last_restart_slot(world.slot)


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

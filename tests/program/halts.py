"""A chain that halts and restarts, and how a lease goes on after it."""

from __future__ import annotations

import pytest
from ionet.generated.events import (
    LeaseClosed,
    NodeSlashed,
)
from ionet.rules.restarts import Moment
from program import calls
from program.disputes import DEFENCE, INTERVAL, WINDOW
from program.refs import LeaseRef
from program.world import HOUR, World

DAY = 86_400
RECOVERY = 2 * HOUR
HOURLY = 16_000_000
HALTS = pytest.mark.parametrize("halt", [60, 1_199, 4_201, 2 * HOUR, 12 * HOUR, 5 * DAY], ids=lambda secs: f"{secs} s")
OFFSETS = pytest.mark.parametrize("offset", [0, 1, 299, 300, 599], ids=lambda secs: f"at {secs}")


def restart(world: World, halt: int) -> None:
    """The clock runs on by `halt` seconds, the next slot is the chain's first again. The sysvar names the last one
    before: the slot of the hard fork."""
    last = world.slot
    world.warp(halt, slots=1)
    world.svm.set_last_restart_slot(last)


def moment(world: World, restart_slot: int) -> Moment:
    return Moment(now=world.now, slot=world.slot, restart_slot=restart_slot)


def report(world: World, lease: LeaseRef) -> NodeSlashed:
    return world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)


def finish(world: World, lease: LeaseRef) -> LeaseClosed:
    """Strangers bring it to its end, however late."""
    for _ in range(2):
        world.warp(RECOVERY + DEFENCE + WINDOW + 2 * INTERVAL)
        world.do(calls.settle_lease(lease))
    return world.do(calls.close_lease(lease)).event(LeaseClosed)

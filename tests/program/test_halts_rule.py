"""What the next instruction after a restart does to a lease's times is what the client says it does."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from ionet.generated.accounts import Lease
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import (
    ProofAppended,
)
from ionet.rules.lease_time import mature_intervals
from ionet.rules.restarts import caught_up, recovery_left
from program import calls
from program.chain import SLOT_MS
from program.disputes import INTERVAL
from program.halts import DAY, RECOVERY, moment, restart
from program.world import HOUR, World

pytestmark = pytest.mark.matrix

# -- the client's rule


def times(lease: Lease) -> dict[str, Any]:
    names = (
        "started_at",
        "ends_at",
        "last_kept_at",
        "last_kept_slot",
        "synced_at",
        "synced_slot",
        "excused_from",
        "excused_to",
        "blocked_until",
        "moved_secs",
        "kept_next",
        "ring_next",
    )
    return {name: getattr(lease, name) for name in names}


@pytest.mark.parametrize("seed", range(60))
def test_the_clients_rule_says_what_the_next_instruction_finds(world: World, seed: int) -> None:
    """A random past, a random halt, a random restart in or before it, slots of another length."""
    random = Random(seed)
    lease = world.running(duration=10 * DAY)
    slots_per_sec = random.choice([2.5, 4, 5])
    interval = 0
    for _ in range(random.randrange(6)):
        for _ in range(random.randrange(1, 5)):
            secs = random.choice([INTERVAL, INTERVAL, random.randrange(1, INTERVAL)])
            world.warp_to(world.of(lease).started_at + (interval + 1) * INTERVAL)
            world.do(calls.append_proof(lease, interval, secs))
            interval += 1
        interval += random.choice([0, 0, 1, 5])
        if random.random() < 0.3:
            world.forge(Lease, lease.key, blocked_until=world.now + random.randrange(2 * INTERVAL))
    for _ in range(3):
        found = world.of(lease)
        gap = random.choice([0, 1, random.randrange(HOUR), random.randrange(3 * DAY)])
        halt = random.choice([0, random.randrange(HOUR), random.randrange(3 * DAY)])
        before = world.slot
        world.warp(gap + halt, slots=int(gap * slots_per_sec) + 1)
        restart_slot = random.choice([0, found.synced_slot, before, random.randint(before, world.slot), world.slot])
        world.svm.set_last_restart_slot(restart_slot)
        expected = caught_up(found, moment(world, restart_slot))
        world.do(calls.settle_lease(lease))
        after = world.of(lease)
        assert times(after) == times(expected)
        recovering = recovery_left(expected, moment(world, restart_slot)) > 0
        assert after.ring_base == max(expected.ring_base, mature_intervals(expected, world.now, recovering=recovering))


@pytest.mark.parametrize("seed", range(40))
def test_the_clients_rule_for_any_lease_there_can_be(world: World, seed: int) -> None:
    """Every field that a restart reads is anything; every field it does not write stays."""
    random = Random(1_000 + seed)
    lease = world.running(duration=10 * DAY)
    world.warp(20 * DAY)
    for _ in range(8):
        start = world.now - random.randrange(15 * DAY)
        synced = random.randint(start, world.now)
        slot = random.randrange(world.slot)
        excused = random.choice([0, start + random.randrange(15 * DAY)])
        base = random.randrange(100)
        world.forge(
            Lease,
            lease.key,
            status=LeaseStatus.ACTIVE,
            started_at=start,
            ends_at=world.now + random.randrange(1, 5 * DAY),
            last_kept_at=synced,
            synced_at=synced,
            synced_slot=slot,
            excused_from=excused,
            excused_to=excused and excused + random.randrange(DAY),
            blocked_until=random.choice([0, world.now + random.randrange(DAY)]),
            moved_secs=random.choice([0, 7, 2**32 - 5]) if random.random() < 0.1 else 7,
            recovery_secs=random.choice([0, 60, RECOVERY, DAY]),
            grace_intervals=random.randrange(1, 4),
            slot_ms=random.choice([100, 250, 400, 500]),
            ring_base=base,
            ring_next=base,
            kept_next=base,
        )
        found = world.of(lease)
        restart_slot = random.choice([slot, slot + 1, random.randint(slot, world.slot), world.slot])
        world.svm.set_last_restart_slot(restart_slot)
        expected = caught_up(found, moment(world, restart_slot))
        world.do(calls.settle_lease(lease))
        after = world.of(lease)
        assert times(after) == times(expected)
        folded = ("ring_base", "missed_secs", "seq")
        kept = [name for name in after.__struct_fields__ if name not in folded]
        assert {name: getattr(after, name) for name in kept} == {name: getattr(expected, name) for name in kept}


@pytest.mark.parametrize(("slot_ms", "halted"), [(100, 1_000 - 40), (250, 1_000 - 100), (500, 1_000 - 200)])
def test_a_slot_is_as_long_as_the_parameter_copied_at_booking(world: World, slot_ms: int, halted: int) -> None:
    lease = world.running()
    world.forge(Lease, lease.key, slot_ms=slot_ms)
    world.warp(1_000, slots=100 * 1_000 // SLOT_MS)
    world.svm.set_last_restart_slot(world.slot - 1)
    world.do(calls.settle_lease(lease))
    assert world.of(lease).moved_secs == halted


def test_an_event_of_a_proof_says_how_far_the_clock_was_moved(world: World) -> None:
    lease = world.running()
    world.warp(100)
    restart(world, HOUR)
    assert world.do(calls.append_proof(lease, 0, 100)).event(ProofAppended).moved_secs == HOUR

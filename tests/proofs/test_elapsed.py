"""Time across halts (`math::elapsed`, `state/lease/restart.rs`): proved for every clock, slot and length of a slot.

The clock and the slots are taken never to run back. A slot number is below 2^54: at two a second, half a billion years.
"""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest
from ionet.generated.accounts import Lease
from ionet.generated.enums import LeaseStatus
from program import calls
from proofs import rules
from proofs.solver import Maths, Numbers, Rule, Term, Theorem, Theorems, prove, refute
from proofs.stage import Stage, spread

pytestmark = pytest.mark.matrix

THEOREMS = Theorems()
RUNS = 8
LAST_SECOND, LAST_SLOT = 2**40, 2**54


def slot_ms(m: Maths) -> Term:
    return m.number("slot_ms", 100, 500)


def moments(m: Maths, *names: str) -> list[tuple[Term, Term]]:
    """Seconds and slot of moments in their order."""
    found = [(m.number(f"{name}_at", 0, LAST_SECOND), m.number(f"{name}_slot", 0, LAST_SLOT)) for name in names]
    for (at, slot), (later_at, later_slot) in pairwise(found):
        m.given(m.every(at <= later_at, slot <= later_slot))
    return found


# -- faults


def longer_of_both(m: Maths, at: Term, at_slot: Term, now: Term, slot: Term, ms: Term) -> Term:
    return rules.most(m, rules.secs_between(m, at, now), rules.slots_secs(m, at_slot, slot, ms))


def the_clock_alone(_: Maths, at: Term, _slot: Term, now: Term, *_rest: Term) -> Term:
    return now - at


def slots_rounded_up(m: Maths, start: Term, end: Term, ms: Term) -> Term:
    return m.ceil(rules.most(m, end - start, 0) * ms, 1_000)


def without_the_slots(m: Maths, at: Term, _slot: Term, now: Term, *_rest: Term) -> Term:
    return rules.secs_between(m, at, now)


def by_the_slots(m: Maths, _at: Term, at_slot: Term, _now: Term, slot: Term, ms: Term) -> Term:
    return rules.slots_secs(m, at_slot, slot, ms)


def never_less_than_nothing(m: Maths, at: Term, at_slot: Term, now: Term, slot: Term, ms: Term) -> Term:
    return rules.secs_between(m, at, now) - rules.slots_secs(m, at_slot, slot, ms)


def restart_not_before_now(m: Maths, at: Term, at_slot: Term, restart: Term, now: Term, slot: Term, ms: Term) -> Term:
    still = rules.halted(m, at, at_slot, now, slot, ms)
    before = m.floor((now - at - still) * (restart - at_slot), rules.most(m, slot - at_slot, 1))
    return at + still + before


def recovery_by_a_slot_too_long(m: Maths, restart: Term, slot: Term, secs: Term, ms: Term) -> Term:
    return rules.most(m, secs - rules.slots_secs(m, restart + 1, slot, ms), 0)


# -- theorems


def test_the_bounds_are_those_of_the_parameters() -> None:
    bounds = Path(__file__).parents[2] / "programs/ionet/src/state/network/params/bounds.rs"
    assert "(100..=500).contains(&self.slot_ms)" in bounds.read_text(encoding="utf-8")


def test_elapsed_time_is_not_additive() -> None:
    """Ten seconds in which no slot passes, then eleven seconds' slots within one: none, one, and eleven at once."""
    m, first, second, third = Numbers(), (1_000, 40), (1_010, 40), (1_011, 84)
    assert rules.elapsed(m, *first, *second, 250) == 0
    assert rules.elapsed(m, *second, *third, 250) == 1
    assert rules.elapsed(m, *first, *third, 250) == 11


@THEOREMS.add(longer_of_both={"elapsed": longer_of_both}, the_clock_alone={"elapsed": the_clock_alone})
def never_negative_and_never_beyond_the_clock_or_the_slots(m: Maths, elapsed: Rule = rules.elapsed) -> Term:
    """Also where clock or slots run back."""
    at, now = m.number("at", 0, LAST_SECOND), m.number("now", 0, LAST_SECOND)
    at_slot, slot, ms = m.number("at_slot", 0, LAST_SLOT), m.number("slot", 0, LAST_SLOT), slot_ms(m)
    secs = elapsed(m, at, at_slot, now, slot, ms)
    in_time = m.every(secs <= rules.most(m, now - at, 0), secs * 1_000 <= rules.most(m, slot - at_slot, 0) * ms)
    return m.every(secs >= 0, in_time)


@THEOREMS.add(without_the_slots={"elapsed": never_less_than_nothing})
def later_is_never_less(m: Maths, elapsed: Rule = rules.elapsed) -> Term:
    (at, at_slot), one, other = moments(m, "from", "one", "other")
    ms = slot_ms(m)
    return elapsed(m, at, at_slot, *one, ms) <= elapsed(m, at, at_slot, *other, ms)


@THEOREMS.add(rounded_up={"slots_secs": slots_rounded_up})
def slots_counted_in_two_parts_are_never_more_and_at_most_a_second_less(
    m: Maths, slots_secs: Rule = rules.slots_secs
) -> Term:
    (_, one), (_, two), (_, three) = moments(m, "one", "two", "three")
    ms = slot_ms(m)
    parts, whole = slots_secs(m, one, two, ms) + slots_secs(m, two, three, ms), slots_secs(m, one, three, ms)
    return m.every(parts <= whole, whole <= parts + 1)


@THEOREMS.add(longer_of_both={"elapsed": longer_of_both})
def time_measured_in_two_parts_is_never_longer(m: Maths, elapsed: Rule = rules.elapsed) -> Term:
    """It is the same where the clock is the shorter measure in both parts, and but for a second where the slots are."""
    one, two, three = moments(m, "one", "two", "three")
    ms = slot_ms(m)
    parts, whole = elapsed(m, *one, *two, ms) + elapsed(m, *two, *three, ms), elapsed(m, *one, *three, ms)
    spans = ((one, two), (two, three))
    clock = [rules.secs_between(m, begin[0], end[0]) for begin, end in spans]
    slots = [rules.slots_secs(m, begin[1], end[1], ms) for begin, end in spans]
    by_clock = m.every(clock[0] <= slots[0], clock[1] <= slots[1])
    by_slots = m.every(slots[0] <= clock[0], slots[1] <= clock[1])
    return m.every(parts <= whole, m.implies(by_clock, whole == parts), m.implies(by_slots, whole <= parts + 1))


@THEOREMS.add(without_the_slots={"halted": without_the_slots}, by_the_slots={"halted": by_the_slots})
def a_lease_lives_what_elapsed_says(m: Maths, halted: Rule = rules.halted) -> Term:
    """After a restart a lease is older by exactly `elapsed` since it was last touched: never less, never more."""
    (started, _), (at, at_slot), (now, slot) = moments(m, "started", "synced", "now")
    ms = slot_ms(m)
    moved = started + halted(m, at, at_slot, now, slot, ms)
    lived = (now - moved) - (at - started)
    return m.every(lived == rules.elapsed(m, at, at_slot, now, slot, ms), moved <= now, moved >= started)


@THEOREMS.add(without_the_slots={"halted": never_less_than_nothing})
def two_halts_move_a_lease_no_less_than_both_at_once(m: Maths, halted: Rule = rules.halted) -> Term:
    """Exactly as much but for a second, where the chain did halt in both parts; never less, so nobody is late by it."""
    one, two, three = moments(m, "one", "two", "three")
    ms = slot_ms(m)
    first, second, whole = halted(m, *one, *two, ms), halted(m, *two, *three, ms), halted(m, *one, *three, ms)
    exact = m.implies(m.every(first > 0, second > 0), first + second <= whole + 1)
    return m.every(first >= 0, second >= 0, whole <= first + second, exact)


@THEOREMS.add(not_before_now={"restarted_at": restart_not_before_now})
def the_restart_is_between_the_last_touch_and_now(m: Maths, restarted_at: Rule = rules.restarted_at) -> Term:
    (at, at_slot), (now, slot) = moments(m, "synced", "now")
    restart, ms = m.number("restart_slot", 0, LAST_SLOT), slot_ms(m)
    m.given(restart >= at_slot)
    found = restarted_at(m, at, at_slot, restart, now, slot, ms)
    synced = at + rules.halted(m, at, at_slot, now, slot, ms)
    return m.every(synced <= found, found <= now, m.all_fit())


@THEOREMS.add(by_a_slot_too_long={"recovery_left": recovery_by_a_slot_too_long})
def a_recovery_ends_when_its_slots_have_passed(m: Maths, recovery_left: Rule = rules.recovery_left) -> Term:
    (_, restart), (_, slot) = moments(m, "restart", "now")
    secs, ms = m.number("recovery_secs", 0, 2**32 - 1), slot_ms(m)
    left = recovery_left(m, restart, slot, secs, ms)
    is_over = (slot - restart) * ms >= secs * 1_000
    return m.every(left >= 0, left <= secs, m.implies(is_over, left == 0), m.implies(left == 0, is_over))


@pytest.mark.parametrize("theorem", THEOREMS, ids=str)
def test_theorem(theorem: Theorem) -> None:
    prove(theorem)


@pytest.mark.parametrize(("theorem", "fault"), THEOREMS.faults(), ids=str)
def test_a_broken_rule_is_refuted(theorem: Theorem, fault: str) -> None:
    refute(theorem, fault)


@pytest.mark.parametrize("seed", range(RUNS))
def test_the_program_counts_the_seconds_of_the_rule(stage: Stage, seed: int) -> None:
    """Since a node was ready, as a rejection burns them; also where clock or slots run back."""
    m, dice = Numbers(), random.Random(seed)
    for _ in range(100):
        at = stage.now - dice.choice([-1, 1, 1, 1]) * spread(dice, 0, stage.now)
        slot = stage.slot - dice.choice([-1, 1, 1, 1]) * spread(dice, 0, stage.slot)
        ms = spread(dice, 100, 500)
        stage.reset()
        longest = {"accept_deadline_secs": 2**32 - 1, "duration": 2**32 - 1, "reject_floor_secs": 0, "price": 0}
        stage.forge_lease(ready_at=at, ready_slot=slot, slot_ms=ms, locked=0, **longest)
        stage.ask(calls.reject_ready(stage.lease))
        burned = stage.world.of(stage.lease).burned_secs
        assert burned == rules.elapsed(m, at, slot, stage.now, stage.slot, ms)


@pytest.mark.parametrize("seed", range(RUNS))
def test_the_program_moves_a_lease_by_the_rule(stage: Stage, seed: int) -> None:
    m, dice = Numbers(), random.Random(seed)
    for _ in range(100):
        at = stage.now - spread(dice, 0, stage.now // 2)
        slot = stage.slot - spread(dice, 1, stage.slot)
        restart = dice.randint(slot + 1, stage.slot) if dice.random() < 0.7 else stage.slot + dice.randint(0, 9)
        ms, secs, ahead = spread(dice, 100, 500), spread(dice, 1, 86_400), 10**6
        started, clock = at - spread(dice, 0, at - 1), (at, slot, stage.now, stage.slot, ms)
        stage.reset()
        stage.world.svm.set_last_restart_slot(restart)
        stage.forge_lease(
            status=LeaseStatus.ACTIVE,
            started_at=started,
            ends_at=stage.now + ahead,
            synced_at=at,
            synced_slot=slot,
            slot_ms=ms,
            interval_secs=86_400,
            recovery_secs=secs,
        )
        stage.ask(calls.settle_lease(stage.lease))
        lease = stage.world.of(stage.lease)
        moved = rules.halted(m, *clock)
        assert (lease.started_at, lease.ends_at) == (started + moved, stage.now + ahead + moved)
        restarted = rules.restarted_at(m, at, slot, restart, *clock[2:])
        assert (lease.synced_at, lease.excused_to) == (stage.now, restarted + secs)
    stage.world.svm.set_last_restart_slot(0)


@pytest.mark.parametrize("seed", range(RUNS))
def test_the_program_recovers_as_long_as_the_rule_says(stage: Stage, seed: int) -> None:
    """A meter that starts meanwhile excuses what is left of it."""
    m, dice = Numbers(), random.Random(seed)
    for _ in range(100):
        ms, secs = spread(dice, 100, 500), spread(dice, 0, 86_400)
        restart = max(1, stage.slot - spread(dice, 0, 1_000 * (secs + 1) // ms + 2))
        stage.reset()
        stage.world.svm.set_last_restart_slot(restart)
        ready = {"status": LeaseStatus.READY, "ready_at": stage.now, "ready_slot": stage.slot}
        stage.forge_lease(slot_ms=ms, recovery_secs=secs, **ready)
        stage.ask(calls.accept_ready(stage.lease))
        lease: Lease = stage.world.of(stage.lease)
        left = rules.recovery_left(m, restart, stage.slot, secs, ms)
        assert lease.excused_to == (stage.now + left if left else 0)
    stage.world.svm.set_last_restart_slot(0)

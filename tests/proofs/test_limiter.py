"""The limiter of IOSD (`Iosd::limit_mint`, `Iosd::limit_redeem`, `leaked`): proved for every cap and window.

A bucket that leaks its cap within a window. The clock is taken never to run back (Solana's runtime sees to it).
"""

from __future__ import annotations

import random

import msgspec
import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Iosd, Network
from ionet.generated.enums import BPS, IO_GENESIS
from ionet.generated.events import IosdMinted
from program import calls
from program.calls import ID, IO, USD, ata
from program.chain import Call
from program.currencies import redeem_iosd
from program.world import IO_UNIT
from proofs import rules
from proofs.solver import U64, Maths, Numbers, Rule, Term, Theorem, Theorems, prove, refute
from proofs.stage import Stage, spread

pytestmark = pytest.mark.matrix

THEOREMS = Theorems()
RUNS = 8
DAY = 86_400
# Between two calls: longer than a century.
LONGEST = 2**32 - 1


def window_of(m: Maths) -> Term:
    return m.number("window", 1, 2**32 - 1)


def units(m: Maths, *names: str) -> list[Term]:
    return [m.number(name, 0, U64 - 1) for name in names]


# -- faults


def nothing_used_before(_: Maths, _used: Term, _secs: Term, _cap: Term, _window: Term, amount: Term) -> Term:
    return amount


def leaks_a_unit_more(m: Maths, used: Term, secs: Term, cap: Term, window: Term) -> Term:
    return rules.most(m, used - m.floor(cap * secs, window) - 1, 0)


def leak_rounded_up(m: Maths, used: Term, secs: Term, cap: Term, window: Term) -> Term:
    return rules.most(m, used - m.ceil(cap * secs, window), 0)


def leaks_below_empty(m: Maths, used: Term, secs: Term, cap: Term, window: Term) -> Term:
    return used - m.floor(cap * secs, window)


def leaks_half(m: Maths, used: Term, secs: Term, cap: Term, window: Term) -> Term:
    return rules.most(m, used - m.floor(cap * secs, 2 * window), 0)


def empty_after_a_window_only(m: Maths, used: Term, secs: Term, _cap: Term, window: Term) -> Term:
    return m.pick(secs >= window, 0, used)


def fixed_windows(m: Maths, used: Term, secs: Term, _cap: Term, window: Term, amount: Term) -> Term:
    return m.pick(secs >= m.floor(window, 2), amount, used + amount)


def cap_forgetting_the_floor(m: Maths, supply: Term, limit_bps: Term, _floor: Term) -> Term:
    return rules.bps_floor(m, supply, limit_bps)


def level_with(leak: Rule) -> Rule:
    return lambda m, used, secs, cap, window, amount: leak(m, used, secs, cap, window) + amount


# -- theorems


@THEOREMS.add(below_empty={"leaked": leaks_below_empty})
def what_leaks_leaves_between_nothing_and_what_was_there(m: Maths, leaked: Rule = rules.leaked) -> Term:
    used, cap = units(m, "used", "cap")
    left = leaked(m, used, m.number("secs", 0, LONGEST), cap, window_of(m))
    return m.every(left >= 0, left <= used, m.all_fit())


@THEOREMS.add(rounded_up={"leaked": leak_rounded_up}, a_unit_more={"leaked": leaks_a_unit_more})
def rounded_against_the_caller_by_less_than_a_unit(m: Maths, leaked: Rule = rules.leaked) -> Term:
    used, cap = units(m, "used", "cap")
    secs, window = m.number("secs", 0, LONGEST), window_of(m)
    left = leaked(m, used, secs, cap, window)
    gone = used - left
    return m.every(gone * window <= cap * secs, m.implies(left > 0, (gone + 1) * window > cap * secs))


@THEOREMS.add(half={"leaked": leaks_half})
def empty_after_a_window(m: Maths, leaked: Rule = rules.leaked) -> Term:
    """So whatever is within the cap passes then."""
    used, cap = units(m, "used", "cap")
    secs, window = m.number("secs", 0, LONGEST), window_of(m)
    m.given(m.every(used <= cap, secs >= window))
    return leaked(m, used, secs, cap, window) == 0


@THEOREMS.add(rounded_up={"leaked": leak_rounded_up})
def a_call_between_never_lets_more_leak_and_at_most_a_unit_less(m: Maths, leaked: Rule = rules.leaked) -> Term:
    used, cap = units(m, "used", "cap")
    first, second, window = m.number("first", 0, LONGEST), m.number("second", 0, LONGEST), window_of(m)
    m.given(first + second <= LONGEST)
    parts = leaked(m, leaked(m, used, first, cap, window), second, cap, window)
    whole = leaked(m, used, first + second, cap, window)
    return m.every(whole <= parts, parts <= whole + 1)


@THEOREMS.add(nothing_used_before={"level": nothing_used_before}, fixed_windows={"level": fixed_windows})
def two_calls_pass_at_most_the_cap_and_what_leaked_between(m: Maths, level: Rule = rules.level_after) -> Term:
    """Whatever the level and the cap at the first; the cap is that at the second, which may have changed."""
    used, amount, other, cap, before = units(m, "used", "amount", "other", "cap", "cap_before")
    secs, window = m.number("secs", 0, LONGEST), window_of(m)
    first = level(m, used, m.number("secs_before", 0, LONGEST), before, window, amount)
    m.given(first <= before)
    second = level(m, first, secs, cap, window, other)
    m.given(second <= cap)
    return (amount + other) * window <= cap * window + cap * secs


@THEOREMS.add(nothing_used_before={"level": nothing_used_before}, half={"level": level_with(empty_after_a_window_only)})
def one_more_call_adds_no_more_than_the_level_and_what_leaked(m: Maths, level: Rule = rules.level_after) -> Term:
    """The step of an induction over any number of calls: what passed is at most the level and what leaked.

    The level is at most the cap, so what passed within any time is at most the cap and what leaked in that time.
    """
    used, amount, cap, passed, gone = units(m, "used", "amount", "cap", "passed", "gone")
    secs, window = m.number("secs", 0, LONGEST), window_of(m)
    m.given(passed <= used + gone)
    after = level(m, used, secs, cap, window, amount)
    return m.every((passed + amount - after - gone) * window <= cap * secs)


@THEOREMS.add(forgetting_the_floor={"cap_of": cap_forgetting_the_floor})
def the_cap_is_at_least_the_floor_and_grows_with_the_supply(m: Maths, cap_of: Rule = rules.cap_of) -> Term:
    supply, more, floor = units(m, "supply", "more", "floor")
    bps = m.number("bps", 1, BPS)
    m.given(supply <= more)
    cap = cap_of(m, supply, bps, floor)
    return m.every(cap >= floor, cap <= cap_of(m, more, bps, floor), m.all_fit())


@pytest.mark.parametrize("theorem", THEOREMS, ids=str)
def test_theorem(theorem: Theorem) -> None:
    prove(theorem)


@pytest.mark.parametrize(("theorem", "fault"), THEOREMS.faults(), ids=str)
def test_a_broken_rule_is_refuted(theorem: Theorem, fault: str) -> None:
    refute(theorem, fault)


@pytest.mark.parametrize("seed", range(RUNS))
@pytest.mark.parametrize("kind", ["mint", "redeem"])
def test_the_program_keeps_the_level_of_the_rule(stage: Stage, kind: str, seed: int) -> None:
    """And refuses exactly what would be above the cap."""
    m, dice = Numbers(), random.Random(seed)
    params = stage.world.params
    for _ in range(100):
        supply, used = spread(dice, 10**6, 10**15), spread(dice, 0, 10**15)
        bps, floor, window = spread(dice, 1, BPS), spread(dice, 1, 10**15), spread(dice, 1, DAY)
        secs = dice.choice([spread(dice, 0, stage.now), spread(dice, 0, window)])
        io = 3 * dice.randint(1, 10**4) * IO_UNIT // 2
        amount = minted(stage, io) if kind == "mint" else spread(dice, 1_000, supply)
        since = stage.slot - spread(dice, 0, stage.slot)
        clock = (stage.now - secs, since, stage.now, stage.slot)
        secs = rules.elapsed(m, *clock, params.slot_ms)
        level = rules.level_after(m, used, secs, rules.cap_of(m, supply, bps, floor), window, amount)
        write(stage, supply)
        limits = {f"{kind}_limit_bps": bps, f"{kind}_floor": floor, "limiter_window_secs": window}
        stage.forge(Network, calls.NETWORK, params=msgspec.structs.replace(params, **limits))
        bucket = {f"{kind}_window_amount": used, f"{kind}_window_start": clock[0], f"{kind}_window_slot": since}
        stage.forge(Iosd, pdas.iosd(ID), **bucket)
        cap = rules.cap_of(m, supply, bps, floor)
        said = stage.said(call_of(stage, kind, io if kind == "mint" else amount))
        assert said == ("ok" if level <= cap else "WindowFull")
        if level <= cap:
            found = stage.world.get(Iosd, pdas.iosd(ID))
            assert getattr(found, f"{kind}_window_amount") == level
            assert getattr(found, f"{kind}_window_start") == stage.now
            assert getattr(found, f"{kind}_window_slot") == stage.slot


def write(stage: Stage, supply: int) -> None:
    """This much IOSD, all of it the renter's, with all IO there is as its backing."""
    stage.reset()
    books = {"minted": supply, "redeemed": 0, "fee_burned": 0, "io_burned": IO_GENESIS, "io_redeemed": 0}
    stage.forge(Iosd, pdas.iosd(ID), mint_window_amount=0, redeem_window_amount=0, **books)
    for mint, amount in ((USD, supply), (IO, IO_GENESIS)):
        stage.exist(mint, amount)
        stage.hold(ata(stage.wallet, mint), amount)


def call_of(stage: Stage, kind: str, amount: int) -> Call:
    make = calls.mint_iosd if kind == "mint" else redeem_iosd
    return make(stage.wallet, stage.world.oracle, amount)


def minted(stage: Stage, io: int) -> int:
    """What an amount of IO mints when no limit is near."""
    write(stage, 10**15)
    return stage.ask(call_of(stage, "mint", io)).event(IosdMinted).iosd_minted

"""What served time earns (`math::earned`): proved for every price, number of processors and time there can be."""

from __future__ import annotations

import pytest
from ionet.generated.enums import MAX_DURATION, MAX_PRICE, MAX_PROCESSORS, SECS_PER_HOUR
from proofs import rules
from proofs.solver import U64, Maths, Rule, Term, Theorem, Theorems, prove, refute

pytestmark = pytest.mark.matrix

THEOREMS = Theorems()
# Longer than any lease: its seconds are a u32.
LONGEST = 2**32 - 1


def rate(m: Maths) -> tuple[Term, Term]:
    """Price and processors. Only their product counts, so one processor stands for all."""
    return m.number("price", 1, MAX_PRICE * MAX_PROCESSORS), 1


def rounded_up(m: Maths, price: Term, processors: Term, secs: Term) -> Term:
    return m.ceil(price * processors * secs, SECS_PER_HOUR)


def hours_taken_for_seconds(m: Maths, price: Term, processors: Term, secs: Term) -> Term:
    return m.fits(price * processors * secs)


def counted_down(m: Maths, price: Term, processors: Term, secs: Term) -> Term:
    return m.floor(price * processors * (LONGEST - secs), SECS_PER_HOUR)


def by_the_piece(m: Maths, price: Term, processors: Term, before: Term, secs: Term) -> Term:
    return rules.earned(m, price, processors, secs - before)


@THEOREMS.add(hours_taken_for_seconds={"earned": hours_taken_for_seconds})
def the_dearest_time_fits(m: Maths, earned: Rule = rules.earned) -> Term:
    """With both fees even the dearest lease does: its price is less than half of what 64 bits hold."""
    price, processors = rate(m)
    paid, leased = m.number("paid", 0, LONGEST), m.number("leased", 0, MAX_DURATION)
    earned(m, price, processors, paid)
    return m.every(earned(m, price, processors, leased) < U64 // 2, m.all_fit())


@THEOREMS.add(rounded_up={"earned": rounded_up}, counted_down={"earned": counted_down})
def never_above_the_exact_price_and_less_than_a_unit_below(m: Maths, earned: Rule = rules.earned) -> Term:
    price, processors = rate(m)
    secs = m.number("secs", 0, LONGEST)
    exact, paid = price * processors * secs, earned(m, price, processors, secs)
    return m.every(paid * SECS_PER_HOUR <= exact, exact < (paid + 1) * SECS_PER_HOUR)


@THEOREMS.add(counted_down={"earned": counted_down})
def more_seconds_never_earn_less(m: Maths, earned: Rule = rules.earned) -> Term:
    price, processors = rate(m)
    secs, more = m.number("secs", 0, LONGEST), m.number("more", 0, LONGEST)
    m.given(secs <= more)
    return earned(m, price, processors, secs) <= earned(m, price, processors, more)


@THEOREMS.add(rounded_up={"earned": rounded_up})
def a_split_never_pays_more_and_at_most_a_unit_less(m: Maths, earned: Rule = rules.earned) -> Term:
    price, processors = rate(m)
    first, second = m.number("first", 0, LONGEST), m.number("second", 0, LONGEST)
    m.given(first + second <= LONGEST)
    parts = earned(m, price, processors, first) + earned(m, price, processors, second)
    whole = earned(m, price, processors, first + second)
    return m.every(parts <= whole, whole <= parts + 1)


@THEOREMS.add(rounded_up={"earned": rounded_up}, counted_down={"earned": counted_down})
def time_paid_and_time_burned_cost_no_more_than_the_whole(m: Maths, earned: Rule = rules.earned) -> Term:
    price, processors = rate(m)
    paid, burned, whole = (m.number(name, 0, LONGEST) for name in ("paid", "burned", "whole"))
    m.given(paid + burned <= whole)
    parts = earned(m, price, processors, paid) + earned(m, price, processors, burned)
    return parts <= earned(m, price, processors, whole)


@THEOREMS.add(by_the_piece={"gross": by_the_piece})
def three_settlements_pay_what_one_pays(m: Maths, gross: Rule = rules.gross) -> Term:
    price, processors = rate(m)
    first, second, third = (m.number(name, 0, LONGEST) for name in ("first", "second", "third"))
    m.given(m.every(first <= second, second <= third))
    parts = [gross(m, price, processors, *part) for part in ((0, first), (first, second), (second, third))]
    return m.every(sum(parts) == rules.earned(m, price, processors, third), m.all_fit())


@pytest.mark.parametrize("theorem", THEOREMS, ids=str)
def test_theorem(theorem: Theorem) -> None:
    prove(theorem)


@pytest.mark.parametrize(("theorem", "fault"), THEOREMS.faults(), ids=str)
def test_a_broken_rule_is_refuted(theorem: Theorem, fault: str) -> None:
    refute(theorem, fault)

"""Long division of 256-bit products (`math::mul_div`): what lets every other proof take a quotient for exact.

`mul_wide` multiplies halves, `div_rem` divides bit by bit: its step is proved, which an induction over the 128 bits of
the lower half makes the whole. The upper half, below the divisor, is the remainder it begins with.
"""

from __future__ import annotations

import random

import pytest
from proofs.solver import U64, U128, Maths, Numbers, Rule, Term, Theorem, Theorems, prove, refute
from proofs.stage import spread

pytestmark = pytest.mark.matrix

THEOREMS = Theorems()


# -- the rules


def split(m: Maths, value: Term, at: int = U64) -> tuple[Term, Term]:
    """A number's upper and lower part: a shift and a mask."""
    upper = m.floor(value, at)
    return upper, value - upper * at


def add_products(m: Maths, both_high: Term, high_low: Term, low_high: Term, both_low: Term) -> tuple[Term, Term]:
    """`math::mul_wide`, from the products of the halves on: the upper and the lower 128 bits."""
    carried, lowest = split(m, both_low)
    cross_high, cross_low = split(m, m.fits(high_low + carried, U128))
    middle_high, middle_low = split(m, m.fits(low_high + cross_low, U128))
    return m.fits(both_high + cross_high + middle_high, U128), middle_low * U64 + lowest


def step(m: Maths, remainder: Term, bit: Term, divisor: Term) -> tuple[Term, Term]:
    """One bit of the loop in `math::div_rem`: the quotient's bit, and the next remainder."""
    shifted = split(m, 2 * remainder + bit, U128)[1]
    takes = m.pick(2 * remainder >= U128, 1, m.pick(shifted >= divisor, 1, 0))
    return takes, split(m, shifted - takes * divisor + U128, U128)[1]


# -- faults


def without_the_carry(m: Maths, both_high: Term, high_low: Term, low_high: Term, both_low: Term) -> tuple[Term, Term]:
    cross_high, cross_low = split(m, high_low)
    middle_high, middle_low = split(m, low_high + cross_low)
    return both_high + cross_high + middle_high, middle_low * U64 + split(m, both_low)[1]


def step_without_the_carry(m: Maths, remainder: Term, bit: Term, divisor: Term) -> tuple[Term, Term]:
    shifted = split(m, 2 * remainder + bit, U128)[1]
    takes = m.pick(shifted >= divisor, 1, 0)
    return takes, shifted - takes * divisor


def step_that_takes_late(m: Maths, remainder: Term, bit: Term, divisor: Term) -> tuple[Term, Term]:
    takes = m.pick(2 * remainder + bit > divisor, 1, 0)
    return takes, 2 * remainder + bit - takes * divisor


def is_below_twice_the_divisor(_: Maths, high: Term, divisor: Term) -> Term:
    return high < 2 * divisor


def is_below_the_divisor(_: Maths, high: Term, divisor: Term) -> Term:
    """What `div_rem` requires of the upper half."""
    return high < divisor


# -- theorems


@THEOREMS.add(without_the_carry={"add": without_the_carry})
def the_halves_make_the_product_and_no_sum_overflows(m: Maths, add: Rule = add_products) -> Term:
    names = ("both_high", "high_low", "low_high", "both_low")
    products = [m.number(name, 0, (U64 - 1) ** 2) for name in names]
    high, low = add(m, *products)
    exact = products[0] * U128 + (products[1] + products[2]) * U64 + products[3]
    return m.every(high * U128 + low == exact, low >= 0, low < U128, m.all_fit())


@THEOREMS.add(without_the_carry={"step": step_without_the_carry}, takes_late={"step": step_that_takes_late})
def a_step_divides_one_bit_more(m: Maths, step: Rule = step) -> Term:
    divisor, remainder = m.number("divisor", 1, U128 - 1), m.number("remainder", 0, U128 - 1)
    bit = m.number("bit", 0, 1)
    m.given(remainder < divisor)
    takes, after = step(m, remainder, bit, divisor)
    return m.every(2 * remainder + bit == takes * divisor + after, after >= 0, after < divisor)


@THEOREMS.add(below_twice_the_divisor={"divides": is_below_twice_the_divisor})
def exactly_the_quotients_that_fit_are_not_refused(m: Maths, divides: Rule = is_below_the_divisor) -> Term:
    divisor = m.number("divisor", 1, U128 - 1)
    high, low = m.number("high", 0, U128 - 1), m.number("low", 0, U128 - 1)
    fits = m.floor(high * U128 + low, divisor) < U128
    accepted = divides(m, high, divisor)
    return m.every(m.implies(fits, accepted), m.implies(accepted, fits))


@pytest.mark.parametrize("theorem", THEOREMS, ids=str)
def test_theorem(theorem: Theorem) -> None:
    prove(theorem)


@pytest.mark.parametrize(("theorem", "fault"), THEOREMS.faults(), ids=str)
def test_a_broken_rule_is_refuted(theorem: Theorem, fault: str) -> None:
    refute(theorem, fault)


def test_all_steps_together_divide() -> None:
    """As the program does it: with the pools of `test_share.py` it must, whose products are longer than 128 bits."""
    m, dice = Numbers(), random.Random(1)
    for _ in range(2_000):
        a, b, divisor = (spread(dice, 1, U128 - 1) for _ in range(3))
        (a_high, a_low), (b_high, b_low) = split(m, a), split(m, b)
        high, low = add_products(m, a_high * b_high, a_high * b_low, a_low * b_high, a_low * b_low)
        assert high * U128 + low == a * b
        quotient, remainder = 0, high
        if not is_below_the_divisor(m, high, divisor):
            assert a * b // divisor >= U128
            continue
        for place in reversed(range(128)):
            takes, remainder = step(m, remainder, low >> place & 1, divisor)
            quotient |= takes << place
        assert (quotient, remainder) == divmod(a * b, divisor)

"""Fees and parts (`math::bps_ceil`, `math::bps_floor`, `Payment`): proved for every amount and every part of a whole."""

from __future__ import annotations

import pytest
from ionet.generated.enums import BPS

from proofs import rules
from proofs.solver import U64, Maths, Rule, Term, Theorem, Theorems, prove, refute

THEOREMS = Theorems()


def amount_and_bps(m: Maths) -> tuple[Term, Term]:
    return m.number("amount", 0, U64 - 1), m.number("bps", 0, BPS)


def rounded_down(m: Maths, amount: Term, bps: Term) -> Term:
    return m.floor(amount * bps, BPS)


def a_unit_too_much(m: Maths, amount: Term, bps: Term) -> Term:
    return m.floor(amount * bps, BPS) + 1


def per_cent(m: Maths, amount: Term, bps: Term) -> Term:
    return m.fits(m.ceil(amount * bps, 100))


def of_what_is_left(m: Maths, amount: Term, bps: Term) -> Term:
    return m.ceil((U64 - 1 - amount) * bps, BPS)


@THEOREMS.add(per_cent={"fee": per_cent}, a_unit_too_much={"fee": a_unit_too_much})
def never_more_than_the_amount(m: Maths, fee: Rule = rules.fee) -> Term:
    amount, bps = amount_and_bps(m)
    return m.every(fee(m, amount, bps) <= amount, m.all_fit())


@THEOREMS.add(rounded_down={"fee": rounded_down}, a_unit_too_much={"fee": a_unit_too_much})
def rounded_against_the_payer_by_less_than_a_unit(m: Maths, fee: Rule = rules.fee) -> Term:
    amount, bps = amount_and_bps(m)
    taken = fee(m, amount, bps)
    return m.every(taken * BPS >= amount * bps, (taken - 1) * BPS < amount * bps)


@THEOREMS.add(rounded_down={"fee": rounded_down})
def fee_and_rest_are_the_amount(m: Maths, fee: Rule = rules.fee) -> Term:
    amount, bps = amount_and_bps(m)
    return fee(m, amount, bps) + rules.bps_floor(m, amount, BPS - bps) == amount


@THEOREMS.add(of_what_is_left={"fee": of_what_is_left}, per_cent={"fee": per_cent})
def of_more_the_fee_is_no_less_and_neither_is_the_rest(m: Maths, fee: Rule = rules.fee) -> Term:
    """So the differences that a settlement books are never negative, nor is what the supplier gets of it."""
    amount, bps = amount_and_bps(m)
    more = m.number("more", 0, U64 - 1)
    m.given(amount <= more)
    before, after = fee(m, amount, bps), fee(m, more, bps)
    return m.every(before <= after, after - before <= more - amount)


@THEOREMS.add(rounded_down={"fee": rounded_down})
def a_split_never_costs_less_and_at_most_a_unit_more(m: Maths, fee: Rule = rules.fee) -> Term:
    amount, bps = amount_and_bps(m)
    other = m.number("other", 0, U64 - 1)
    m.given(amount + other < U64)
    parts, whole = fee(m, amount, bps) + fee(m, other, bps), fee(m, amount + other, bps)
    return m.every(whole <= parts, parts <= whole + 1)


def shared_by_the_piece(m: Maths, before: Term, after: Term, bps: Term) -> Term:
    return m.ceil((after - before) * bps, BPS)


@THEOREMS.add(shared_by_the_piece={"shared": shared_by_the_piece})
def stakers_never_get_more_than_their_part_of_all_that_was_paid(m: Maths, shared: Rule = rules.shared) -> Term:
    """Nor more of one payment than it pays, so the rest that goes to the payout is never negative."""
    first, second, bps = m.number("first", 0, U64 - 1), m.number("second", 0, U64 - 1), m.number("bps", 0, BPS)
    m.given(first <= second)
    parts = shared(m, 0, first, bps), shared(m, first, second, bps)
    return m.every(parts[1] <= second - first, sum(parts) * BPS <= second * bps, m.all_fit())


def without_the_fee(m: Maths, amount: Term, bps: Term) -> Term:
    return amount


@THEOREMS.add(without_the_fee={"with_fee": without_the_fee})
def what_is_locked_covers_whatever_is_owed(m: Maths, with_fee: Rule = rules.with_fee) -> Term:
    """Time paid with a fee and time burned without one: `Payment::book` is never refused.

    That their prices are together at most that of the whole is `time_paid_and_time_burned_cost_no_more_than_the_whole`.
    """
    whole, bps = m.number("whole", 0, U64 // 2 - 1), m.number("bps", 0, BPS)
    paid, burned = m.number("paid", 0, U64 // 2 - 1), m.number("burned", 0, U64 // 2 - 1)
    m.given(paid + burned <= whole)
    return m.every(rules.with_fee(m, paid, bps) + burned <= with_fee(m, whole, bps), m.all_fit())


@pytest.mark.parametrize("theorem", THEOREMS, ids=str)
def test_theorem(theorem: Theorem) -> None:
    prove(theorem)


@pytest.mark.parametrize(("theorem", "fault"), THEOREMS.faults(), ids=str)
def test_a_broken_rule_is_refuted(theorem: Theorem, fault: str) -> None:
    refute(theorem, fault)

"""Fees and parts (`math::bps_ceil`, `math::bps_floor`, `Payment`): proved for every amount and every part."""

from __future__ import annotations

import random

import pytest
from ionet.generated.accounts import Cluster
from ionet.generated.enums import BPS, MAX_PRICE, MAX_PROCESSORS, LeaseStatus
from ionet.generated.events import IncomeShared, LeaseSettled
from program import calls, staking
from program.calls import USD, ata
from proofs import rules
from proofs.solver import U64, Maths, Numbers, Rule, Term, Theorem, Theorems, prove, refute
from proofs.stage import Stage, spread

pytestmark = pytest.mark.matrix

THEOREMS = Theorems()
RUNS = 20


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


def without_the_fee(_: Maths, amount: Term, _bps: Term) -> Term:
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


@pytest.mark.parametrize("seed", range(RUNS))
def test_the_program_pays_what_the_rules_say(stage: Stage, seed: int) -> None:
    """Also `earned`: a lease that is over is settled again, with fees, burned time and the stakers' share."""
    m, dice = Numbers(), random.Random(seed)
    for _ in range(100):
        price, processors = spread(dice, 1, MAX_PRICE), dice.randint(1, MAX_PROCESSORS)
        secs, burned_secs = spread(dice, 0, 2**31), spread(dice, 0, 2**31)
        before = spread(dice, 0, secs)
        of_supplier, of_renter, of_stakers = (spread(dice, 0, BPS) for _ in range(3))
        paid = [rules.earned(m, price, processors, at) for at in (before, secs)]
        supplier_fee = [rules.fee(m, amount, of_supplier) for amount in paid]
        renter_fee = [rules.with_fee(m, amount, of_renter) - amount for amount in paid]
        rest = [amount - fee for amount, fee in zip(paid, supplier_fee, strict=True)]
        stage.reset()
        stage.forge_lease(
            status=LeaseStatus.CANCELLED,
            price=price,
            processors=processors,
            matured_secs=secs,
            burned_secs=burned_secs,
            paid=paid[0],
            supplier_fee=supplier_fee[0],
            renter_fee=renter_fee[0],
            shared=rules.bps_floor(m, rest[0], of_stakers),
            supplier_fee_bps=of_supplier,
            renter_fee_bps=of_renter,
            income_share_bps=of_stakers,
            locked=U64 - 1,
        )
        stage.forge(Cluster, stage.lease.cluster.key, locked=U64 - 1)
        stage.hold(stage.lease.cluster.escrow, U64 - 1)
        stage.hold(ata(stage.node.owner, USD), 0)
        landed = stage.ask(staking.with_income(calls.settle_lease(stage.lease)))
        gross = rules.gross(m, price, processors, before, secs)
        burned = rules.earned(m, price, processors, burned_secs)
        due = (gross, supplier_fee[1] - supplier_fee[0], renter_fee[1] - renter_fee[0], burned)
        settled = [event for event in landed.events if isinstance(event, LeaseSettled)]
        found = [(event.paid - paid[0], event.supplier_fee, event.renter_fee, event.burned) for event in settled]
        assert found == ([due] if any(due) else [])
        shares = [event.amount for event in landed.events if isinstance(event, IncomeShared)]
        assert sum(shares) == rules.shared(m, rest[0], rest[1], of_stakers)

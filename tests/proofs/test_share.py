"""Shares of a stake pool (`state/stake/pool.rs`): proved for every pool that deposits, exits and slashes can leave."""

from __future__ import annotations

import random

import pytest
from ionet.generated import types
from ionet.generated.accounts import Node, StakePosition
from ionet.generated.enums import IO_GENESIS, MAX_SHARES_PER_UNIT, VIRTUAL_ASSETS, VIRTUAL_SHARES
from ionet.generated.events import UnbondRequested
from program import calls
from program.calls import IO, ata
from proofs import rules
from proofs.rules import Pool
from proofs.solver import U64, Maths, Numbers, Rule, Term, Theorem, Theorems, prove, refute
from proofs.stage import Stage, spread

pytestmark = pytest.mark.matrix

THEOREMS = Theorems()
RUNS = 12
# 500 M IO at genesis, and emission of 300 M at most.
ALL_IO = IO_GENESIS // 5 * 8


def a_pool(m: Maths) -> Pool:
    """Any pool with at most as many shares per unit as `bounded` says."""
    pool = Pool(m.number("amount", 0, ALL_IO), m.number("shares", 0, MAX_SHARES_PER_UNIT * (ALL_IO + 1)))
    m.given(bounded(pool))
    return pool


def bounded(pool: Pool) -> Term:
    return pool.shares + VIRTUAL_SHARES <= MAX_SHARES_PER_UNIT * (pool.amount + VIRTUAL_ASSETS)


def a_deposit(m: Maths, pool: Pool) -> Term:
    put = m.number("put", 0, ALL_IO)
    m.given(pool.amount + put <= ALL_IO)
    return put


def shares_of(m: Maths, name: str, pool: Pool) -> Term:
    held = m.number(name, 0, MAX_SHARES_PER_UNIT * (ALL_IO + 1))
    m.given(held <= pool.shares)
    return held


# -- faults


def absorb_rounded_up(m: Maths, pool: Pool, amount: Term) -> tuple[Pool, Term]:
    made = m.ceil(amount * (pool.shares + VIRTUAL_SHARES), pool.amount + VIRTUAL_ASSETS)
    return Pool(pool.amount + amount, pool.shares + made), made


def absorb_at_a_share_a_unit(_: Maths, pool: Pool, amount: Term) -> tuple[Pool, Term]:
    return Pool(pool.amount + amount, pool.shares + amount * VIRTUAL_SHARES), amount * VIRTUAL_SHARES


def absorb_forgetting_the_amount(m: Maths, pool: Pool, amount: Term) -> tuple[Pool, Term]:
    after, made = rules.absorb(m, pool, amount)
    return Pool(pool.amount, after.shares), made


def redeem_rounded_up(m: Maths, pool: Pool, shares: Term) -> tuple[Pool, Term]:
    amount = m.ceil(shares * (pool.amount + VIRTUAL_ASSETS), pool.shares + VIRTUAL_SHARES)
    return Pool(m.fits(pool.amount - amount), pool.shares - shares), amount


def redeem_forgetting_to_burn(m: Maths, pool: Pool, shares: Term) -> tuple[Pool, Term]:
    amount = rules.worth(m, pool, shares)
    return Pool(pool.amount - amount, pool.shares), amount


def shares_for_rounded_down(m: Maths, pool: Pool, amount: Term, held: Term) -> Term:
    exact = m.floor(amount * (pool.shares + VIRTUAL_SHARES), pool.amount + VIRTUAL_ASSETS)
    return rules.least(m, exact, held)


def slash_without_a_wipe(_: Maths, pool: Pool, amount: Term) -> Pool:
    return Pool(pool.amount - amount, pool.shares)


# -- theorems


@THEOREMS.add(rounded_up={"absorb": absorb_rounded_up}, fixed_rate={"absorb": absorb_at_a_share_a_unit})
def in_and_out_never_gives_more_than_was_put_in(m: Maths, absorb: Rule = rules.absorb) -> Term:
    pool = a_pool(m)
    put = a_deposit(m, pool)
    after, made = absorb(m, pool, put)
    return rules.worth(m, after, made) <= put


@THEOREMS.add(fixed_rate={"absorb": absorb_at_a_share_a_unit})
def in_and_out_loses_less_than_a_share_and_a_unit(m: Maths, absorb: Rule = rules.absorb) -> Term:
    pool = a_pool(m)
    put = a_deposit(m, pool)
    after, made = absorb(m, pool, put)
    lost = put - rules.worth(m, after, made)
    return (lost - 1) * (after.shares + VIRTUAL_SHARES) < after.amount + VIRTUAL_ASSETS


@THEOREMS.add(rounded_up={"absorb": absorb_rounded_up}, fixed_rate={"absorb": absorb_at_a_share_a_unit})
def a_deposit_takes_nothing_from_other_shares(m: Maths, absorb: Rule = rules.absorb) -> Term:
    pool = a_pool(m)
    held, put = shares_of(m, "held", pool), a_deposit(m, pool)
    after, _ = absorb(m, pool, put)
    return rules.worth(m, after, held) >= rules.worth(m, pool, held)


@THEOREMS.add(rounded_up={"redeem": redeem_rounded_up})
def who_leaves_takes_nothing_from_other_shares(m: Maths, redeem: Rule = rules.redeem) -> Term:
    pool = a_pool(m)
    held, leaving = shares_of(m, "held", pool), shares_of(m, "leaving", pool)
    m.given(held + leaving <= pool.shares)
    after, _ = redeem(m, pool, leaving)
    return rules.worth(m, after, held) >= rules.worth(m, pool, held)


@THEOREMS.add(forgetting_to_burn={"redeem": redeem_forgetting_to_burn})
def leaving_in_two_steps_never_pays_more_and_at_most_a_unit_less(m: Maths, redeem: Rule = rules.redeem) -> Term:
    pool = a_pool(m)
    first, second = shares_of(m, "first", pool), shares_of(m, "second", pool)
    m.given(first + second <= pool.shares)
    _, whole = rules.redeem(m, pool, first + second)
    after, one = redeem(m, pool, first)
    _, other = redeem(m, after, second)
    return m.every(one + other <= whole, whole <= one + other + 1)


@THEOREMS.add(rounded_down={"shares_for": shares_for_rounded_down})
def what_is_burned_for_an_amount_is_worth_it_or_all_that_is_held(m: Maths, shares_for: Rule = rules.shares_for) -> Term:
    pool = a_pool(m)
    held, wanted = shares_of(m, "held", pool), m.number("wanted", 0, ALL_IO)
    burned = shares_for(m, pool, wanted, held)
    return m.every(burned <= held, m.pick(burned < held, rules.worth(m, pool, burned) >= wanted, True))


@THEOREMS.add(amount_forgotten={"absorb": absorb_forgetting_the_amount})
def a_deposit_keeps_shares_within_their_bound(m: Maths, absorb: Rule = rules.absorb) -> Term:
    pool = a_pool(m)
    after, _ = absorb(m, pool, a_deposit(m, pool))
    return m.every(bounded(after), m.all_fit())


@THEOREMS.add(forgetting_to_burn={"redeem": redeem_forgetting_to_burn}, rounded_up={"redeem": redeem_rounded_up})
def leaving_keeps_shares_within_their_bound(m: Maths, redeem: Rule = rules.redeem) -> Term:
    pool = a_pool(m)
    after, _ = redeem(m, pool, shares_of(m, "leaving", pool))
    return m.every(bounded(after), m.all_fit())


@THEOREMS.add(without_a_wipe={"slash": slash_without_a_wipe})
def a_slash_keeps_shares_within_their_bound(m: Maths, slash: Rule = rules.slash) -> Term:
    pool = a_pool(m)
    taken = m.number("taken", 0, ALL_IO)
    m.given(taken <= pool.amount)
    return m.every(bounded(slash(m, pool, taken)), m.all_fit())


@pytest.mark.parametrize("theorem", THEOREMS, ids=str)
def test_theorem(theorem: Theorem) -> None:
    prove(theorem)


@pytest.mark.parametrize(("theorem", "fault"), THEOREMS.faults(), ids=str)
def test_a_broken_rule_is_refuted(theorem: Theorem, fault: str) -> None:
    refute(theorem, fault)


def any_pool(dice: random.Random) -> Pool:
    amount = spread(dice, 0, ALL_IO // 2)
    most = MAX_SHARES_PER_UNIT * (amount + VIRTUAL_ASSETS) - VIRTUAL_SHARES
    # As often about a thousand shares a unit, as after deposits without a slash.
    return Pool(amount, dice.choice([spread(dice, 0, most), min(most, 1_000 * amount)]))


def write(stage: Stage, bonded: Pool, unbonding: Pool, held: int) -> None:
    """Gives the node these pools, and its owner this many of the bonded shares."""
    stage.reset()
    pools = [types.Pool(amount=pool.amount, era=0, shares=pool.shares) for pool in (bonded, unbonding)]
    shares = {"owner_bonded_shares": held, "owner_unbonding_shares": 0}
    stage.forge(Node, stage.node.key, bonded=pools[0], unbonding=pools[1], **shares)
    stage.forge(StakePosition, stage.node.position, shares=held, era=0)
    stage.hold(ata(stage.node.owner, IO), U64 // 2)
    stage.hold(stage.node.vault, ALL_IO)


@pytest.mark.parametrize("seed", range(RUNS))
def test_the_program_makes_the_shares_of_the_rule(stage: Stage, seed: int) -> None:
    m, dice = Numbers(), random.Random(seed)
    for _ in range(100):
        pool, amount = any_pool(dice), spread(dice, 1, ALL_IO // 2)
        after, made = rules.absorb(m, pool, amount)
        write(stage, pool, Pool(0, 0), pool.shares)
        assert stage.said(calls.stake(stage.node, amount)) == ("ok" if made else "DepositTooSmall")
        bonded = stage.world.of_node(stage.node).bonded
        assert Pool(bonded.amount, bonded.shares) == (after if made else pool)


@pytest.mark.parametrize("seed", range(RUNS))
def test_the_program_burns_the_shares_of_the_rule(stage: Stage, seed: int) -> None:
    """And makes those of the pool that the stake moves to."""
    m, dice = Numbers(), random.Random(seed)
    for _ in range(100):
        bonded, unbonding = any_pool(dice), any_pool(dice)
        bonded = bonded._replace(shares=max(1, bonded.shares))
        held, amount = spread(dice, 1, bonded.shares), spread(dice, 1, ALL_IO)
        burned = held if amount >= rules.worth(m, bonded, held) else rules.shares_for(m, bonded, amount, held)
        left, paid = rules.redeem(m, bonded, burned)
        moved_to, made = rules.absorb(m, unbonding, paid)
        write(stage, bonded, unbonding, held)
        found = stage.ask(calls.request_unbond(stage.node, amount)).event(UnbondRequested)
        assert (found.shares_burned, found.amount, found.ticket_shares) == (burned, paid, made)
        node = stage.world.of_node(stage.node)
        assert [Pool(pool.amount, pool.shares) for pool in (node.bonded, node.unbonding)] == [left, moved_to]

"""How a slash is taken and divided (`slashing.rs`): proved for all pools, shares and parts there can be."""

from __future__ import annotations

import random

import pytest
from ionet.generated import types
from ionet.generated.accounts import Node
from ionet.generated.enums import (
    BPS,
    IO_GENESIS,
    MAX_DURATION,
    MAX_PRICE,
    MAX_PROCESSORS,
    MAX_SHARES_PER_UNIT,
    LeaseStatus,
)
from ionet.generated.events import NodeSlashed
from program import calls
from program.calls import IO, ata
from proofs import rules
from proofs.rules import Division, Pool, Slash
from proofs.solver import U64, Maths, Numbers, Rule, Term, Theorem, Theorems, prove, refute
from proofs.stage import SLOTS_PER_HOUR, Stage, spread

pytestmark = pytest.mark.matrix

THEOREMS = Theorems()
RUNS = 20
ALL_IO = IO_GENESIS // 5 * 8
MOST_SHARES = MAX_SHARES_PER_UNIT * (ALL_IO + 1)


def a_node(m: Maths) -> tuple[Pool, Pool, Term, Term]:
    """Bonded and unbonding pool, and the owner's shares of each."""
    bonded = Pool(m.number("bonded", 0, ALL_IO), m.number("bonded_shares", 0, MOST_SHARES))
    unbonding = Pool(m.number("unbonding", 0, ALL_IO), m.number("unbonding_shares", 0, MOST_SHARES))
    m.given(bonded.amount + unbonding.amount <= ALL_IO)
    return bonded, unbonding, m.number("owner_bonded", 0, MOST_SHARES), m.number("owner_unbonding", 0, MOST_SHARES)


def a_slash(m: Maths) -> tuple[Term, ...]:
    """Amount, the owner's part of it, compensation, the reporter's part and its cap."""
    amount, from_owner = m.number("amount", 0, ALL_IO), m.number("from_owner", 0, ALL_IO)
    m.given(from_owner <= amount)
    due, bps, cap = m.number("compensation", 0, U64 - 1), m.number("bps", 0, BPS), m.number("cap", 0, U64 - 1)
    return amount, from_owner, due, bps, cap


# -- faults


def all_from_bonded(m: Maths, *node: Term) -> Slash:
    taken = rules.take_amount(m, *node)
    return taken._replace(from_bonded=taken.amount, from_unbonding=taken.amount - taken.amount)


def unbonding_rounded_too(m: Maths, bonded: Pool, unbonding: Pool, *rest: Term) -> Slash:
    taken = rules.take_amount(m, bonded, unbonding, *rest)
    stake = rules.most(m, bonded.amount + unbonding.amount, 1)
    return taken._replace(from_unbonding=m.floor(taken.amount * unbonding.amount, stake))


def more_shares_than_there_are(
    m: Maths, bonded: Pool, unbonding: Pool, owner_bonded: Term, owner_unbonding: Term, wanted: Term
) -> Slash:
    taken = rules.take_amount(m, bonded, unbonding, owner_bonded, owner_unbonding, wanted)
    of_bonded = m.floor(taken.from_bonded * owner_bonded, rules.most(m, bonded.shares, 1))
    return taken._replace(from_owner=of_bonded)


def without_a_limit(m: Maths, *node: Term) -> Slash:
    return rules.take_amount(m, *node)._replace(amount=node[-1])


def reporter_of_the_whole(m: Maths, amount: Term, from_owner: Term, due: Term, bps: Term, cap: Term) -> Division:
    split = rules.divide(m, amount, from_owner, due, bps, cap)
    to_reporter = rules.least(m, rules.bps_floor(m, from_owner, bps), cap)
    return Division(split.to_renter, to_reporter, m.fits(amount - split.to_renter - to_reporter))


def reward_not_subtracted(m: Maths, amount: Term, from_owner: Term, due: Term, bps: Term, cap: Term) -> Division:
    split = rules.divide(m, amount, from_owner, due, bps, cap)
    return split._replace(burned=amount - split.to_renter)


def half_of_the_slash(m: Maths, amount: Term, _owner: Term, due: Term, bps: Term, cap: Term) -> Division:
    return rules.divide(m, amount, amount, due, bps, cap)


def uncapped(m: Maths, amount: Term, from_owner: Term, due: Term, bps: Term, _cap: Term) -> Division:
    return rules.divide(m, amount, from_owner, due, bps, U64 - 1)


# -- theorems


@THEOREMS.add(unbonding_rounded_too={"take": unbonding_rounded_too}, without_a_limit={"take": without_a_limit})
def the_pools_lose_the_slash_to_the_unit(m: Maths, take: Rule = rules.take_amount) -> Term:
    node, wanted = a_node(m), m.number("wanted", 0, U64 - 1)
    taken = take(m, *node, wanted)
    return m.every(taken.from_bonded + taken.from_unbonding == taken.amount, taken.amount <= wanted)


@THEOREMS.add(all_from_bonded={"take": all_from_bonded})
def no_pool_loses_more_than_it_has(m: Maths, take: Rule = rules.take_amount) -> Term:
    bonded, unbonding, *owner = a_node(m)
    taken = take(m, bonded, unbonding, *owner, m.number("wanted", 0, U64 - 1))
    return m.every(taken.from_bonded <= bonded.amount, taken.from_unbonding <= unbonding.amount, m.all_fit())


@THEOREMS.add(all_from_bonded={"take": all_from_bonded})
def both_pools_lose_the_same_part_but_for_a_unit(m: Maths, take: Rule = rules.take_amount) -> Term:
    bonded, unbonding, *owner = a_node(m)
    taken = take(m, bonded, unbonding, *owner, m.number("wanted", 0, U64 - 1))
    stake = bonded.amount + unbonding.amount
    off = taken.amount * bonded.amount - taken.from_bonded * stake
    return m.implies(stake > 0, m.every(off >= 0, off < stake))


@THEOREMS.add(more_shares_than_there_are={"take": more_shares_than_there_are})
def the_owner_loses_no_more_than_the_slash(m: Maths, take: Rule = rules.take_amount) -> Term:
    taken = take(m, *a_node(m), m.number("wanted", 0, U64 - 1))
    return taken.from_owner <= taken.amount


@THEOREMS.add(reward_not_subtracted={"divide": reward_not_subtracted})
def the_parts_are_the_slash_to_the_unit(m: Maths, divide: Rule = rules.divide) -> Term:
    amount, *rest = a_slash(m)
    split = divide(m, amount, *rest)
    return m.every(split.to_renter + split.to_reporter + split.burned == amount, m.all_fit())


@THEOREMS.add(reporter_of_the_whole={"divide": reporter_of_the_whole}, half_of_the_slash={"divide": half_of_the_slash})
def compensation_and_reward_are_at_most_half_of_the_owners_part(m: Maths, divide: Rule = rules.divide) -> Term:
    amount, from_owner, *rest = a_slash(m)
    split = divide(m, amount, from_owner, *rest)
    return 2 * (split.to_renter + split.to_reporter) <= from_owner


@THEOREMS.add(uncapped={"divide": uncapped})
def nobody_gets_more_than_is_due(m: Maths, divide: Rule = rules.divide) -> Term:
    amount, from_owner, due, bps, cap = a_slash(m)
    split = divide(m, amount, from_owner, due, bps, cap)
    return m.every(split.to_renter <= due, split.to_reporter <= cap, split.to_reporter * BPS <= from_owner * bps)


def charged_in_two_steps(m: Maths, required: Term, first: Term, second: Term) -> Term:
    return rules.bps_floor(m, required, first) + rules.bps_floor(m, required, second)


def charged_rounded_up(m: Maths, required: Term, first: Term, second: Term) -> Term:
    return rules.fee(m, required, first) + rules.fee(m, required, second)


@THEOREMS.add(rounded_up={"charged": charged_rounded_up})
def a_tier_charged_in_two_steps_never_takes_more(m: Maths, charged: Rule = charged_in_two_steps) -> Term:
    required, first, second = m.number("required", 0, U64 - 1), m.number("first", 0, BPS), m.number("second", 0, BPS)
    m.given(first + second <= BPS)
    parts, whole = charged(m, required, first, second), rules.bps_floor(m, required, first + second)
    return m.every(parts <= whole, whole <= parts + 1)


def in_whole_io(m: Maths, price: Term, processors: Term, missed: Term, share_bps: Term, io_price: Term) -> Term:
    return m.fits(rules.compensation(m, price, processors, missed, share_bps, io_price) * 10**8)


@THEOREMS.add(in_whole_io={"compensation": in_whole_io})
def a_compensation_is_never_refused(m: Maths, compensation: Rule = rules.compensation) -> Term:
    """Whatever was missed and however cheap IO is; so no slash fails for it."""
    price, processors = m.number("price", 1, MAX_PRICE), m.number("processors", 1, MAX_PROCESSORS)
    missed, share_bps = m.number("missed", 0, MAX_DURATION), m.number("share_bps", 0, BPS)
    compensation(m, price, processors, missed, share_bps, m.number("io_price", 1, U64 - 1))
    return m.all_fit()


@pytest.mark.parametrize("theorem", THEOREMS, ids=str)
def test_theorem(theorem: Theorem) -> None:
    prove(theorem)


@pytest.mark.parametrize(("theorem", "fault"), THEOREMS.faults(), ids=str)
def test_a_broken_rule_is_refuted(theorem: Theorem, fault: str) -> None:
    refute(theorem, fault)


# Five days of silence: what is missing for good, one interval of grace left out.
SILENT_HOURS, MISSED = 120, 120 * 3_600 - 600


@pytest.mark.parametrize("seed", range(RUNS))
def test_the_program_takes_and_divides_it_by_the_rules(stage: Stage, seed: int) -> None:
    m, dice = Numbers(), random.Random(seed)
    for _ in range(100):
        pools = [Pool(spread(dice, 0, ALL_IO // 2), spread(dice, 0, MOST_SHARES)) for _ in range(2)]
        owner = [dice.choice([pool.shares, spread(dice, 0, pool.shares)]) for pool in pools]
        required, bps, cap = spread(dice, 1, ALL_IO), spread(dice, 1, BPS), spread(dice, 0, U64 - 1)
        price, processors = spread(dice, 1, MAX_PRICE), dice.randint(1, MAX_PROCESSORS)
        missed, io_price = spread(dice, 0, MISSED), dice.choice([0, spread(dice, 1, U64 - 1)])
        share_bps, reporter_bps = spread(dice, 0, BPS), spread(dice, 0, BPS)
        taken = rules.take_amount(m, pools[0], pools[1], owner[0], owner[1], rules.bps_floor(m, required, bps))
        due = rules.compensation(m, price, processors, missed, share_bps, io_price) if io_price else 0
        split = rules.divide(m, taken.amount, taken.from_owner, due, reporter_bps, cap)
        after = pools
        if taken.amount:
            after = [rules.slash(m, pools[0], taken.from_bonded), rules.slash(m, pools[1], taken.from_unbonding)]
        stage.reset()
        bonded, unbonding = (types.Pool(amount=pool.amount, era=0, shares=pool.shares) for pool in pools)
        shares = {"owner_bonded_shares": owner[0], "owner_unbonding_shares": owner[1]}
        stage.forge(Node, stage.node.key, bonded=bonded, unbonding=unbonding, slashed=0, **shares)
        started_at = stage.now - SILENT_HOURS * 3_600
        stage.forge_lease(
            status=LeaseStatus.ACTIVE,
            started_at=started_at,
            ends_at=started_at + 10 * 86_400,
            last_kept_at=started_at,
            last_kept_slot=stage.slot - SILENT_HOURS * SLOTS_PER_HOUR,
            required_stake=required,
            pending_bps=bps,
            charged_bps=BPS,
            price=price,
            processors=processors,
            compensated_secs=MISSED - missed,
            io_price=io_price,
            renter_share_bps=share_bps,
            reporter_bps=reporter_bps,
            reporter_cap=cap,
        )
        stage.hold(stage.node.vault, ALL_IO)
        for account in (ata(stage.wallet, IO), ata(stage.world.stranger, IO)):
            stage.hold(account, 0)
        slashed = stage.ask(calls.report_missed(stage.lease, stage.world.stranger)).event(NodeSlashed)
        amounts = (slashed.amount, slashed.from_bonded, slashed.from_unbonding)
        assert (slashed.missed_secs, amounts) == (missed, taken[:3])
        assert (slashed.to_renter, slashed.to_reporter, slashed.burned) == split
        node = stage.world.of_node(stage.node)
        assert [Pool(pool.amount, pool.shares) for pool in (node.bonded, node.unbonding)] == after

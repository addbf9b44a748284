"""What people with stake, people with a role, and strangers can do."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

from program import calls, currencies, governance, staking
from program.governance import CaseRef
from program.halts import restart
from program.harms.play import STAKE, Attack, Play, Played, Tokens
from program.lives.flows import OTHERS_PER_OWN
from program.lives.table import DAY, SECS
from program.world import HOUR, IO_UNIT


def burns_the_pool(hours: int, owner_keeps: int = 16_000) -> Played:
    """Owner, renter and reporter are one, at $320 an hour, so that the compensation is the highest.

    owner_keeps: IO; the owner took the rest of their stake out, in 28 days in which the co-staker did not look.
    """
    play = Play(price=40, alone=True, deposit=60_000)
    if owner_keeps < 16_000:
        play.table.do(calls.request_unbond(play.lease.node, (16_000 - owner_keeps) * IO_UNIT))
        play.world.warp(28 * DAY)
        play.table.do(calls.withdraw(play.lease.node))
        play.world.post_price(3 * IO_UNIT)
        play.table.do(currencies.refresh_price(play.world.oracle))
    play.table.start(121 * HOUR)
    play.world.warp(hours * HOUR + SECS)
    play.table.do(calls.report_missed(play.lease, play.stranger))
    play.table.do(calls.end_lease(play.lease))
    play.table.unwind()
    return Played(play, (play.owner, play.stranger))


def rents_from_oneself() -> Played:
    play = Play(alone=True)
    play.table.start(2 * HOUR)
    assert play.serve(12)
    play.given = 0  # they gave it to themselves
    play.table.unwind()
    return Played(play, (play.owner,))


def leaves_before_the_co_staker() -> Played:
    """Asks first; the co-staker on the same day. Then the owner falls silent as soon as they may."""
    play = Play(deposit=15_000)
    table = play.table
    table.start(30 * DAY)
    table.do(calls.request_unbond(play.lease.node, 16_000 * IO_UNIT))
    table.do(calls.request_unbond(table.other, 16_000 * IO_UNIT))
    assert play.serve(21 * DAY // SECS)
    table.do(calls.withdraw(table.other))
    play.world.warp(HOUR + SECS)
    table.do(calls.report_missed(play.lease, play.stranger))
    table.do(calls.end_lease(play.lease))
    play.world.warp(7 * DAY)
    table.do(calls.settle_lease(play.lease))
    table.do(calls.close_lease(play.lease))
    table.do(calls.close_cluster(table.cluster), calls.withdraw(play.lease.node))
    return Played(play, (play.owner,))


def pushes_everything() -> Played:
    """After every interval of an honest lease, all that needs nobody's signature."""
    play = Play()
    table, stranger = play.table, play.stranger
    table.start(2 * HOUR)
    pushed = (
        calls.settle_lease(play.lease),
        calls.cancel_lease(play.lease),
        calls.report_missed(play.lease, stranger),
        calls.end_lease(play.lease, stranger),
        calls.close_lease(play.lease),
        calls.close_cluster(table.cluster, signed=False),
        calls.withdraw(play.lease.node),
        staking.push_unbond(table.other),
        staking.claim_rewards(table.other),
        staking.close_stake_vault(play.lease.node),
    )
    for _ in range(12):
        assert play.serve(1)
        for call in pushed:
            table.attempt(call)
    table.unwind()
    return Played(play, (stranger,))


def the_chain_halts() -> Played:
    """For five hours in the middle of a lease that is served before and after it."""
    play = Play()
    play.table.start(2 * HOUR)
    assert play.serve(6)
    restart(play.world, 5 * HOUR)
    play.settle()
    play.table.attempt(calls.end_lease(play.lease, play.stranger))
    play.table.attempt(calls.report_missed(play.lease, play.stranger))
    assert play.serve(6)
    play.table.unwind()
    return Played(play, ())


def a_case_is_decided_at_its_cap() -> Played:
    play = Play()
    case = CaseRef(play.lease.node, 0)
    play.table.do(governance.open_case(case))
    found = governance.case_of(play.world, case)
    play.world.warp_to(found.decide_from)
    play.table.do(governance.decide_case(case, found.cap_bps))
    play.table.unwind()
    return Played(play, (play.world.arbiter,))


ATTACKS = (
    *(
        Attack(
            "owner, renter and reporter",
            f"are one and silent for {hours} h, so that co-stakers' half of the pool is burned too",
            partial(burns_the_pool, hours),
            Fraction(OTHERS_PER_OWN),
            "half of the owner's own part of a slash is burned in any case",
            "test_collusion.py::test_whoever_burns_others_half_of_a_pool_gets_back_half_of_their_own_at_most",
        )
        for hours in (1, 48, 120)
    ),
    Attack(
        "owner, renter and reporter",
        "the same for 120 h, after the owner took out half of their stake and the co-staker stayed",
        partial(burns_the_pool, 120, 8_000),
        Fraction(2 * OTHERS_PER_OWN),
        "twice for each part that co-stakers hold to one of the owner's, here two; more where an owner took more out. "
        "They need 28 days for it, in which a co-staker who looks is out; the top tier is half of the required stake",
        "test_request_unbond.py::test_an_owner_with_co_stakers_leaves_a_week_after_them",
    ),
    Attack(
        "owner",
        "asks for their stake first, and is silent once the co-staker is out",
        leaves_before_the_co_staker,
        Fraction(0),
        "the co-staker leaves whole after 21 days, the owner's part stays to be slashed for 28",
        "test_collusion.py::test_a_co_staker_who_asks_on_the_same_day_is_out_a_week_before_the_owner",
    ),
    Attack(
        "owner and renter",
        "rent from themselves, to look used",
        rents_from_oneself,
        Fraction(0),
        "the fees of both sides",
        "test_collusion.py::test_one_person_on_all_sides_gains_nothing_and_burns_others_stake_at_half_of_its_price",
    ),
    Attack(
        "stranger, keeper, reporter",
        "pushes all that anyone may, after every interval of an honest lease",
        pushes_everything,
        Fraction(0),
        "anyone may push only what is due, to whom it is due",
        "test_outages.py::test_a_stranger_cannot_end_what_both_sides_want",
    ),
    Attack(
        "nobody",
        "the chain halts for five hours",
        the_chain_halts,
        Fraction(0),
        "the lease's clock stands still; neither side pays for the halt",
        "test_halts.py::test_what_is_not_proven_until_the_chain_has_recovered_is_nobodys_fault",
    ),
    Attack(
        "arbiter",
        "decides a case against an honest node at its cap",
        a_case_is_decided_at_its_cap,
        Tokens(io=2 * STAKE // 10),
        "the case's cap, 10 % of a node and never more than 20 %, and at most 1 % of all IO, in a 30-day window; the "
        "owner has 30 days to answer",
        "test_decide_case.py::test_the_cap_of_a_node_to_the_unit_and_until_the_window_ends",
    ),
)

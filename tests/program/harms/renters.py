"""What a renter can do to a supplier."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

from program import calls, disputes
from program.harms.play import Attack, Play, Played
from program.lives.table import SECS
from program.world import HOUR


def done(play: Play, *, used: bool = True) -> Played:
    play.table.unwind()
    return Played(play, (play.renter,), used)


def withholds_two() -> Played:
    play = Play()
    play.table.start(24 * SECS)
    assert not play.serve(8, silent=(6, 7))
    return done(play)


def withholds_all_and_ends() -> Played:
    play = Play()
    play.table.start(12 * SECS)
    assert play.serve(1, silent=(0,))
    play.world.warp(SECS - 1)
    play.table.do(calls.end_lease(play.lease))
    assert play.table.prove(599 / 600)
    play.given += SECS - 1
    play.world.warp(SECS)
    play.table.do(disputes.dispute_lease(play.lease, 0, 2))
    return done(play)


def withholds_one_in_eight() -> Played:
    play = Play()
    play.table.start(48 * SECS)
    interval, here = 0, True
    while here:
        here = play.serve(1, silent=range(7, 48, 8))
        play.settle()
        if interval and interval % 8 == 0:
            play.table.do(disputes.dispute_lease(play.lease, interval - 1, interval))
        interval += 1
    return done(play)


HOURS = 120


def withholds_what_never_makes_the_agent_leave() -> Played:
    """Outside of the first hour, one in eight at most, only while one more stays below 4 %, and four in all; and the
    last, after which there is nothing left to leave."""
    play = Play()
    play.table.start(HOURS * HOUR)
    last = -8
    for interval in range(HOURS * 6):
        lost = (len(play.silent) + 2) * SECS
        withhold = interval >= 6 and interval - last >= 8 and len(play.silent) < 4
        withhold &= lost < max(45 * 60, (interval + 1) * SECS * 4 // 100)
        withhold |= interval == HOURS * 6 - 1
        assert play.serve(1, silent=(interval,) if withhold else ())
        play.settle()
        if last >= 0 and interval == last + 1:
            play.table.do(disputes.dispute_lease(play.lease, last, interval))
        last = interval if withhold else last
    for _ in range(8):
        play.world.warp(SECS)
        play.settle()
        play.table.attempt(disputes.dispute_lease(play.lease, HOURS * 6 - 1, HOURS * 6))
    return done(play)


def holds_without_use() -> Played:
    play = Play()
    play.table.start(2 * HOUR)
    play.table.do(calls.end_lease(play.lease))
    return done(play, used=False)


def never_answers() -> Played:
    play = Play()
    play.table.book(2 * HOUR)
    play.table.do(calls.mark_ready(play.lease))
    play.world.warp(1_200)
    play.given = 1_200
    play.table.do(calls.cancel_lease(play.lease))
    return done(play, used=False)


def rejects(after: int) -> Played:
    play = Play()
    play.table.book(2 * HOUR)
    play.table.do(calls.mark_ready(play.lease))
    play.world.warp(after)
    play.given = after
    play.table.do(calls.reject_ready(play.lease))
    return done(play, used=False)


def disputes_what_was_challenged() -> Played:
    """Six intervals at a time, though an answer is there to each."""
    play = Play()
    play.table.start(3 * HOUR)
    for _ in range(2):
        assert play.serve(7)
        play.table.dispute(6)
        play.table.defend()
    assert play.serve(4)
    return done(play)


ATTACKS = (
    Attack(
        "renter",
        "pays the first hour, withholds two challenges, is left by the agent",
        withholds_two,
        Fraction(1),
        "the two intervals that the agent names; they are burned",
        "test_audit.py::test_withheld_challenges_cost_the_renter_what_the_supplier_loses",
    ),
    Attack(
        "renter",
        "uses a node for 1,199 s, sends no challenge, ends, disputes all of it",
        withholds_all_and_ends,
        Fraction(1),
        "nothing of the first hour is refunded: the renter pays it in full, and it is burned",
        "test_first_hour.py::test_a_renter_who_withholds_every_challenge_uses_nothing_for_free",
    ),
    Attack(
        "renter",
        "withholds one challenge in eight after the first hour, disputes each at once",
        withholds_one_in_eight,
        Fraction(1),
        "of 32 intervals 27 are paid and five burned, which the renter pays; the agent leaves before a fifth interval "
        "without a challenge would bring lost time to 45 minutes",
        "test_collusion.py::test_a_renter_who_withholds_one_challenge_in_eight_pays_for_all_of_it",
    ),
    Attack(
        "renter",
        f"the same in a lease of {HOURS} hours, so seldom that the agent never leaves",
        withholds_what_never_makes_the_agent_leave,
        Fraction(1),
        "four intervals and the last of the lease, burned: the agent leaves before an hour is lost in disputes, and an "
        "hour of what nobody defends is not refunded",
        "test_harm.py::test_what_a_renter_denies_in_a_long_lease_they_pay_for",
    ),
    Attack(
        "renter",
        "accepts a node, does not use it, ends at once",
        holds_without_use,
        Fraction(0),
        "the first hour is paid to the supplier",
        "test_first_hour.py::test_a_job_in_the_window_for_the_check_is_not_free",
    ),
    Attack(
        "renter",
        "neither accepts nor rejects a ready node",
        never_answers,
        Fraction(0),
        "the 20 minutes are paid to the supplier",
        "test_audit.py::test_bookings_that_nobody_starts_are_paid_and_hurt_no_node",
    ),
    Attack(
        "renter",
        "rejects a ready node at once",
        partial(rejects, 0),
        Fraction(0),
        "a minute is burned; stake and pause are not touched, however often",
        "test_reject_ready.py::test_thirty_rejections_touch_neither_stake_nor_pause",
    ),
    Attack(
        "renter",
        "rejects a ready node in the last second of the time to answer",
        partial(rejects, 1_199),
        Fraction(1),
        "the time since it was ready is burned",
        "test_reject_ready.py::test_the_seconds_since_it_was_ready_and_at_least_a_minute",
    ),
    Attack(
        "renter",
        "disputes six challenged intervals at a time",
        disputes_what_was_challenged,
        Fraction(0),
        "the bond, a hundredth of the price in dispute, goes to the supplier who defends it",
        "test_collusion.py::test_an_honest_supplier_is_paid_and_never_slashed",
    ),
)

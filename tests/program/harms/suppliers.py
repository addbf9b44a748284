"""What a supplier can do to a renter."""

from __future__ import annotations

from fractions import Fraction

from program import calls, disputes
from program.chain import who
from program.harms.play import Attack, Play, Played, price_of
from program.lives.flows import OTHERS_PER_OWN
from program.lives.table import SECS
from program.refs import LeaseRef
from program.world import H100, HOUR
from solders.keypair import Keypair


def done(play: Play, *friends: Keypair) -> Played:
    play.table.unwind()
    return Played(play, (play.owner, *friends))


def marks_ready_without_a_machine() -> Played:
    play = Play()
    play.table.book(2 * HOUR)
    play.table.do(calls.mark_ready(play.lease))
    play.world.warp(45)
    play.table.do(calls.reject_ready(play.lease))
    return done(play)


def claims() -> Played:
    play = Play()
    play.table.start(48 * SECS)
    play.claim(6)
    play.table.do(calls.end_lease(play.lease))
    play.wait()
    return done(play)


def claims_and_leaves() -> Played:
    """The renter believes it for three more intervals than the first hour."""
    play = Play()
    play.table.start(48 * SECS)
    play.claim(9)
    play.table.do(disputes.leave_lease(play.lease))
    play.wait()
    return done(play)


def serves_an_hour_and_claims() -> Played:
    """Five hours of it, and the renter stays to the end. What was answered they approve."""
    play = Play()
    play.table.start(36 * SECS)
    assert play.serve(6)
    play.world.warp(SECS)
    assert play.table.prove(session=who("nobody"))
    play.table.do(disputes.approve_lease(play.world, play.lease, 6))
    play.claim(29)
    play.wait()
    return done(play)


def falls_silent() -> Played:
    play = Play()
    play.table.start(3 * HOUR)
    play.world.warp(HOUR + SECS)
    play.table.do(calls.end_lease(play.lease))
    play.table.do(calls.report_missed(play.lease, play.stranger))
    return done(play)


def falls_silent_and_a_friend_reports() -> Played:
    play = Play()
    play.table.start(3 * HOUR)
    play.world.warp(HOUR + SECS)
    play.table.do(calls.report_missed(play.lease, play.stranger))
    play.table.do(calls.end_lease(play.lease))
    return done(play, play.stranger)


def quits() -> Played:
    play = Play()
    play.table.start(3 * HOUR)
    assert play.serve(4)
    play.table.do(calls.quit_lease(play.lease))
    return done(play)


def leaves_falsely() -> Played:
    play = Play()
    play.table.start(3 * HOUR)
    assert play.serve(9)
    play.table.do(disputes.leave_lease(play.lease))
    return done(play)


def is_not_ready_three_times() -> Played:
    play = Play()
    node, cluster = play.lease.node, play.lease.cluster
    for number in range(3):
        lease = LeaseRef(node, cluster, number)
        play.table.do(calls.add_lease(lease, H100, 2 * HOUR, play.world.of_node(node).price))
        play.world.warp(300)
        play.table.do(calls.cancel_lease(lease))
        play.table.do(calls.close_lease(lease), calls.return_node(node))
    return done(play)


ATTACKS = (
    Attack(
        "supplier",
        "marks ready without a machine; the renter's check fails after 45 s",
        marks_ready_without_a_machine,
        price_of(60),
        "the time until the check fails, at least a minute, at the supplier's own price, burned; the supplier gains "
        "nothing, their score falls, their stake is idle",
        "test_reject_ready.py::test_the_seconds_since_it_was_ready_and_at_least_a_minute",
    ),
    Attack(
        "supplier",
        "claims an hour without serving; the renter disputes it and ends",
        claims,
        price_of(HOUR),
        "the first hour at the supplier's own price, burned; the supplier gains nothing and their score falls",
        "test_collusion.py::test_a_supplier_who_only_claims_is_paid_nothing_and_costs_a_renter_an_hour",
    ),
    Attack(
        "supplier",
        "serves the first hour and only claims five more; the renter disputes it and stays",
        serves_an_hour_and_claims,
        price_of(HOUR),
        "an hour at the supplier's own price, burned; the rest is refunded, and once an hour is undefended the renter "
        "may end it as the supplier's fault: then nothing is burned and 2 % of the stake is",
        "test_settle_disputes.py::test_after_the_first_hour_another_hour_is_burned_and_no_more",
    ),
    Attack(
        "supplier",
        "the same for an hour and a half, then leaves",
        claims_and_leaves,
        price_of(HOUR + 2 * SECS),
        "the first hour and the two intervals that leaving names, at the supplier's own price, burned; all the rest is "
        "refunded",
        "test_collusion.py::test_a_supplier_who_only_claims_is_paid_nothing_and_costs_a_renter_an_hour",
    ),
    Attack(
        "supplier",
        "accepts a lease and falls silent; the renter ends it after an hour",
        falls_silent,
        Fraction(OTHERS_PER_OWN),
        "4 % of the stake, the owner's and co-stakers' alike; the renter pays nothing and is compensated",
        "test_end_lease.py::test_by_the_renter_it_is_the_suppliers_fault_too",
    ),
    Attack(
        "supplier and reporter",
        "the same, reported by a friend",
        falls_silent_and_a_friend_reports,
        Fraction(OTHERS_PER_OWN),
        "compensation and the reporter's part are at most half of the owner's part of a slash",
        "test_report_missed.py::test_renter_and_reporter_together_get_at_most_half_of_it",
    ),
    Attack(
        "supplier",
        "quits",
        quits,
        Fraction(OTHERS_PER_OWN),
        "2 % of the stake, co-stakers' too; what was served is paid, the rest refunded",
        "test_quit_lease.py::test_all_fields_ok",
    ),
    Attack(
        "supplier",
        "serves, and leaves though every challenge came",
        leaves_falsely,
        Fraction(0),
        "the pay of two intervals, which the renter had the use of",
        "test_audit.py::test_leaving_falsely_costs_the_pay_of_two_intervals",
    ),
    Attack(
        "supplier",
        "is not ready in time, three times in 30 days",
        is_not_ready_three_times,
        Fraction(OTHERS_PER_OWN),
        "everything goes back to the renter; the third time costs 0.5 % of the stake",
        "test_cancel_lease.py::test_the_third_broken_promise_is_slashed",
    ),
)

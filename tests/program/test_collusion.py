"""No set of renter, owner, stakers, reporter and crank gains by agreeing, and none harms an honest supplier.

The general property (every set of people, every vault) is checked at the end of every life of `test_stateful.py`, by
`lives/flows.py`. Here are its two ends: one person on all sides of a lease, and everybody against one.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import NodeSlashed
from program import calls, disputes, staking
from program.chain import refused, who
from program.harms.play import Play
from program.lives.table import DAY, SECS, Table
from program.world import H100, HOUR, IO_UNIT, USD_UNIT, required_stake

pytestmark = pytest.mark.matrix

HOURLY = 16_000_000
AGAINST = [
    "dispute",
    "dispute",
    "rotate",
    "silence",
    "approve",
    "report",
    "settle",
    "end",
    "take back",
    "close",
    "pass",
]
ALONE = ["prove", "prove", "half", "wait", "dispute", "defend", "report", "settle", "end", "quit", "leave", "extend"]
lives = settings(
    max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def act_alone(table: Table, deed: str, number: int) -> None:
    """What one person may do with the keys of the owner, the device, the renter, the session and a reporter."""
    world, lease = table.world, table.lease
    if not table.is_open():
        return
    if deed in ("prove", "half"):
        world.warp(SECS)
        table.prove(1.0 if deed == "prove" else 0.5)
    elif deed == "wait":
        world.warp(SECS * number)
    elif deed == "dispute":
        world.warp(SECS)
        table.dispute(number % 5 + 1)
    elif deed == "defend":
        table.defend()
    else:
        made = {
            "report": calls.report_missed(lease, world.stranger),
            "settle": calls.settle_lease(lease),
            "end": calls.end_lease(lease),
            "quit": calls.quit_lease(lease),
            "leave": disputes.leave_lease(lease),
            "extend": calls.extend_lease(lease, H100, SECS),
        }
        table.attempt(made[deed])


deeds = st.lists(st.tuples(st.sampled_from(ALONE), st.sampled_from([1, 2, 7, 300, 900])), max_size=25)
# Prices in dollars: at the higher one the renter's compensation for an hour is worth a whole tier.
begins = st.sampled_from(["run", "run", "run", "not ready", "not accepted", "rejected"])


@lives
@example(begin="run", intervals=60, deeds=[("wait", 300), ("report", 1)], price=40, co_stake=16_000)
@given(
    begin=begins,
    intervals=st.sampled_from([3, 12, 60]),
    deeds=deeds,
    price=st.sampled_from([2, 40]),
    co_stake=st.sampled_from([1, 5_000, 16_000]),
)
def test_one_person_on_all_sides_gains_nothing_and_burns_others_stake_at_half_of_its_price(
    begin: str, intervals: int, deeds: list[tuple[str, int]], price: int, co_stake: int
) -> None:
    """Disputes, missed time, broken promises and cancelled leases with oneself: nobody is ever richer in any currency,
    though a co-staker's stake lies in the same vault; and what the co-staker loses costs at least half as much for each
    share."""
    table = Table(me := who("me"), me, price * USD_UNIT, co_stake)
    world = table.world
    me_too = world.stranger  # the reporter and crank
    wallets = (me, me_too)
    in_vaults = required_stake(H100, 8), 5_000 * USD_UNIT
    before, others = table.wealth(*wallets), staking.io_of(world, table.other.owner)
    if begin == "run":
        table.start(intervals * SECS)
        for deed, number in deeds:
            act_alone(table, deed, number)
    else:
        table.book(intervals * SECS)
        if begin != "not ready":
            table.do(calls.mark_ready(table.lease))
        if begin == "rejected":
            table.do(calls.reject_ready(table.lease))
        world.warp(HOUR)
    table.unwind()
    after = table.wealth(*wallets)
    assert after["io"] - before["io"] <= in_vaults[0] + 2  # the stake itself; rounding of the pools
    assert after["usd"] - before["usd"] <= in_vaults[1]
    cost = in_vaults[0] - (after["io"] - before["io"])
    harm = table.co_stake - (staking.io_of(world, table.other.owner) - others)
    assert harm * in_vaults[0] <= 2 * (cost + 2) * table.co_stake
    assert begin == "run" or harm == 0


@pytest.mark.parametrize(("hours", "bps", "back"), [(1, 400, 27 + 16), (48, 3_000, 1_200), (120, 5_000, 2_000)])
def test_whoever_burns_others_half_of_a_pool_gets_back_half_of_their_own_at_most(
    hours: int, bps: int, back: int
) -> None:
    """Owner, renter and reporter are one, at $320 an hour: what an hour's compensation ($80) and the reporter's five
    percent leave below the cap, and the cap itself at the higher tiers. IO is at $3."""
    table = Table(me := who("me"), me, 40 * USD_UNIT, 16_000, 60_000)
    world, stake = table.world, required_stake(H100, 8)
    mine, others = table.wealth(me, world.stranger)["io"], staking.io_of(world, table.other.owner)
    table.start(121 * HOUR)
    world.warp(hours * HOUR + SECS)
    table.do(calls.report_missed(table.lease, world.stranger))
    table.do(calls.end_lease(table.lease))
    table.unwind()
    cost = stake - (table.wealth(me, world.stranger)["io"] - mine)
    harm = stake - (staking.io_of(world, table.other.owner) - others)
    assert harm == stake * bps // 10_000 // 2
    assert abs(cost - (harm - back * IO_UNIT)) <= IO_UNIT // 2
    assert harm <= 2 * cost + 2


def test_a_co_staker_who_asks_on_the_same_day_is_out_a_week_before_the_owner() -> None:
    """So nobody who watches is left behind with less than half of the owner's stake beside theirs."""
    table = Table(who("owner"), who("renter"), co_stake=16_000)
    world = table.world
    for held in (table.node, table.other):
        table.do(calls.request_unbond(held, 16_000 * IO_UNIT))
    for days, (first, second) in ((21, (table.other, table.node)), (7, (table.node, table.other))):
        world.warp(days * DAY - 1)
        with refused("NothingMatured"):
            table.do(calls.withdraw(first))
        world.warp(1)
        table.do(calls.withdraw(first))
        if days == 21:
            with refused("NothingMatured"):
                table.do(calls.withdraw(second))


# -- against an honest supplier


def act_against(table: Table, deed: str, number: int) -> None:
    """What the renter, their session key, and any stranger may do to a supplier."""
    world, lease, cluster = table.world, table.lease, table.cluster
    if deed == "dispute":
        table.dispute(number)
    elif deed == "rotate":
        key = who(f"session {number} {world.now}")
        if table.attempt(calls.set_session_key(cluster, key.pubkey(), world.now + DAY * 300)):
            table.session = key
    else:
        made = {
            "approve": disputes.approve_lease(
                world, lease, max(1, world.of(lease).ring_next - number), by=cluster.renter
            ),
            "report": calls.report_missed(lease, world.stranger),
            "settle": calls.settle_lease(lease),
            "end": calls.end_lease(lease, cluster.renter if number % 2 else world.stranger),
            "take back": calls.withdraw_budget(cluster, 1_000_000_000 * number),
        }
        if deed in made:
            table.attempt(made[deed])


attacks = st.lists(st.tuples(st.sampled_from(AGAINST), st.integers(1, 5)), min_size=24, max_size=24)


@lives
@given(attacks=attacks)
def test_an_honest_supplier_is_paid_and_never_slashed(attacks: list[tuple[str, int]]) -> None:
    """They prove every interval, answer every challenge, defend every dispute at once, and leave when no challenge
    comes: whatever everybody else does, their stake stays whole, and what they lose, two intervals' pay at most, the
    renter loses too; but for the last interval of the lease, which they cannot leave any more."""
    table = Table(who("honest"), who("renter"))
    world, lease = table.world, table.lease
    stake = world.of_node(table.node).bonded.amount
    table.start(12 * SECS)
    silent = False
    for interval in range(12):
        found = world.of(lease)
        if found.status != LeaseStatus.ACTIVE or world.now >= found.ends_at:
            break
        for deed, number in attacks[2 * interval : 2 * interval + 2]:
            act_against(table, deed, number)
            silent |= deed == "silence"
            table.defend()
        if world.of(lease).status != LeaseStatus.ACTIVE:
            break
        world.warp_to(found.started_at + (interval + 1) * SECS)
        assert table.prove(session=who("nobody") if silent else None)
        if silent and interval > 0 and table.attempt(disputes.leave_lease(lease)):
            break
    for number in (1, 2, 3):
        world.warp(SECS)
        if table.is_open():
            act_against(table, "dispute", number)
            table.defend()
    refunded = 0
    if table.is_open():
        world.warp(2 * DAY)
        table.do(calls.settle_lease(lease))
        found = world.of(lease)
        assert found.missed_secs == 0
        last = silent and len(table.agent.proofs) == 12 and found.burned_secs == 0
        assert found.undefended_secs <= (SECS if last else 0)
        refunded = found.undefended_secs
    table.unwind()
    # What they served and were not paid for costs the renter as much.
    served = sum(proof.entry.served_secs for proof in table.agent.proofs)
    lost = HOURLY * served // HOUR - table.paid()
    assert lost - HOURLY * refunded // HOUR - 1 <= table.burned() <= (HOURLY // 3 if silent else 0)
    assert not [event for event in table.events if isinstance(event, NodeSlashed)]
    assert staking.io_of(world, table.node.owner) + staking.io_of(world, table.other.owner) >= stake


def dispute(play: Play, how: str) -> None:
    """All that is there, the last interval only, or each interval without a challenge and no other."""
    play.settle()
    if how == "all":
        play.table.dispute_all()
    elif how == "last":
        play.table.dispute(1)
    else:
        for interval in play.silent:
            play.table.attempt(disputes.dispute_lease(play.lease, interval, interval + 1))
    play.table.defend()


@lives
@example(silent={7, 15, 46, 47}, ends=48, how="unanswered")
@example(silent={6, 7}, ends=48, how="unanswered")
@example(silent={0}, ends=1, how="last")
@given(
    silent=st.sets(st.integers(0, 47), max_size=8),
    ends=st.integers(1, 48),
    how=st.sampled_from(["all", "last", "unanswered"]),
)
def test_whatever_a_renter_withholds_they_burn_as_much_but_for_four_intervals(
    silent: set[int], ends: int, how: str
) -> None:
    """Any intervals, any disputes, and an end at any time: a search for harm at no cost. Undefended time after the
    first hour is refunded; the agent leaves before a fourth interval of it, but for one that the lease's end hides."""
    play = Play()
    play.table.start(48 * SECS)
    here = True
    for interval in range(ends):
        here = here and play.serve(1, silent=silent)
        dispute(play, how)
        if here and interval == ends - 1:
            play.table.attempt(calls.end_lease(play.lease))
    for _ in range(16):
        play.world.warp(SECS)
        dispute(play, how)
    play.table.unwind()
    cost, loss = play.losses((play.renter,), used=True)
    assert (cost.io, loss.io) == (0, 0)
    assert 0 <= loss.usd <= cost.usd + play.price(4 * SECS) + 1


def test_a_renter_who_withholds_one_challenge_in_eight_pays_for_all_of_it() -> None:
    """Each is disputed as soon as it is closed. The agent leaves when a fifth would bring it to 45 minutes: of 32
    intervals served 27 are paid, and the five that the supplier loses are burned. Nobody is at fault."""
    table = Table(who("honest"), who("renter"))
    world, lease = table.world, table.lease
    table.start(48 * SECS)
    withheld = 0
    for interval in range(48):
        silent = interval % 8 == 7
        world.warp(SECS)
        assert table.prove(session=who("nobody") if silent else None)
        table.do(calls.settle_lease(lease))
        if interval and interval % 8 == 0:
            table.do(disputes.dispute_lease(lease, interval - 1, interval))
        withheld += silent
        if (withheld + 1) * SECS >= 45 * 60:
            break
    table.do(disputes.leave_lease(lease, table.node.device))
    world.warp(2 * DAY)
    table.do(calls.settle_lease(lease))
    found = world.of(lease)
    assert (interval, found.undefended_secs, found.burned_secs) == (31, 3 * SECS, 2 * SECS)
    table.unwind()
    assert (table.paid(), table.burned()) == (HOURLY * 27 // 6, HOURLY * 5 // 6)
    assert not [event for event in table.events if isinstance(event, NodeSlashed)]


# -- against an honest renter


@pytest.mark.parametrize("intervals", [1, 3, 6, 9])
@pytest.mark.parametrize("leaves", [False, True])
def test_a_supplier_who_only_claims_is_paid_nothing_and_costs_a_renter_an_hour(intervals: int, leaves: bool) -> None:
    """Or an hour and two intervals, if the renter still believes them after it and they leave then."""
    table = Table(who("liar"), who("renter"))
    world, lease = table.world, table.lease
    table.start(48 * SECS)
    for _ in range(intervals):
        world.warp(SECS)
        assert table.prove(session=who("nobody"))
        table.dispute_all()
    named = 2 if leaves and intervals > 1 else 0
    table.do(disputes.leave_lease(lease) if named else calls.end_lease(lease))
    for _ in range(20):
        world.warp(SECS)
        table.dispute_all()
    table.unwind()
    # Who is left owes no rest of the hour.
    burned = min(6, intervals - named) + named if named else 6
    assert (table.paid(), table.burned()) == (0, HOURLY * burned // 6)
    assert not [event for event in table.events if isinstance(event, NodeSlashed)]

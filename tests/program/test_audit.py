"""What the audit (A1–A16) and the review of the rules (H1–H22) found: each has a test that fails if it comes back."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from ionet.generated.accounts import Lease
from ionet.generated.events import LeaseSettled, NodeSlashed
from program import calls, currencies, disputes, governance, stages, staking
from program.calls import EVERY_CURRENCY, IO, USD, ata
from program.chain import refused, who
from program.disputes import DEFENCE, GRACE, Record
from program.refs import LeaseRef
from program.staking import io_of
from program.world import H100, HOUR, IO_UNIT, World, required_stake

HERE = Path(__file__).parent
INTERVAL, DAY = 600, 86_400
STAKE = required_stake(H100, 8)
HOURLY = 16_000_000

# Where each finding is tested; `file::test`, without a file in this one.
FINDINGS: dict[str, tuple[str, ...]] = {
    "A1": (
        "test_outages.py::test_125_hours_of_pretence_reach_the_highest_tier",
        "test_outages.py::test_after_pretence_nobody_leaves_without_a_charge",
        "test_append_proof.py::test_one_second_in_each_interval_is_an_outage_all_the_same",
    ),
    "A2": ("test_leaving_falsely_costs_the_pay_of_two_intervals",),
    "A3": ("test_first_hour.py::test_a_renter_who_withholds_every_challenge_uses_nothing_for_free",),
    "A4": ("test_accept_ready.py::test_the_lease_accepted_first_is_the_head",),
    "A5": (
        "test_request_unbond.py::test_a_co_stakers_waits_for_cooldown_and_notice_and_for_no_lease",
        "test_request_unbond.py::test_no_longer_than_until_the_lease_is_really_over",
    ),
    "A6": ("test_redeem_iosd.py::test_of_an_older_price_and_a_newer_one_seen_the_worse_counts",),
    "A7": ("test_losing_one_range_shields_no_other", "test_after_a_lost_dispute_the_next_range_waits_an_interval"),
    "A8": (
        "test_halts.py::test_what_is_not_proven_until_the_chain_has_recovered_is_nobodys_fault",
        "test_halts_windows.py::test_what_was_about_to_mature_can_be_disputed_after_it",
    ),
    "A9": ("test_no_proposal_takes_away_what_protects",),
    "A10": ("test_what_a_removed_authority_proposed_is_void",),
    "A11": ("test_bookings_that_nobody_starts_are_paid_and_hurt_no_node",),
    "A12": ("test_burning_the_co_stakers_stake_costs_the_owner_half_as_much",),
    "A13": (
        "test_add_lease.py::test_the_last_price_values_a_compensation_for_ten_minutes",
        "test_report_missed.py::test_without_a_known_price_of_io_nobody_is_compensated",
    ),
    "A14": (
        "test_reject_ready.py::test_the_seconds_since_it_was_ready_and_at_least_a_minute",
        "test_reject_ready.py::test_nothing_is_owed_to_the_supplier",
    ),
    "A15": ("test_every_way_out_is_open_at_extreme_prices",),
    "A16": ("test_outages.py::test_a_stranger_cannot_end_what_both_sides_want",),
    "H1": ("test_outages.py::test_undefended_claims_count_as_missed_for_the_fault",),
    "H2": ("test_first_hour.py::test_a_supplier_who_claims_without_serving_gets_nothing",),
    "H3": ("test_accept_ready.py::test_the_lease_accepted_first_is_the_head",),
    "H4": ("test_reject_ready.py::test_thirty_rejections_touch_neither_stake_nor_pause",),
    "H5": (
        "test_request_unbond.py::test_an_extension_after_the_request_moves_nothing",
        "test_request_unbond.py::test_a_co_stakers_waits_for_cooldown_and_notice_and_for_no_lease",
    ),
    "H6": (
        "test_request_unbond.py::test_an_owner_with_co_stakers_leaves_a_week_after_them",
        "test_report_missed.py::test_renter_and_reporter_together_get_at_most_half_of_it",
    ),
    "H7": ("test_cancel_lease.py::test_not_ready_in_time_all_fields",),
    "H8": ("test_first_hour.py::test_who_pays_and_who_gets_what",),
    "H9": ("test_there_is_no_booker_yet",),
    "H10": ("test_a_dispute_is_not_widened_and_no_interval_is_won_twice",),
    "H11": ("test_outages.py::test_it_is_a_twentieth_of_the_metered_time",),
    "H12": ("test_withheld_challenges_cost_the_renter_what_the_supplier_loses",),
    "H13": ("test_first_hour.py::test_a_job_in_the_window_for_the_check_is_not_free",),
    "H14": ("test_cancel_lease.py::test_however_late_it_is_cancelled_twenty_minutes_are_paid",),
    "H15": ("test_halts.py::test_a_halt_is_measured_from_the_last_proof",),
    "H16": ("test_halts.py::test_what_is_not_proven_until_the_chain_has_recovered_is_nobodys_fault",),
    "H17": ("test_a_case_is_decided_by_the_caps_it_was_opened_under",),
    "H18": ("test_feed_and_redemption_change_no_sooner_than_stakers_are_out",),
    "H19": ("test_who_stakes_late_shares_nothing_that_others_stood_behind",),
    "H20": ("test_outages.py::test_an_unkept_proof_does_not_end_the_outage",),
    "H21": ("test_mint_iosd.py::test_one_seen_before_the_callers_own_plays_no_part",),
    "H22": ("test_halts_windows.py::test_the_ring_holds_what_is_open_whatever_halts_and_is_disputed",),
}


@cache
def names_of_tests(name: str) -> frozenset[str]:
    """Names of a file's tests."""
    tree = ast.parse((HERE / name).read_text())
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_finding_has_a_test() -> None:
    assert list(FINDINGS) == [f"A{n}" for n in range(1, 17)] + [f"H{n}" for n in range(1, 23)]


@pytest.mark.parametrize("finding", FINDINGS)
def test_the_tests_named_are_there(finding: str) -> None:
    for place in FINDINGS[finding]:
        name, _, test = place.rpartition("::")
        assert test in names_of_tests(name or Path(__file__).name), place


def test_leaving_falsely_costs_the_pay_of_two_intervals(world: World) -> None:
    """By the audit it was two seconds: now two whole ones that were kept, which the renter pays and nobody gets."""
    record = disputes.served(world, 9, duration=4 * HOUR)
    world.do(disputes.leave_lease(record.lease))
    world.final(record.lease)
    world.do(calls.settle_lease(record.lease))
    found = world.of(record.lease)
    assert (found.paid, found.burned) == (HOURLY * 7 * INTERVAL // HOUR, HOURLY * 2 * INTERVAL // HOUR)


def test_losing_one_range_shields_no_other(world: World) -> None:
    """A supplier who answers nothing and claims all for ten hours is paid for none of it by a renter who disputes."""
    record = Record(world, world.running(duration=DAY))
    lease, first = record.lease, 0
    for interval in range(60):
        record.serve(1, first=interval)
        world.do(calls.settle_lease(lease))
        if world.of(lease).held_secs == 0 and interval > first:
            world.do(disputes.dispute_lease(lease, first, interval))
            first = interval
    assert (world.of(lease).matured_secs, world.of(lease).paid) == (0, 0)
    assert world.of(lease).undefended_secs >= 40 * INTERVAL


BAD = [
    {"appeal_secs": 1},
    {"appeal_secs": 21 * DAY - 1},
    {"case_cap_bps": 2_001},
    {"case_network_cap": 5_000_000 * IO_UNIT + 1},
    {"case_window_secs": 30 * DAY - 1},
    {"dispute_window_secs": 1, "defend_window_secs": 1},
    {"dispute_window_secs": 1_799, "defend_window_secs": 1_799},
    {"terms_notice_secs": 21 * DAY - 1},
    {"supplier_fee_bps": 301},
    {"renter_fee_bps": 9_800},
    {"min_charge_secs": 2 * HOUR + 1},
    {"accept_deadline_secs": 299},
    {"accept_deadline_secs": HOUR + 1},
    {"ready_deadline_secs": 119},
    {"idle_close_secs": DAY - 1},
    {"limiter_window_secs": 599},
    {"redeem_limit_bps": 40},
    {"promise_bps": 101},
    {"dispute_bond_bps": 501},
    {"renter_share_bps": 2_501},
    {"slot_ms": 501},
    {"slot_ms": 99},
    {"tier_bps": (200, 400, 3_000, 5_001)},
    {"timelock_secs": DAY - 1},
]


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_no_proposal_takes_away_what_protects(world: World, changes: dict[str, int]) -> None:
    with refused("BadParams"):
        world.do(governance.propose_params(world.authority, governance.changed(world, **changes)))


def test_what_a_removed_authority_proposed_is_void(world: World) -> None:
    heir = who("heir")
    world.do(governance.propose_role(world.authority, governance.AUTHORITY, bytes(heir.pubkey())))
    world.do(governance.propose_params(world.authority, governance.changed(world, renter_fee_bps=300)))
    world.do(governance.propose_model(world.authority, H100, reference_price=1))
    world.warp(21 * DAY)
    world.do(governance.apply_pending(heir))
    with refused("NothingPending"):
        world.do(governance.apply_pending(world.stranger))
    with refused("NothingPending"):
        world.do(governance.apply_model(H100))
    assert world.params.renter_fee_bps == 25


def test_bookings_that_nobody_starts_are_paid_and_hurt_no_node(world: World) -> None:
    node, cluster = world.staked_node(), world.cluster()
    for _ in range(3):
        lease = world.ready(node, cluster)
        world.warp(1_200)
        world.do(calls.cancel_lease(lease), calls.settle_lease(lease), calls.close_lease(lease))
    gross = HOURLY // 3
    assert world.tokens(ata(node.owner, USD)) == 3 * (gross - -(-gross * 25 // 10_000))
    found = world.of_node(node)
    assert (found.flags, found.promises_broken_at[0], found.slashed, found.bonded.amount) == (0, 0, 0, STAKE)


def test_burning_the_co_stakers_stake_costs_the_owner_half_as_much(world: World) -> None:
    """Owner and renter are one, at a price beyond all measure: half of what falls on them is burned in any case."""
    node = staking.open_node(world, own=STAKE // 2)
    held = staking.co_stake(world, node, "co", STAKE // 2)
    lease = world.active(node, world.cluster(), 10 * DAY)
    world.forge(Lease, lease.key, io_price=1)
    world.open_ata(lease.cluster.renter, IO)
    before = io_of(world, lease.cluster.renter)
    world.warp(120 * HOUR)
    slashed = world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)
    to_renter = io_of(world, lease.cluster.renter) - before
    assert (slashed.amount, to_renter, slashed.to_reporter) == (STAKE // 2, STAKE // 8, 0)
    owner_lost, co_lost = STAKE // 4 - to_renter, STAKE // 4
    assert co_lost == 2 * owner_lost
    world.do(calls.request_unbond(held, STAKE))
    world.warp(21 * DAY)
    world.do(calls.withdraw(held))
    assert io_of(world, held.owner) == 100_000 * IO_UNIT - co_lost


def outcomes(world: World, lease: LeaseRef, way: str) -> None:
    """Brings a booked lease to its end in one of all the ways there are."""
    if way == "never ready":
        world.warp(300)
        world.do(calls.cancel_lease(lease))
        return
    world.do(calls.mark_ready(lease))
    if way == "rejected":
        world.do(calls.reject_ready(lease))
        return
    if way == "not answered":
        world.warp(1_200)
        world.do(calls.cancel_lease(lease))
        return
    world.do(calls.accept_ready(lease))
    if way == "ended":
        world.do(calls.end_lease(lease))
    elif way == "quit":
        world.do(calls.quit_lease(lease))
    elif way == "served":
        world.warp(world.of(lease).duration)
        world.do(calls.append_proof(lease, 0, world.of(lease).duration))
    world.warp(INTERVAL + GRACE + disputes.WINDOW)


@pytest.mark.parametrize("way", ["never ready", "rejected", "not answered", "ended", "quit", "served", "silent"])
@pytest.mark.parametrize("price", [1, 10**12])
def test_every_way_out_is_open_at_extreme_prices(world: World, way: str, price: int) -> None:
    """IO at seven millionths of a dollar, a processor-hour at a million: one second of eight costs 318 million IO."""
    node = world.staked_node(currencies=EVERY_CURRENCY, price=price, min_duration=1)
    cluster = currencies.cluster_in(world, IO, "c", 320_000_000 * IO_UNIT)
    world.post_price(700)
    lease, call = currencies.booking(world, node, cluster, 1)
    world.do(currencies.priced(call, world.oracle))
    assert world.of(lease).price == -(-price * 10**10 // 700)
    outcomes(world, lease, way)
    world.do(currencies.paid_in(IO, calls.settle_lease(lease), node.owner))
    world.do(calls.close_lease(lease))
    world.do(currencies.paid_in(IO, calls.close_cluster(cluster), cluster.renter))
    assert not world.exists(cluster.escrow)


def test_there_is_no_booker_yet() -> None:
    """The rule about it (its price, processors and expiry are the renter's) gets its test with the instruction."""
    assert not [name for name in stages.INSTRUCTIONS if "book" in name]


def test_a_dispute_is_not_widened_and_no_interval_is_won_twice(world: World) -> None:
    record = disputes.served(world, 6)
    lease = record.lease
    world.warp(GRACE)
    world.do(disputes.dispute_lease(lease, 0, 3))
    with refused("DisputeOpen"):
        world.do(disputes.dispute_lease(lease, 3, 6))
    # Rotating the key in an open dispute changes nothing for what it is about.
    world.do(calls.set_session_key(lease.cluster, who("new session").pubkey(), world.now + DAY))
    stale = record.defence(2)
    world.do(stale)
    with refused("WrongProofChain"):
        world.do(stale)
    record.defend(1, 0)
    assert (world.of(lease).matured_secs, world.of(lease).undefended_secs) == (3 * INTERVAL, 0)
    with refused("RangeNotDisputable"):
        world.do(disputes.dispute_lease(lease, 0, 3, lease.cluster.renter))


def test_withheld_challenges_cost_the_renter_what_the_supplier_loses(world: World) -> None:
    """The first hour honest, two intervals without a challenge, and the agent leaves: eight of eight are paid for."""
    record = disputes.served(world, 8, duration=4 * HOUR)
    lease = record.lease
    world.do(disputes.leave_lease(lease, lease.node.device))
    world.warp(GRACE)
    with refused("RangeNotDisputable"):  # the two named are out of the renter's reach
        world.do(disputes.dispute_lease(lease, 6, 8))
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease))
    cluster = world.of_cluster(lease.cluster)
    gross, burned = HOURLY * 6 * INTERVAL // HOUR, HOURLY * 2 * INTERVAL // HOUR
    fee = -(-gross * 25 // 10_000)
    assert (cluster.paid, cluster.burned, cluster.fees) == (gross - fee, burned, burned + 2 * fee)
    assert world.of_node(lease.node).slashed == 0


def test_a_case_is_decided_by_the_caps_it_was_opened_under(world: World) -> None:
    node = world.staked_node()
    case = governance.accused(world, node)
    governance.set_params(world, case_cap_bps=2_000, appeal_secs=60 * DAY)
    found = governance.case_of(world, case)
    assert (found.cap_bps, found.appeal_secs, found.decide_from) == (1_000, 30 * DAY, found.opened_at + 30 * DAY)
    world.warp_to(found.decide_from)
    with refused("CaseCapReached"):
        world.do(governance.decide_case(case, 1_001))
    world.do(governance.decide_case(case, 1_000))


@pytest.mark.parametrize("what", ["feed", "redeem_limit_bps", "case_cap_bps", "unbond_cooldown_secs", "stake"])
def test_feed_and_redemption_change_no_sooner_than_stakers_are_out(world: World, what: str) -> None:
    if what == "feed":
        call = governance.propose_role(world.authority, governance.FEED, b"\x09" * 32)
    else:
        name = "stake_per_processor" if what == "stake" else what
        value = getattr(world.params, name) - 1
        call = governance.propose_params(world.authority, governance.changed(world, **{name: value}))
    world.do(call)
    world.warp(21 * DAY - 1)
    with refused("TimelockRunning"):
        world.do(governance.apply_pending(world.stranger))
    world.warp(1)
    world.do(governance.apply_pending(world.stranger))


def test_who_stakes_late_shares_nothing_that_others_stood_behind(world: World) -> None:
    node = world.staked_node()
    world.do(staking.open_income_vault(node, world.stranger, USD), staking.set_co_stake_terms(node, 5_000, 5_000))
    staking.co_stake(world, node, "first", IO_UNIT)
    lease = world.active(node, world.cluster())
    world.serve(lease, 12)
    late = world.supplier("late")
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late))
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late, lease))
    world.final(lease)
    settled = world.do(staking.with_income(calls.settle_lease(lease))).event(LeaseSettled)
    assert settled.to_stakers > 0
    world.do(calls.stake(node, IO_UNIT, late))


def test_after_a_lost_dispute_the_next_range_waits_an_interval(world: World) -> None:
    record = disputes.served(world, 7, duration=4 * HOUR)
    world.do(disputes.dispute_lease(record.lease, 0, 1))
    world.warp(DEFENCE)
    world.do(calls.settle_lease(record.lease))
    world.warp(INTERVAL - 1)
    world.do(calls.settle_lease(record.lease))
    assert world.of(record.lease).matured_secs == 0
    world.do(disputes.dispute_lease(record.lease, 1, 7))

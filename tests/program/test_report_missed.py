from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Lease, Node
from ionet.generated.enums import SlashReason
from ionet.generated.events import NodeSlashed
from program import calls
from program.calls import ID, IO, ata
from program.chain import refused, who
from program.refs import LeaseRef
from program.world import H100, HOUR, IO_UNIT, World, required_stake
from solders.keypair import Keypair

INTERVAL = 600
STAKE = required_stake(H100, 8)
BURN = pdas.burn_vault(ID, IO)
HOURLY = 16_000_000


@pytest.fixture
def lease(world: World) -> LeaseRef:
    return world.running(duration=10 * 24 * HOUR)


@pytest.fixture
def reporter(world: World) -> Keypair:
    world.open_ata(world.stranger, IO)
    return world.stranger


def compensation(missed_secs: int, hourly: int = HOURLY, io_price: int = 3_000_000) -> int:
    """A quarter of the price of missed time, in IO at its price when the lease was booked."""
    return hourly * missed_secs // 3_600 * 2_500 // 10_000 * IO_UNIT // io_price


def test_all_fields_ok(world: World, lease: LeaseRef, reporter: Keypair) -> None:
    world.serve(lease, 1)
    world.warp(3 * INTERVAL)
    landed = world.do(calls.report_missed(lease, reporter))
    amount = STAKE * 200 // 10_000
    to_renter, to_reporter = compensation(2 * INTERVAL), amount * 500 // 10_000
    assert landed.events == (
        NodeSlashed(
            node=lease.node.key,
            seq=4,
            at=world.now,
            lease=lease.key,
            reason=SlashReason.MISSED,
            bps=200,
            missed_secs=2 * INTERVAL,
            amount=amount,
            from_bonded=amount,
            from_unbonding=0,
            to_renter=to_renter,
            to_reporter=to_reporter,
            burned=amount - to_renter - to_reporter,
            reporter=reporter.pubkey(),
            bonded_after=STAKE - amount,
            unbonding_after=0,
        ),
    )
    assert world.tokens(ata(lease.cluster.renter, IO)) == to_renter
    assert world.tokens(ata(reporter, IO)) == to_reporter
    assert world.tokens(BURN) == amount - to_renter - to_reporter
    assert world.tokens(lease.node.vault) == STAKE - amount
    assert world.of_node(lease.node).slashed == amount
    found = world.of(lease)
    assert (found.charged_bps, found.pending_bps, found.compensated_secs) == (200, 0, 2 * INTERVAL)


TIERS = [
    (3 * INTERVAL - 1, 0),
    (3 * INTERVAL, 200),
    (HOUR - 1, 200),
    (HOUR, 400),
    (48 * HOUR - 1, 400),
    (48 * HOUR, 3_000),
    (120 * HOUR - 1, 3_000),
    (120 * HOUR, 5_000),
    (200 * HOUR, 5_000),
]


@pytest.mark.parametrize(("secs", "bps"), TIERS)
def test_every_tier_to_the_second(world: World, lease: LeaseRef, secs: int, bps: int) -> None:
    world.serve(lease, 1)
    world.warp(secs)
    call = calls.report_missed(lease, world.stranger, rewarded=False)
    if bps == 0:
        with refused("NothingMissed"):
            world.do(call)
        return
    slashed = world.do(call).event(NodeSlashed)
    assert (slashed.bps, slashed.amount) == (bps, STAKE * bps // 10_000)


def test_a_rising_outage_is_charged_step_by_step_and_once(world: World, lease: LeaseRef) -> None:
    steps = [(3 * INTERVAL, 200), (HOUR, 200), (48 * HOUR, 2_600), (120 * HOUR, 2_000)]
    total = missed = 0
    for secs, bps in steps:
        world.warp_to(world.of(lease).started_at + secs)
        slashed = world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)
        closed = (secs - INTERVAL) // INTERVAL * INTERVAL
        assert (slashed.bps, slashed.missed_secs) == (bps, closed - missed)
        total, missed = total + slashed.amount, closed
        with refused("NothingMissed"):
            world.do(calls.report_missed(lease, world.stranger, rewarded=False))
    assert total == STAKE * 5_000 // 10_000
    assert world.tokens(ata(lease.cluster.renter, IO)) == sum(
        compensation(later - before)
        for before, later in [(0, 1_200), (1_200, 3_000), (3_000, 172_200), (172_200, 431_400)]
    )


def test_the_tier_of_an_earlier_gap_is_charged_later_and_once(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 1)
    world.warp(4 * INTERVAL)
    world.do(calls.append_proof(lease, 4, INTERVAL))
    world.serve(lease, 3, first=5)
    slashed = world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)
    assert (slashed.bps, slashed.missed_secs) == (200, 3 * INTERVAL)
    with refused("NothingMissed"):
        world.do(calls.report_missed(lease, world.stranger, rewarded=False))


def test_a_gap_that_was_charged_while_it_lasted_is_not_charged_again(world: World, lease: LeaseRef) -> None:
    world.warp(7 * INTERVAL)
    assert world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed).bps == 400
    world.do(calls.append_proof(lease, 6, INTERVAL))
    assert (world.of(lease).pending_bps, world.of(lease).charged_bps) == (0, 0)
    with refused("NothingMissed"):
        world.do(calls.report_missed(lease, world.stranger, rewarded=False))
    world.warp(3 * INTERVAL)
    assert world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed).bps == 200


def test_one_missing_interval_costs_nothing(world: World, lease: LeaseRef) -> None:
    for interval in range(0, 12, 2):
        world.warp_to(world.of(lease).started_at + (interval + 1) * INTERVAL)
        world.do(calls.append_proof(lease, interval, INTERVAL))
    with refused("NothingMissed"):
        world.do(calls.report_missed(lease, world.stranger, rewarded=False))


def test_a_chain_that_stood_still_is_no_outage(world: World, lease: LeaseRef) -> None:
    world.serve(lease, 1)
    # Two days by the clock, 19 minutes by slots: fewer seconds than two intervals.
    world.warp(48 * HOUR, slots=1_140 * 4)
    with refused("NothingMissed"):
        world.do(calls.report_missed(lease, world.stranger, rewarded=False))
    world.warp(0, slots=60 * 4)
    slashed = world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)
    assert slashed.bps == 200


@pytest.mark.parametrize("after", [False, True])
def test_two_hours_after_a_restart_are_no_outage(world: World, lease: LeaseRef, after: bool) -> None:
    world.serve(lease, 1)
    restart = world.slot - (0 if after else 1)
    world.warp(48 * HOUR)
    world.svm.set_last_restart_slot(restart)
    call = calls.report_missed(lease, world.stranger, rewarded=False)
    slashed = world.do(call).event(NodeSlashed)
    if not after:
        assert (slashed.bps, slashed.missed_secs) == (3_000, 48 * HOUR - INTERVAL)
        return
    # 46 hours are left of 48: a tier less, and twelve intervals that nobody missed.
    assert (slashed.bps, slashed.missed_secs) == (400, 46 * HOUR - INTERVAL)
    interval = (world.now - world.of(lease).started_at) // INTERVAL - 1
    world.do(calls.append_proof(lease, interval, INTERVAL))
    assert world.of(lease).pending_bps == 0
    world.warp(3 * INTERVAL)
    assert world.do(call).event(NodeSlashed).bps == 200


def test_an_outage_ends_where_the_lease_ends(world: World) -> None:
    lease = world.running("b", duration=2 * HOUR)
    world.serve(lease, 9)
    world.warp(30 * 24 * HOUR)
    # From the last proof to the end are thirty minutes, whenever it is reported.
    slashed = world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)
    assert (slashed.bps, slashed.missed_secs) == (200, 3 * INTERVAL)


def test_a_missing_last_interval_alone_costs_nothing(world: World) -> None:
    lease = world.running("b", duration=2 * HOUR)
    world.serve(lease, 11)
    world.warp(30 * 24 * HOUR)
    with refused("NothingMissed"):
        world.do(calls.report_missed(lease, world.stranger, rewarded=False))


def test_the_reward_is_capped(world: World, reporter: Keypair) -> None:
    node = world.node("b")
    world.do(calls.stake(node, STAKE))
    lease = world.active(node, world.cluster("b"), 10 * 24 * HOUR)
    world.forge(Lease, lease.key, required_stake=10 * STAKE, reporter_cap=500 * IO_UNIT)
    world.warp(48 * HOUR)
    slashed = world.do(calls.report_missed(lease, reporter)).event(NodeSlashed)
    # Thirty percent of ten times the stake is more than there is: all of it, once.
    assert (slashed.amount, slashed.to_reporter) == (STAKE, 500 * IO_UNIT)
    assert slashed.to_renter == compensation(48 * HOUR - INTERVAL)
    assert world.of_node(node).bonded.amount == 0


def test_after_the_pool_was_wiped_new_stake_starts_a_new_era(world: World, lease: LeaseRef) -> None:
    world.forge(Lease, lease.key, required_stake=10 * STAKE)
    world.warp(48 * HOUR)
    world.do(calls.report_missed(lease, world.stranger, rewarded=False))
    node = world.of_node(lease.node)
    assert (node.bonded.amount, node.bonded.shares, node.bonded.era, node.owner_bonded_shares) == (0, 0, 1, 0)
    with refused("NothingBonded"):
        world.do(calls.request_unbond(lease.node, 1))
    world.do(calls.stake(lease.node, 7))
    world.do(calls.request_unbond(lease.node, 7))
    # With nothing left to take, the tier still counts as charged, so that the lease can close.
    world.forge(Node, lease.node.key, bonded=calls.EMPTY_POOL, unbonding=calls.EMPTY_POOL)
    world.warp(120 * HOUR)
    slashed = world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)
    assert (slashed.bps, slashed.amount, slashed.to_renter) == (2_000, 0, 0)


def test_bonded_and_unbonding_stake_pay_alike(world: World, lease: LeaseRef) -> None:
    world.do(calls.request_unbond(lease.node, STAKE // 4))
    world.warp(HOUR)
    slashed = world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)
    amount = STAKE * 400 // 10_000
    assert (slashed.from_bonded, slashed.from_unbonding) == (amount * 3 // 4, amount // 4)
    node = world.of_node(lease.node)
    assert node.bonded.amount + node.unbonding.amount == world.tokens(lease.node.vault) == STAKE - amount


@pytest.mark.parametrize("insider", ["owner", "device", "session", "payout", "fee_payer"])
def test_an_insider_is_not_rewarded(world: World, insider: str) -> None:
    node = world.staked_node("b", payout=who("payout").pubkey(), fee_payer=who("fees").pubkey())
    lease = world.active(node, world.cluster("b"))
    keys = {
        "owner": node.owner,
        "device": node.device,
        "session": lease.cluster.session,
        "payout": who("payout"),
        "fee_payer": who("fees"),
    }
    reporter = keys[insider]
    world.open_ata(reporter, IO)
    before = world.tokens(ata(reporter, IO))
    world.warp(HOUR)
    slashed = world.do(calls.report_missed(lease, reporter)).event(NodeSlashed)
    assert slashed.to_reporter == 0
    assert world.tokens(ata(reporter, IO)) == before


def test_the_renter_reports_and_is_only_compensated(world: World, lease: LeaseRef) -> None:
    world.warp(HOUR)
    with refused("ConstraintDuplicateMutableAccount"):
        world.do(calls.report_missed(lease, lease.cluster.renter))
    slashed = world.do(calls.report_missed(lease, lease.cluster.renter, rewarded=False)).event(NodeSlashed)
    assert (slashed.to_renter, slashed.to_reporter) == (compensation(HOUR - INTERVAL), 0)


def test_a_renter_without_an_io_account_gets_nothing(world: World, lease: LeaseRef, reporter: Keypair) -> None:
    world.close_ata(lease.cluster.renter, IO)
    world.warp(HOUR)
    slashed = world.do(calls.report_missed(lease, reporter)).event(NodeSlashed)
    assert (slashed.to_renter, slashed.burned) == (0, slashed.amount - slashed.to_reporter)


def test_without_a_known_price_of_io_nobody_is_compensated(world: World, lease: LeaseRef) -> None:
    world.forge(Lease, lease.key, io_price=0)
    world.warp(HOUR)
    assert world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed).to_renter == 0


def test_a_renters_part_is_at_most_half_of_what_the_owner_lost(
    world: World, lease: LeaseRef, reporter: Keypair
) -> None:
    world.forge(Lease, lease.key, io_price=1)
    world.warp(HOUR)
    slashed = world.do(calls.report_missed(lease, reporter)).event(NodeSlashed)
    half = STAKE * 400 // 10_000 // 2
    assert (slashed.to_renter, slashed.to_reporter, slashed.burned) == (half, 0, half)


@pytest.mark.parametrize("short", [0, 1, 10**9])
def test_renter_and_reporter_together_get_at_most_half_of_it(
    world: World, lease: LeaseRef, reporter: Keypair, short: int
) -> None:
    """The reporter's five percent are what is left of the half, if that is less."""
    half, reward = STAKE * 400 // 10_000 // 2, STAKE * 400 // 10_000 * 500 // 10_000
    # In a lease paid in IO a quarter of the price of 3,000 seconds is the renter's.
    price = (half - reward + short) * 4 * 3_600 // 3_000
    world.forge(Lease, lease.key, currency=4, price=price, processors=1)
    world.warp(HOUR)
    slashed = world.do(calls.report_missed(lease, reporter)).event(NodeSlashed)
    to_renter = price * 3_000 // 3_600 * 2_500 // 10_000
    assert (slashed.to_renter, slashed.to_reporter) == (to_renter, min(reward, half - to_renter))
    assert slashed.to_renter + slashed.to_reporter <= half
    assert slashed.burned == 2 * half - slashed.to_renter - slashed.to_reporter


def test_while_the_chain_recovers_no_tier_is_charged(world: World, lease: LeaseRef) -> None:
    world.warp(10 * HOUR)
    world.svm.set_last_restart_slot(world.slot - 1)
    call = calls.report_missed(lease, world.stranger, rewarded=False)
    world.warp(2 * HOUR - 1)
    with refused("ChainRecovering"):
        world.do(call)
    world.warp(1)
    assert world.do(call).event(NodeSlashed).bps == 400


def test_stake_that_unbonds_stays_slashable_until_the_lease_is_over(world: World, lease: LeaseRef) -> None:
    world.do(calls.retire_node(lease.node))
    world.warp(120 * HOUR)
    slashed = world.do(calls.report_missed(lease, world.stranger, rewarded=False)).event(NodeSlashed)
    assert (slashed.from_bonded, slashed.from_unbonding) == (0, STAKE // 2)


@pytest.mark.parametrize("state", ["booked", "ready"])
def test_before_the_meter_runs_fails(world: World, state: str) -> None:
    lease = getattr(world, state)(world.staked_node("b"), world.cluster("b"))
    world.warp(HOUR)
    with refused("WrongLeaseState"):
        world.do(calls.report_missed(lease, world.stranger, rewarded=False))


def test_the_reward_goes_to_the_reporters_own_io(world: World, lease: LeaseRef, reporter: Keypair) -> None:
    world.warp(HOUR)
    call = calls.report_missed(lease, reporter)
    with refused("WrongTokenOwner"):
        world.do(call.swapped(reporter_io=ata(world.treasury, IO)))
    with refused("WrongTokenMint"):
        world.do(call.swapped(reporter_io=world.open_ata(reporter, calls.USD)))
    with refused("NotAssociatedAccount"):
        world.do(call.swapped(renter_io=world.token_account("second", lease.cluster.renter.pubkey(), IO)))

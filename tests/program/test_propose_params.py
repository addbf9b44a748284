from __future__ import annotations

from typing import Any

import msgspec
import pytest
from ionet.generated.accounts import Network
from ionet.generated.events import ParamsProposed
from ionet.generated.types import Params
from ionet.program import PROGRAM
from program import governance
from program.calls import LOCAL, NETWORK
from program.chain import refused, who
from program.governance import changed
from program.world import HOUR, IO_UNIT, World

pytestmark = pytest.mark.matrix

DAY = 86_400
LONGEST = 90 * DAY
WAITS = (
    "ready_deadline_secs",
    "accept_deadline_secs",
    "defend_window_secs",
    "fault_after_secs",
    "unbond_cooldown_secs",
    "co_notice_secs",
    "terms_notice_secs",
    "timelock_secs",
    "promise_window_secs",
    "idle_close_secs",
    "last_rate_after_secs",
    "limiter_window_secs",
    "appeal_secs",
    "case_window_secs",
)
PARTS = (
    "promise_bps",
    "renter_fee_bps",
    "supplier_fee_bps",
    "usdc_fee_bps",
    "renter_share_bps",
    "reporter_bps",
    "dispute_bond_bps",
    "mint_limit_bps",
    "redeem_limit_bps",
    "case_cap_bps",
)
LIMITS = (
    "stake_per_processor",
    "mint_floor",
    "redeem_floor",
    "mint_limit_bps",
    "redeem_limit_bps",
    "conf_max_bps",
    "promise_limit",
)
# Waits with a longest or shortest value of their own, or that others must be as long as.
BOUNDED = (
    *("last_rate_after_secs", "limiter_window_secs", "accept_deadline_secs", "min_charge_secs"),
    *("dispute_window_secs", "defend_window_secs", "unbond_cooldown_secs", "co_notice_secs"),
)
BAD: list[dict[str, Any]] = [
    *({wait: LONGEST + 1} for wait in WAITS if wait != "defend_window_secs"),
    *({wait: 0} for wait in WAITS),
    *({part: 10_001} for part in PARTS),
    *({part: 65_535} for part in PARTS),
    *({limit: 0} for limit in LIMITS),
    {"limiter_window_secs": DAY + 1},
    {"last_rate_after_secs": 7 * DAY + 1},
    {"reject_floor_secs": 1_201},
    {"min_charge_secs": 2 * HOUR + 1},
    {"recovery_secs": DAY + 1},
    {"interval_secs": LONGEST // 2, "tier_secs": (2**30, 2**31, 2**32 - 1)},
    {"price_max_age_secs": 0},
    {"price_max_age_secs": 601},
    {"price_future_secs": 601},
    {"slot_ms": 99},
    {"slot_ms": 501},
    {"grace_intervals": 0},
    {"tier1_intervals": 0},
    {"tier1_intervals": 6},
    {"tier_secs": (1_200, 48 * 3_600, 120 * 3_600)},
    {"tier_secs": (3_600, 3_600, 120 * 3_600)},
    {"tier_secs": (3_600, 48 * 3_600, 48 * 3_600 - 1)},
    {"tier_bps": (0, 400, 3_000, 5_000), "quit_bps": 0},
    {"tier_bps": (400, 400, 3_000, 5_000)},
    {"tier_bps": (200, 400, 3_000, 3_000)},
    {"tier_bps": (200, 400, 3_000, 5_001)},  # more than an owner who holds half has
    {"quit_bps": 201},
    {"renter_fee_bps": 301},
    {"supplier_fee_bps": 301},
    {"usdc_fee_bps": 476},
    {"renter_share_bps": 2_501},
    {"promise_bps": 101},
    {"promise_limit": 5},
    {"dispute_bond_bps": 501},
    {"case_cap_bps": 2_001},
    {"burn_share_bps": 9_999},
    {"spread_bps": 501},
    {"conf_max_bps": 501},
    {"co_stake_max_percent": 51},
]
# What the mainnet profile refuses and a local chain admits: the waits and caps of people who cannot watch all day.
UNPROTECTED: list[dict[str, Any]] = [
    {"timelock_secs": DAY - 1},
    {"appeal_secs": 21 * DAY - 1},
    {"terms_notice_secs": 21 * DAY - 1},
    {"co_notice_secs": 7 * DAY + 1},  # the notice of terms would end before a co-staker is out
    {"case_window_secs": 30 * DAY - 1},
    {"case_network_cap": 5_000_000 * IO_UNIT + 1},
    {"dispute_window_secs": 1_799},
    {"dispute_window_secs": 1_799, "defend_window_secs": 1_799},
    {"ready_deadline_secs": 119},
    {"accept_deadline_secs": 299},
    {"accept_deadline_secs": HOUR + 1},
    {"idle_close_secs": DAY - 1},
    {"limiter_window_secs": 599},
    {"redeem_limit_bps": 999, "limiter_window_secs": DAY},
]
GOOD: list[dict[str, Any]] = [
    *({wait: LONGEST} for wait in WAITS if wait not in BOUNDED),
    {"unbond_cooldown_secs": 14 * DAY, "co_notice_secs": 1, "terms_notice_secs": 14 * DAY + 1},
    {"redeem_limit_bps": 1_000, "limiter_window_secs": DAY, "last_rate_after_secs": 7 * DAY},
    {"redeem_limit_bps": 42, "limiter_window_secs": HOUR},
    {"limiter_window_secs": 600},
    {"reject_floor_secs": 1_200, "min_charge_secs": 2 * HOUR},
    {"recovery_secs": DAY},
    {"recovery_secs": 0},
    {"interval_secs": (LONGEST - 3_600) // 2, "tier_secs": (2**30, 2**31, 2**32 - 1)},
    {"timelock_secs": DAY},
    {"appeal_secs": 21 * DAY},
    {"dispute_window_secs": 1_800, "defend_window_secs": 1_800},
    {"ready_deadline_secs": 120, "accept_deadline_secs": 300},
    {"accept_deadline_secs": HOUR},
    {"idle_close_secs": DAY},
    {"price_max_age_secs": 1, "price_future_secs": 0},
    {"price_max_age_secs": 600, "price_future_secs": 600},
    {"slot_ms": 100},
    {"slot_ms": 500},
    {"tier1_intervals": 5},
    {"tier_secs": (1_201, 1_202, 1_203)},
    {"tier_bps": (1, 2, 3, 4), "quit_bps": 1},
    {"tier_bps": (200, 400, 3_000, 6_000), "co_stake_max_percent": 40},
    {"renter_fee_bps": 300, "supplier_fee_bps": 300},
    {"usdc_fee_bps": 475},
    {"promise_bps": 100, "dispute_bond_bps": 500, "case_cap_bps": 2_000, "case_network_cap": 5_000_000 * IO_UNIT},
    {"spread_bps": 500, "conf_max_bps": 500},
    {"co_stake_max_percent": 0},
    {"reporter_cap": 0, "case_network_cap": 0, "case_cap_bps": 0, "min_charge_secs": 0, "reject_floor_secs": 0},
    {"dispute_window_secs": 7 * 600 - 600, "defend_window_secs": 7 * 600},
]
# Only leases' deadlines, windows and fees wait for the timelock alone.
CALM: list[dict[str, Any]] = [
    {"ready_deadline_secs": 400},
    {"accept_deadline_secs": 900},
    {"reject_floor_secs": 90},
    {"dispute_window_secs": 1_800},
    {"defend_window_secs": 4_000},
    {"min_charge_secs": 1_800},
    {"timelock_secs": DAY},
    {"idle_close_secs": DAY},
    {"renter_fee_bps": 30, "supplier_fee_bps": 30, "usdc_fee_bps": 100},
    {"dispute_bond_bps": 200},
]


def _calm() -> set[str]:
    return {name for changes in CALM for name in changes}


def _fixed() -> set[str]:
    """Fields that have one possible value."""
    return {"burn_share_bps", "grace_intervals"}


def _step(field: str) -> int:
    """How much less of a field is still within its bounds."""
    return {"terms_notice_secs": -DAY, "case_window_secs": -DAY, "interval_secs": -1}.get(field, 1)


def encoded(params: Params) -> bytes:
    return PROGRAM.codec.encode_args("propose_params", {"params": params})[8:]


def test_all_fields_ok(world: World) -> None:
    before = world.get(Network, NETWORK)
    params = changed(world, min_charge_secs=700, renter_fee_bps=30)
    landed = world.do(governance.propose_params(world.authority, params))
    effective_at = world.now + 2 * DAY
    assert len(encoded(params)) == 256
    assert landed.events == (
        ParamsProposed(network=NETWORK, seq=2, at=world.now, effective_at=effective_at, params=encoded(params)),
    )
    assert world.get(Network, NETWORK) == msgspec.structs.replace(
        before, seq=2, pending=params, pending_effective_at=effective_at
    )


def test_a_second_proposal_takes_the_first_ones_place_and_waits_anew(world: World) -> None:
    world.do(governance.propose_params(world.authority, changed(world, renter_fee_bps=60)))
    world.warp(2 * DAY - 1)
    world.do(governance.propose_params(world.authority, changed(world, renter_fee_bps=70)))
    world.warp(1)
    with refused("TimelockRunning"):
        world.do(governance.apply_pending(world.stranger))
    world.warp(2 * DAY - 1)
    world.do(governance.apply_pending(world.stranger))
    assert world.params.renter_fee_bps == 70


@pytest.mark.parametrize("changes", CALM, ids=str)
def test_what_concerns_leases_waits_for_the_timelock(world: World, changes: dict[str, Any]) -> None:
    landed = world.do(governance.propose_params(world.authority, changed(world, **changes)))
    assert landed.event(ParamsProposed).effective_at == world.now + 2 * DAY


@pytest.mark.parametrize("field", [name for name in Params.__struct_fields__ if name not in {*_calm(), *_fixed()}])
def test_what_touches_stake_or_redemption_waits_until_everybody_is_out(world: World, field: str) -> None:
    """Cooldown and notice as in force at the proposal: even a shorter cooldown waits for the longer one."""
    found = getattr(world.params, field)
    changes = {field: (*found[:-1], found[-1] - 1) if isinstance(found, tuple) else found - _step(field)}
    landed = world.do(governance.propose_params(world.authority, changed(world, **changes)))
    assert landed.event(ParamsProposed).effective_at == world.now + 21 * DAY


def test_a_shorter_timelock_waits_for_the_longer_one(world: World) -> None:
    world.do(governance.propose_params(world.authority, changed(world, timelock_secs=DAY)))
    world.do(governance.propose_role(world.authority, governance.PAUSER, bytes(32)))
    world.warp(2 * DAY - 1)
    with refused("TimelockRunning"):
        world.do(governance.apply_pending(world.stranger))


@pytest.mark.parametrize("changes", GOOD, ids=str)
def test_up_to_its_bounds(world: World, changes: dict[str, Any]) -> None:
    world.do(governance.propose_params(world.authority, changed(world, **changes)))


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_beyond_a_bound_fails(world: World, changes: dict[str, Any]) -> None:
    with refused("BadParams"):
        world.do(governance.propose_params(world.authority, changed(world, **changes)))


@pytest.mark.parametrize("changes", [{"interval_secs": 0}, {"defend_window_secs": 7 * 600 + 1}, {"interval_secs": 1}])
def test_more_open_intervals_than_the_ring_holds_fails(world: World, changes: dict[str, int]) -> None:
    with refused("RingTooSmall"):
        world.do(governance.propose_params(world.authority, changed(world, **changes)))


def test_a_byte_that_means_nothing_yet_must_be_zero_fails(world: World) -> None:
    call = governance.propose_params(world.authority, world.params)
    data = bytearray(call.instruction.data)
    data[-1] = 1
    instruction = type(call.instruction)(call.instruction.program_id, bytes(data), call.instruction.accounts)
    with refused("BadParams"):
        world.do(type(call)(call.name, instruction, call.signers))


@pytest.mark.parametrize("changes", UNPROTECTED, ids=str)
def test_less_time_to_answer_than_people_need_fails_on_mainnet_alone(world: World, changes: dict[str, Any]) -> None:
    with refused("BadParams"):
        world.do(governance.propose_params(world.authority, changed(world, **changes)))
    local = World.started(LOCAL)
    local.do(governance.propose_params(local.authority, msgspec.structs.replace(world.params, **changes)))


@pytest.mark.parametrize("name", ["pauser", "arbiter", "stranger"])
def test_by_another_than_the_authority_fails(world: World, name: str) -> None:
    with refused("NotAuthority"):
        world.do(governance.propose_params(who(name), world.params))

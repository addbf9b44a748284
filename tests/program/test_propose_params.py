from __future__ import annotations

from typing import Any

import msgspec
import pytest
from ionet.generated.accounts import Network
from ionet.generated.events import ParamsProposed
from ionet.generated.types import Params
from ionet.program import PROGRAM
from program import governance
from program.calls import LOCAL, MAINNET, NETWORK
from program.chain import refused, who
from program.governance import changed
from program.world import World

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
BAD: list[dict[str, Any]] = [
    *({wait: LONGEST + 1} for wait in WAITS),
    *({wait: 0} for wait in WAITS),
    *({part: 10_001} for part in PARTS),
    *({part: 65_535} for part in PARTS),
    *({limit: 0} for limit in LIMITS),
    {"redeem_limit_bps": 99},
    {"limiter_window_secs": DAY + 1},
    {"last_rate_after_secs": 7 * DAY + 1},
    {"hold_fee_secs": LONGEST + 1},
    {"min_charge_secs": LONGEST + 1},
    {"interval_secs": LONGEST // 2, "tier_secs": (2**30, 2**31, 2**32 - 1)},
    {"timelock_secs": DAY - 1},
    {"defend_window_secs": 3_599},
    {"price_max_age_secs": 0},
    {"price_max_age_secs": 601},
    {"price_future_secs": 601},
    {"slot_ms": 99},
    {"slot_ms": 1_001},
    {"grace_intervals": 0},
    {"tier1_intervals": 0},
    {"tier1_intervals": 6},
    {"tier_secs": (1_200, 48 * 3_600, 120 * 3_600)},
    {"tier_secs": (3_600, 3_600, 120 * 3_600)},
    {"tier_secs": (3_600, 48 * 3_600, 48 * 3_600 - 1)},
    {"tier_bps": (0, 400, 3_000, 5_000), "quit_bps": 0},
    {"tier_bps": (400, 400, 3_000, 5_000)},
    {"tier_bps": (200, 400, 3_000, 3_000)},
    {"tier_bps": (200, 400, 3_000, 10_001)},
    {"quit_bps": 201},
    {"usdc_fee_bps": 9_976},
    {"burn_share_bps": 9_999},
    {"spread_bps": 501},
    {"conf_max_bps": 501},
    {"co_stake_max_percent": 51},
]
GOOD: list[dict[str, Any]] = [
    *({wait: LONGEST} for wait in WAITS if wait not in ("last_rate_after_secs", "limiter_window_secs")),
    {"redeem_limit_bps": 100, "limiter_window_secs": DAY, "last_rate_after_secs": 7 * DAY},
    {"hold_fee_secs": LONGEST, "min_charge_secs": LONGEST},
    {"interval_secs": (LONGEST - 3_600) // 2, "tier_secs": (2**30, 2**31, 2**32 - 1)},
    {"timelock_secs": DAY},
    {"defend_window_secs": 3_600},
    {"price_max_age_secs": 1, "price_future_secs": 0},
    {"price_max_age_secs": 600, "price_future_secs": 600},
    {"slot_ms": 100},
    {"slot_ms": 1_000},
    {"tier1_intervals": 5},
    {"tier_secs": (1_201, 1_202, 1_203)},
    {"tier_bps": (1, 2, 3, 4), "quit_bps": 1},
    {"tier_bps": (200, 400, 3_000, 10_000), "quit_bps": 0},
    {"usdc_fee_bps": 9_975},
    {"spread_bps": 500, "conf_max_bps": 500},
    {"co_stake_max_percent": 0},
    {"reporter_cap": 0, "case_network_cap": 0, "case_cap_bps": 0, "min_charge_secs": 0, "hold_fee_secs": 0},
    {"dispute_window_secs": 14 * 600},
]


def encoded(params: Params) -> bytes:
    return PROGRAM.codec.encode_args("propose_params", {"params": params})[8:]


def test_all_fields_ok(world: World) -> None:
    before = world.get(Network, NETWORK)
    params = changed(world, interval_secs=700, renter_fee_bps=30)
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
    world.do(governance.propose_params(world.authority, changed(world, spread_bps=60)))
    world.warp(2 * DAY - 1)
    world.do(governance.propose_params(world.authority, changed(world, spread_bps=70)))
    world.warp(1)
    with refused("TimelockRunning"):
        world.do(governance.apply_pending(world.stranger))
    world.warp(2 * DAY - 1)
    world.do(governance.apply_pending(world.stranger))
    assert world.params.spread_bps == 70


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


@pytest.mark.parametrize("changes", [{"interval_secs": 0}, {"dispute_window_secs": 14 * 600 + 1}, {"interval_secs": 1}])
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


@pytest.mark.parametrize(("profile", "shortest"), [(MAINNET, DAY), (LOCAL, 1)])
def test_the_shortest_timelock_is_the_profiles(profile: int, shortest: int) -> None:
    world = World.started(profile)
    world.do(governance.propose_params(world.authority, changed(world, timelock_secs=shortest)))
    with refused("BadParams"):
        world.do(governance.propose_params(world.authority, changed(world, timelock_secs=shortest - 1)))


@pytest.mark.parametrize("name", ["pauser", "arbiter", "stranger"])
def test_by_another_than_the_authority_fails(world: World, name: str) -> None:
    with refused("NotAuthority"):
        world.do(governance.propose_params(who(name), world.params))

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel
from ionet.generated.events import ModelProposed
from program import governance
from program.calls import ID
from program.chain import refused, who
from program.staking import DAY
from program.world import H100, World

MODEL = pdas.model(ID, H100)
TERMS = {"pool": 1, "multiplier": 2_000, "throughput": 7, "reference_price": 2_500_000}


def test_all_fields_ok(world: World) -> None:
    """It waits as long as stake takes to leave: the requirement of a model is what stake counts for."""
    before = world.get(DeviceModel, MODEL)
    landed = world.do(governance.propose_model(world.authority, H100, **TERMS))
    effective_at = world.now + 21 * DAY
    assert landed.events == (ModelProposed(model=MODEL, seq=2, at=world.now, effective_at=effective_at, **TERMS),)
    assert world.get(DeviceModel, MODEL) == msgspec.structs.replace(
        before,
        seq=2,
        pending_at=effective_at,
        pending_by=0,
        pending_pool=1,
        pending_multiplier=2_000,
        pending_throughput=7,
        pending_reference_price=2_500_000,
    )


def test_a_second_proposal_takes_the_first_ones_place_and_waits_anew(world: World) -> None:
    world.do(governance.propose_model(world.authority, H100, multiplier=2_000))
    world.warp(21 * DAY - 1)
    world.do(governance.propose_model(world.authority, H100, multiplier=3_000))
    world.warp(1)
    with refused("TimelockRunning"):
        world.do(governance.apply_model(H100))


def test_after_the_notice_it_can_still_be_replaced(world: World) -> None:
    """Nobody is bound by a proposal before somebody applies it; the authority may take it back by another."""
    world.do(governance.propose_model(world.authority, H100, multiplier=2_000))
    world.warp(21 * DAY)
    world.do(governance.propose_model(world.authority, H100, multiplier=1_000))
    with refused("TimelockRunning"):
        world.do(governance.apply_model(H100))
    assert world.get(DeviceModel, MODEL).multiplier == 1_000


@pytest.mark.parametrize(
    "terms",
    [{"pool": 0}, {"multiplier": 0}, {"multiplier": 100_000}, {"throughput": 2**64 - 1}, {"reference_price": 10**12}],
    ids=str,
)
def test_up_to_its_bounds(world: World, terms: dict[str, Any]) -> None:
    world.do(governance.propose_model(world.authority, H100, **terms))


def test_of_a_model_that_does_not_exist_fails(world: World) -> None:
    with refused("AccountDataTooSmall"):
        world.do(governance.propose_model(world.authority, 99))


@pytest.mark.parametrize("wrong", [{"pool": 2}, {"multiplier": 100_001}, {"reference_price": 10**12 + 1}], ids=str)
def test_out_of_bounds_fails(world: World, wrong: dict[str, Any]) -> None:
    with refused("BadModel"):
        world.do(governance.propose_model(world.authority, H100, **wrong))


@pytest.mark.parametrize("name", ["pauser", "arbiter", "stranger"])
def test_by_another_than_the_authority_fails(world: World, name: str) -> None:
    with refused("NotAuthority"):
        world.do(governance.propose_model(who(name), H100))

from __future__ import annotations

from typing import Any

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel
from ionet.generated.enums import DeviceKind, DevicePool
from ionet.generated.events import ModelRegistered
from program import calls
from program.calls import ID
from program.chain import refused
from program.world import H100, World
from solders.pubkey import Pubkey

NAME = b"H200".ljust(32, b"\0")


def test_all_fields_ok(world: World) -> None:
    call = calls.register_model(
        world.authority,
        2,
        name=NAME,
        kind=DeviceKind.CPU,
        pool=DevicePool.COMMUNITY,
        multiplier=100_000,
        throughput=2**64 - 1,
        reference_price=10**12,
    )
    lamports = world.lamports(world.authority.pubkey())
    landed = world.do(call)
    key = pdas.model(ID, 2)
    assert landed.events == (
        ModelRegistered(
            model=key,
            seq=1,
            at=world.now,
            code=2,
            name=NAME,
            kind=DeviceKind.CPU,
            pool=DevicePool.COMMUNITY,
            multiplier=100_000,
            throughput=2**64 - 1,
            reference_price=10**12,
        ),
    )
    _, bump = Pubkey.find_program_address([b"model", (2).to_bytes(2, "little")], ID)
    assert world.get(DeviceModel, key) == DeviceModel(
        name=NAME,
        throughput=2**64 - 1,
        reference_price=10**12,
        pending_throughput=0,
        pending_reference_price=0,
        pending_at=0,
        seq=1,
        multiplier=100_000,
        pending_multiplier=0,
        pending_by=0,
        code=2,
        kind=1,
        pool=1,
        pending_pool=0,
        enabled=1,
        bump=bump,
        version=1,
    )
    assert lamports - world.lamports(world.authority.pubkey()) == world.lamports(key)


@pytest.mark.parametrize("name", [b"A" * 32, "Ä100".encode().ljust(32, b"\0")])
def test_a_name_may_fill_its_place_and_be_any_text(world: World, name: bytes) -> None:
    world.do(calls.register_model(world.authority, 9, name=name))


def test_twice_fails(world: World) -> None:
    with refused("Custom 0"):
        world.do(calls.register_model(world.authority, H100))


@pytest.mark.parametrize("who", ["stranger", "pauser"])
def test_by_another_than_the_authority_fails(world: World, who: str) -> None:
    with refused("NotAuthority"):
        world.do(calls.register_model(getattr(world, who), 9))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": bytes(32)},
        {"name": b"A\0B".ljust(32, b"\0")},
        {"name": b"A".ljust(31, b"\0") + b"B"},
        {"name": b"\xff".ljust(32, b"\0")},
        {"kind": 2},
        {"pool": 2},
        {"multiplier": 100_001},
        {"reference_price": 10**12 + 1},
    ],
    ids=str,
)
def test_out_of_bounds_fails(world: World, wrong: dict[str, Any]) -> None:
    with refused("BadModel"):
        world.do(calls.register_model(world.authority, 9, **wrong))

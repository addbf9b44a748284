from __future__ import annotations

from typing import Any

import msgspec
import pytest
from ionet.generated.accounts import Network
from ionet.generated.events import NetworkMigrated
from program import calls, governance
from program.calls import LOCAL, MAINNET, NETWORK
from program.chain import refused
from program.governance import changed
from program.world import IO_UNIT, USD_UNIT, World

DAY = 86_400
NEW: dict[int, dict[str, Any]] = {
    MAINNET: {
        "case_window_secs": 30 * DAY,
        "mint_floor": 1_000_000 * USD_UNIT,
        "redeem_floor": 1_000_000 * USD_UNIT,
        "case_network_cap": 1_000_000 * IO_UNIT,
    },
    LOCAL: {
        "case_window_secs": 600,
        "mint_floor": 100_000_000 * USD_UNIT,
        "redeem_floor": 100_000_000 * USD_UNIT,
        "case_network_cap": 1_000_000 * IO_UNIT,
    },
}


def first_version(profile: int) -> World:
    """A network as version 1 wrote it: what came with version 2 is zero."""
    world = World.started(profile)
    params = changed(world, **dict.fromkeys(NEW[profile], 0))
    world.forge(Network, NETWORK, version=1, params=params)
    return world


@pytest.mark.parametrize("profile", [MAINNET, LOCAL])
def test_from_version_1_ok(profile: int) -> None:
    world = first_version(profile)
    before = governance.network(world)
    landed = world.do(governance.migrate_network())
    assert landed.events == (NetworkMigrated(network=NETWORK, seq=2, at=world.now, version_before=1, version=2),)
    params = msgspec.structs.replace(before.params, **NEW[profile])
    assert governance.network(world) == msgspec.structs.replace(before, version=2, seq=2, params=params)
    fresh = World.started(profile)
    assert governance.network(fresh) == msgspec.structs.replace(governance.network(world), seq=1)


def test_figures_that_version_1_had_are_kept(world: World) -> None:
    params = changed(world, spread_bps=77, mint_floor=0)
    world.forge(Network, NETWORK, version=1, params=params)
    world.do(governance.migrate_network())
    assert world.params == msgspec.structs.replace(params, mint_floor=NEW[MAINNET]["mint_floor"])


def test_what_needs_none_of_the_new_figures_works_before_ok() -> None:
    world = first_version(MAINNET)
    world.do(calls.set_pause(world.pauser, 1))
    world.do(calls.set_pause(world.pauser, 0))
    world.do(calls.stake(world.node(), IO_UNIT))


def test_twice_fails(world: World) -> None:
    with refused("AlreadyMigrated"):
        world.do(governance.migrate_network())
    world.forge(Network, NETWORK, version=1)
    world.do(governance.migrate_network())
    with refused("AlreadyMigrated"):
        world.do(governance.migrate_network())

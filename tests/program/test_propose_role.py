from __future__ import annotations

import msgspec
import pytest
from ionet.generated.accounts import Network
from ionet.generated.events import RoleProposed
from program import governance
from program.calls import NETWORK, NOBODY
from program.chain import refused, who
from program.governance import ARBITER, AUTHORITY, FEED, PAUSER
from program.world import World
from solders.pubkey import Pubkey

DAY = 86_400
HEIR = who("heir")
VALUE = bytes(HEIR.pubkey())


@pytest.mark.parametrize("role", [AUTHORITY, PAUSER, ARBITER, FEED])
def test_each_role_can_be_proposed(world: World, role: int) -> None:
    before = governance.network(world)
    landed = world.do(governance.propose_role(world.authority, role, VALUE))
    # The feed touches redemption: it waits until everybody with IOSD can be out.
    effective_at = world.now + (21 if role == FEED else 2) * DAY
    assert landed.events == (
        RoleProposed(network=NETWORK, seq=2, at=world.now, role=role, value=VALUE, effective_at=effective_at),
    )
    successor, value = (HEIR.pubkey(), bytes(32)) if role == AUTHORITY else (NOBODY, VALUE)
    assert world.get(Network, NETWORK) == msgspec.structs.replace(
        before,
        seq=2,
        pending_role=role,
        pending_role_at=effective_at,
        pending_authority=successor,
        pending_value=value,
    )


def test_a_second_proposal_takes_the_first_ones_place_and_waits_anew(world: World) -> None:
    world.do(governance.propose_role(world.authority, AUTHORITY, VALUE))
    world.warp(2 * DAY - 1)
    world.do(governance.propose_role(world.authority, PAUSER, VALUE))
    assert governance.network(world).pending_authority == NOBODY
    world.warp(1)
    with refused("TimelockRunning"):
        world.do(governance.apply_pending(HEIR))
    world.warp(2 * DAY - 1)
    world.do(governance.apply_pending(HEIR))
    found = governance.network(world)
    assert (found.authority, found.pauser) == (world.authority.pubkey(), HEIR.pubkey())


@pytest.mark.parametrize("role", [PAUSER, ARBITER])
def test_nobody_may_pause_or_accuse(world: World, role: int) -> None:
    governance.set_role(world, role, bytes(32))
    found = governance.network(world)
    assert (found.pauser if role == PAUSER else found.arbiter) == Pubkey.default()


@pytest.mark.parametrize("role", [AUTHORITY, FEED])
def test_no_authority_or_no_feed_fails(world: World, role: int) -> None:
    with refused("ZeroHash"):
        world.do(governance.propose_role(world.authority, role, bytes(32)))


@pytest.mark.parametrize("role", [0, 5, 255])
def test_an_unknown_role_fails(world: World, role: int) -> None:
    with refused("UnknownRole"):
        world.do(governance.propose_role(world.authority, role, VALUE))


@pytest.mark.parametrize("name", ["pauser", "arbiter", "heir"])
def test_by_another_than_the_authority_fails(world: World, name: str) -> None:
    with refused("NotAuthority"):
        world.do(governance.propose_role(who(name), PAUSER, VALUE))

from __future__ import annotations

import pytest
from ionet.generated import pdas
from program import calls
from program.calls import ID, IO, NETWORK, USD
from program.chain import TOKEN_PROGRAM, refused, who
from program.world import World
from solders.pubkey import Pubkey


@pytest.mark.parametrize("mint", [IO, USD], ids=["io", "iosd"])
def test_both_vaults_belong_to_the_network(world: World, mint: Pubkey) -> None:
    for vault in (pdas.fee_vault(ID, mint), pdas.burn_vault(ID, mint)):
        account = world.raw(vault)
        assert account.owner == TOKEN_PROGRAM
        assert account.data[:72] == bytes(mint) + bytes(NETWORK) + bytes(8)


def test_usdc_and_who_pays(world: World) -> None:
    before = world.lamports(world.stranger.pubkey())
    landed = world.do(calls.init_vaults(world.stranger, world.usdc))
    vaults = [pdas.fee_vault(ID, world.usdc), pdas.burn_vault(ID, world.usdc)]
    assert before - world.lamports(world.stranger.pubkey()) == sum(world.lamports(vault) for vault in vaults)
    assert landed.events == ()


def test_twice_fails(world: World) -> None:
    with refused("Custom 0"):
        world.do(calls.init_vaults(world.stranger, IO))


def test_a_mint_that_is_not_the_networks_fails(world: World) -> None:
    with refused("WrongMint"):
        world.do(calls.init_vaults(world.stranger, world.create_mint(who("other mint"), 6)))

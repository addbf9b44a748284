from __future__ import annotations

import pytest
from ionet.generated import pdas
from program import staking
from program.calls import ID, IO, NETWORK, USD
from program.chain import TOKEN_PROGRAM, refused, who
from program.world import World


@pytest.mark.parametrize("currency", ["io", "iosd", "usdc"])
def test_it_is_the_networks_and_anyone_pays_for_it(world: World, currency: str) -> None:
    mint = {"io": IO, "iosd": USD, "usdc": world.usdc}[currency]
    owner = who("somebody without an account").pubkey()
    before = world.lamports(world.stranger.pubkey())
    landed = world.do(staking.open_owed(world.stranger, owner, mint))
    owed = pdas.owed(ID, mint, owner)
    account = world.raw(owed)
    assert landed.events == ()
    assert account.owner == TOKEN_PROGRAM
    assert account.data[:72] == bytes(mint) + bytes(NETWORK) + bytes(8)
    assert before - world.lamports(world.stranger.pubkey()) == account.lamports


def test_a_wallet_opens_its_own(world: World) -> None:
    """`ionet keys open-owed` without an address: who pays is who will be paid."""
    wallet = world.stranger
    before = world.lamports(wallet.pubkey())
    world.do(staking.open_owed(wallet, wallet.pubkey(), IO))
    account = world.raw(pdas.owed(ID, IO, wallet.pubkey()))
    assert account.data[:72] == bytes(IO) + bytes(NETWORK) + bytes(8)
    assert before - world.lamports(wallet.pubkey()) == account.lamports


def test_twice_fails(world: World) -> None:
    world.do(staking.open_owed(world.stranger, world.treasury.pubkey(), IO))
    with refused("Custom 0"):
        world.do(staking.open_owed(world.authority, world.treasury.pubkey(), IO))


def test_a_mint_that_is_not_the_networks_fails(world: World) -> None:
    other = world.create_mint(who("other mint"), 6)
    with refused("WrongMint"):
        world.do(staking.open_owed(world.stranger, world.treasury.pubkey(), other))


def test_an_address_that_holds_lamports_is_no_obstacle(world: World) -> None:
    owner = world.treasury.pubkey()
    world.fund(pdas.owed(ID, IO, owner), 1_000_000)
    world.do(staking.open_owed(world.stranger, owner, IO))

from __future__ import annotations

import msgspec
import pytest
from ionet.generated.events import IncomeVaultOpened
from program import calls, staking
from program.calls import ID, IO, USD
from program.chain import refused, who
from program.currencies import active_in, cluster_in, mint_of
from program.world import HOUR, IO_UNIT, World
from solders.pubkey import Pubkey


def test_all_fields_ok(world: World) -> None:
    """One in each currency; whoever pays the rent, the node alone can take anything out."""
    node = world.node()
    for at, mint in enumerate((USD, world.usdc, IO)):
        seeds = [b"income", bytes(node.key), bytes(mint)]
        vault, bump = Pubkey.find_program_address(seeds, ID)
        before, lamports = world.of_node(node), world.lamports(world.stranger.pubkey())
        landed = world.do(staking.open_income_vault(node, world.stranger, mint))
        assert landed.events == (IncomeVaultOpened(node=node.key, seq=2 + at, at=world.now, mint=mint, vault=vault),)
        bumps = before.income_vault_bumps[:at] + bytes([bump]) + bytes(2 - at)
        assert world.of_node(node) == msgspec.structs.replace(before, seq=2 + at, income_vault_bumps=bumps)
        account = world.raw(vault)
        assert (account.data[:32], account.data[32:64], world.tokens(vault)) == (bytes(mint), bytes(node.key), 0)
        assert lamports - world.lamports(world.stranger.pubkey()) == account.lamports


def test_without_it_no_income_in_its_currency_is_shared(world: World) -> None:
    """The share is copied into a lease at booking: what is opened later binds later leases."""
    node, cluster = world.staked_node(), world.cluster()
    world.do(staking.set_co_stake_terms(node, 0, 5_000))
    before = world.booked(node, cluster)
    world.do(staking.open_income_vault(node, world.stranger, USD))
    assert world.of(before).income_share_bps == 0
    world.warp(300)
    world.do(calls.cancel_lease(before), calls.return_node(node))
    after = world.active(node, cluster, HOUR)
    assert world.of(after).income_share_bps == 5_000
    world.do(staking.set_co_stake_terms(node, 0, 9_000))
    assert world.of(after).income_share_bps == 5_000


@pytest.mark.parametrize("opened", ["iosd", "usdc", "io"])
def test_a_lease_in_another_currency_shares_nothing(world: World, opened: str) -> None:
    world.do(calls.init_vaults(world.stranger, world.usdc))
    node = world.staked_node(currencies=calls.EVERY_CURRENCY)
    mint = mint_of(world, opened)
    world.do(staking.open_income_vault(node, world.stranger, mint), staking.set_co_stake_terms(node, 0, 5_000))
    for currency in ("iosd", "usdc", "io"):
        cluster = cluster_in(world, mint_of(world, currency), currency, 1_000 * IO_UNIT)
        lease = active_in(world, mint_of(world, currency), node, cluster, HOUR)
        assert world.of(lease).income_share_bps == (5_000 if currency == opened else 0)
        world.do(calls.end_lease(lease))


def test_twice_fails(world: World) -> None:
    node = world.node()
    world.do(staking.open_income_vault(node, world.stranger, USD))
    with refused("Custom 0"):
        world.do(staking.open_income_vault(node, world.stranger, USD))


def test_of_a_mint_that_is_not_admitted_fails(world: World) -> None:
    with refused("WrongMint"):
        world.do(staking.open_income_vault(world.node(), world.stranger, world.create_mint(who("odd mint"), 6)))


@pytest.mark.parametrize("mint", [USD, IO])
def test_of_a_retired_node_fails(world: World, mint: Pubkey) -> None:
    node = world.staked_node()
    world.do(calls.retire_node(node))
    with refused("NodeRetired"):
        world.do(staking.open_income_vault(node, world.stranger, mint))

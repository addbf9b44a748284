from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.events import IncomeVaultOpened
from program import calls, staking
from program.calls import ID, IO, USD
from program.chain import refused, who
from program.world import HOUR, World
from solders.pubkey import Pubkey


def test_all_fields_ok(world: World) -> None:
    node = world.node()
    for at, mint in enumerate((USD, world.usdc, IO)):
        vault = pdas.income_vault(ID, node.key, mint)
        landed = world.do(staking.open_income_vault(node, world.stranger, mint))
        assert landed.events == (IncomeVaultOpened(node=node.key, seq=2 + at, at=world.now, mint=mint, vault=vault),)
        assert world.of_node(node).income_vault_bumps[at] > 0
        assert world.tokens(vault) == 0


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

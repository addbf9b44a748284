from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Node
from ionet.generated.events import IncomeVaultClosed
from ionet.generated.types import Pool
from program import calls, staking
from program.calls import ID, IO, NETWORK, USD
from program.chain import refused, who
from program.preludes import frozen
from program.refs import NodeRef
from program.staking import DAY, held_by, with_income
from program.test_claim_income import NET, lived, shared_node
from program.world import World
from solders.pubkey import Pubkey


def deserted(world: World) -> NodeRef:
    """A retired node whose lease is closed and whose stakers have asked to leave."""
    node = shared_node(world)
    lease = lived(world, node)
    world.do(with_income(calls.settle_lease(lease)), calls.close_lease(lease))
    world.do(calls.retire_node(node), staking.push_unbond(held_by(node, who("co"))))
    return node


def test_all_fields_ok(world: World) -> None:
    node = deserted(world)
    vault = pdas.income_vault(ID, node.key, USD)
    world.open_ata(who("co"), USD)
    world.do(staking.claim_income(held_by(node, who("co")), USD))
    world.move(who("renter a"), vault, USD, 5)
    seq, rent, lamports = world.of_node(node).seq, world.lamports(vault), world.lamports(node.owner.pubkey())
    landed = world.do(staking.close_income_vault(node, USD))
    # A unit that rounding left, and what somebody sent.
    closed = IncomeVaultClosed(node=node.key, seq=seq + 1, at=world.now, mint=USD, surplus=6, fees_owed=0)
    assert landed.events == (closed,)
    assert world.tokens(pdas.fee_vault(ID, USD)) == 6
    assert world.lamports(node.owner.pubkey()) - lamports == rent
    assert not world.exists(vault)
    assert world.of_node(node).co_income[0] == 0


def test_a_surplus_that_the_frozen_fee_vault_cannot_receive_waits_for_the_network(world: World) -> None:
    node = deserted(world)
    vault, fees = pdas.income_vault(ID, node.key, USD), pdas.fee_vault(ID, USD)
    world.open_ata(who("co"), USD)
    world.do(staking.claim_income(held_by(node, who("co")), USD))
    world.move(who("renter a"), vault, USD, 5)
    frozen(world, fees)
    call = staking.close_income_vault(node, USD)
    with refused("RecipientCannotReceive"):
        world.do(call)
    world.do(staking.open_owed(world.stranger, NETWORK, USD))
    owed = pdas.owed(ID, USD, NETWORK)
    closed = world.do(staking.filled(call, fees_owed=owed)).event(IncomeVaultClosed)
    assert (closed.surplus, closed.fees_owed) == (6, 6)
    assert (world.tokens(owed), world.tokens(fees), world.exists(vault)) == (6, 0, False)


def test_while_somebody_has_a_claim_or_stake_fails(world: World) -> None:
    node = deserted(world)
    with refused("VaultInUse"):
        world.do(staking.close_income_vault(node, USD))  # the co-staker's income is not claimed
    active = shared_and_retired(world)
    with refused("VaultInUse"):
        world.do(staking.close_income_vault(active, USD))


def shared_and_retired(world: World) -> NodeRef:
    """A retired node whose co-staker has not asked to leave."""
    node = world.staked_node("b")
    world.do(staking.open_income_vault(node, world.stranger, USD), staking.set_co_stake_terms(node, 5_000))
    staking.co_stake(world, node, "co b", 10**8)
    world.do(calls.retire_node(node))
    return node


def test_of_a_node_that_is_not_retired_fails(world: World) -> None:
    node = shared_node(world)
    world.warp(DAY)
    with refused("NodeNotRetired"):
        world.do(staking.close_income_vault(node, USD))


def test_before_the_last_lease_is_closed_fails(world: World) -> None:
    """Its settlement could still need the vault."""
    node = shared_node(world)
    lease = lived(world, node)
    world.do(calls.retire_node(node), staking.push_unbond(held_by(node, who("co"))))
    with refused("VaultInUse"):
        world.do(staking.close_income_vault(node, USD))
    world.do(with_income(calls.settle_lease(lease)))
    with refused("VaultInUse"):
        world.do(staking.close_income_vault(node, USD))
    world.do(calls.close_lease(lease), staking.close_income_vault(node, USD))


@pytest.mark.parametrize("mint", [USD, IO])
def test_each_currency_by_itself_and_for_good(world: World, mint: Pubkey) -> None:
    """Income that waits in one currency does not keep another's vault."""
    node = deserted(world)
    if mint == USD:
        world.open_ata(who("co"), USD)
        world.do(staking.claim_income(held_by(node, who("co")), USD))
    bumps = world.of_node(node).income_vault_bumps
    assert world.do(staking.close_income_vault(node, mint)).event(IncomeVaultClosed).mint == mint
    left = world.of_node(node).income_vault_bumps
    assert left == (b"\0" + bumps[1:] if mint == USD else bumps[:2] + b"\0")
    with refused("AccountDataTooSmall"):
        world.do(staking.close_income_vault(node, mint))
    with refused("NodeRetired"):
        world.do(staking.open_income_vault(node, world.stranger, mint))


def test_what_the_shares_of_a_wiped_pool_had_not_settled_is_left_to_nobody(world: World) -> None:
    """As with rewards: shares that a slash voided claim nothing that was not settled for them before."""
    node = shared_node(world)
    lease = lived(world, node)
    world.do(with_income(calls.settle_lease(lease)), calls.close_lease(lease))
    world.forge(Node, node.key, bonded=Pool(amount=0, era=1, shares=0), owner_bonded_shares=0)
    with refused("NothingToClaim"):
        world.do(staking.claim_income(held_by(node, who("co")), USD))
    world.do(calls.retire_node(node))
    closed = world.do(staking.close_income_vault(node, USD)).event(IncomeVaultClosed)
    assert closed.surplus == world.tokens(pdas.fee_vault(ID, USD)) == NET // 2 // 2


def test_where_the_fee_vault_is_frozen_what_is_left_is_owed_to_the_network(world: World) -> None:
    node = deserted(world)
    world.open_ata(who("co"), USD)
    world.do(staking.claim_income(held_by(node, who("co")), USD))
    fees = pdas.fee_vault(ID, USD)
    thawed = world.raw(fees)
    frozen(world, fees)
    call = staking.close_income_vault(node, USD)
    with refused("RecipientCannotReceive"):
        world.do(call)
    world.do(staking.open_owed(world.stranger, NETWORK, USD))
    owed = pdas.owed(ID, USD, NETWORK)
    assert world.do(staking.filled(call, fees_owed=owed)).event(IncomeVaultClosed).surplus == 1
    assert world.tokens(owed) == 1
    world.svm.set_account(fees, thawed)
    world.do(staking.collect_owed(world.stranger, USD))
    assert world.tokens(fees) == 1


def test_the_rent_goes_to_nobody_but_the_owner_fails(world: World) -> None:
    node = deserted(world)
    with refused("WrongRentPayer"):
        world.do(staking.close_income_vault(node, IO).swapped(owner=world.stranger.pubkey()))

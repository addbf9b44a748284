from __future__ import annotations

from ionet.generated import pdas
from ionet.generated.events import IncomeVaultClosed
from program import calls, staking
from program.calls import ID, NETWORK, USD
from program.chain import refused, who
from program.preludes import frozen
from program.refs import NodeRef
from program.staking import DAY, held_by, with_income
from program.test_claim_income import lived, shared_node
from program.world import World


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

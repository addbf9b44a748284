from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import Node, StakePosition
from ionet.generated.events import StakeVaultClosed
from ionet.generated.types import Pool
from program import calls, governance, staking
from program.calls import ID, IO
from program.chain import Call, refused, who
from program.refs import NodeRef
from program.staking import DAY, booked, co_stake, fund, io_of, open_node, tried
from program.world import HOUR, IO_UNIT, World

OWN = 16_000 * IO_UNIT
BEFORE = 100_000 * IO_UNIT
BURN = pdas.burn_vault(ID, IO)


def leave(world: World, node: NodeRef, *held: NodeRef) -> None:
    """Everything out of a node, pushed by strangers but for the owner's word that it retires."""
    if not world.of_node(node).flags & governance.RETIRED:
        world.do(calls.retire_node(node, staked=world.exists(node.position)))
    for one in (node, *held):
        if world.exists(one.position):
            found, era = world.get(StakePosition, one.position), world.of_node(node).bonded.era
            if found.shares and found.era == era:
                world.do(staking.push_unbond(one))
    world.warp(28 * DAY)
    for one in (node, *held):
        if one is node or world.exists(one.position):
            tried(world, staking.claim_rewards(one, position=one is not node), "NothingToClaim")
        if world.exists(one.position):
            world.do(calls.withdraw(one))


def test_an_owner_alone(world: World) -> None:
    node = world.staked_node()
    leave(world, node)
    rent, lamports = world.lamports(node.vault), world.lamports(node.owner.pubkey())
    seq = world.of_node(node).seq
    landed = world.do(staking.close_stake_vault(node))
    assert landed.events == (StakeVaultClosed(node=node.key, seq=seq + 1, at=world.now, surplus=0),)
    assert not world.exists(node.vault)
    assert world.lamports(node.owner.pubkey()) - lamports == rent
    assert io_of(world, node.owner) == BEFORE
    assert world.exists(node.key)


def test_owner_co_stakers_rewards_slash_and_refill_all_leave(world: World) -> None:
    node = open_node(world)
    first, second = co_stake(world, node, "first", OWN // 3), co_stake(world, node, "second", OWN // 7)
    fund(world, node, 12_345_678_901)
    case = governance.accused(world, node)
    world.do(calls.stake(node, 777))
    staking.slash(world, case, 999)
    fund(world, node, 98_765_432_101)
    world.do(calls.stake(node, 0), calls.request_unbond(second, OWN // 9))
    assert world.tokens(node.vault) == booked(world, node)
    leave(world, node, first, second)
    assert world.of_node(node).flags & governance.RETIRED
    rest = booked(world, node)
    assert world.tokens(node.vault) == rest < 10  # what rounding left
    burned = world.tokens(BURN)
    assert world.do(staking.close_stake_vault(node)).event(StakeVaultClosed).surplus == rest
    assert world.tokens(BURN) == burned + rest
    assert not world.exists(node.vault)
    assert not any(world.exists(one.position) for one in (node, first, second))
    found = world.of_node(node)
    assert (found.bonded.amount, found.unbonding.amount, found.co_rewards, found.co_settled) == (0, 0, 0, 0)
    held = sum(io_of(world, one.owner) for one in (node, first, second))
    assert held + world.tokens(BURN) == 3 * BEFORE + 12_345_678_901 + 98_765_432_101


def _deed(random: Random, world: World, node: NodeRef, actor: NodeRef, amount: int) -> Call:
    if not world.exists(actor.position):
        return calls.stake(node, amount, actor.owner)
    return random.choice(
        [
            calls.stake(node, amount, actor.owner),
            calls.request_unbond(actor, amount),
            staking.fund_rewards(node, world.treasury, amount),
            staking.claim_rewards(actor),
            calls.withdraw(actor),
        ]
    )


REFUSALS = ("NobodyToReward", "CoStakeTooHigh", "NothingBonded", "NothingMatured", "NothingToClaim", "TooManyTickets")


@pytest.mark.parametrize("seed", range(12))
def test_whatever_stakers_do_every_unit_leaves(world: World, seed: int) -> None:
    """Random stakes, rewards, requests and slashes; the vault holds what is booked at all times and ends empty."""
    random = Random(seed)
    node = open_node(world, own=OWN, share_bps=random.randrange(1, 10_001))
    held = [co_stake(world, node, f"co {i}", random.randrange(1, OWN // 5)) for i in range(3)]
    before, treasury = 4 * BEFORE, io_of(world, world.treasury)
    for _ in range(50):
        amount = random.choice([1, random.randrange(1, 10**6), random.randrange(1, OWN // 4)])
        tried(world, _deed(random, world, node, random.choice([node, *held]), amount), *REFUSALS)
        if random.random() < 0.3:
            world.warp(random.randrange(15 * DAY))
        if random.random() < 0.1:
            staking.slash(world, governance.accused(world, node), random.randrange(1, 300))
        assert world.tokens(node.vault) == booked(world, node)
    funded = treasury - io_of(world, world.treasury)
    leave(world, node, *held)
    world.do(staking.close_stake_vault(node))
    assert not any(world.exists(one.position) for one in (node, *held))
    assert sum(io_of(world, one.owner) for one in (node, *held)) + world.tokens(BURN) == before + funded


def test_what_belongs_to_nobody_is_burned(world: World) -> None:
    node = open_node(world, share_bps=10_000)
    held = co_stake(world, node, "co", OWN)
    fund(world, node, 2_000)
    world.move(world.treasury, node.vault, IO, 5)
    # A slash wiped both pools but for crumbs: the co-staker's unsettled rewards are void with their shares.
    crumb = Pool(amount=3, era=1, shares=0)
    world.forge(Node, node.key, bonded=crumb, unbonding=crumb, owner_bonded_shares=0)
    world.do(calls.retire_node(node), staking.claim_rewards(node))
    surplus = world.tokens(node.vault)
    assert world.do(staking.close_stake_vault(node)).event(StakeVaultClosed).surplus == surplus
    assert world.tokens(BURN) == surplus
    # Both still get the rent of their positions, though the vault is gone.
    for one in (node, held):
        lamports, rent = world.lamports(one.owner.pubkey()), world.lamports(one.position)
        world.do(calls.withdraw(one))
        assert world.lamports(one.owner.pubkey()) - lamports == rent


def test_a_node_that_never_had_stake(world: World) -> None:
    node = world.node()
    world.do(calls.retire_node(node, staked=False), staking.close_stake_vault(node))
    assert not world.exists(node.vault)


def test_twice_fails(world: World) -> None:
    node = world.node()
    world.do(calls.retire_node(node, staked=False), staking.close_stake_vault(node))
    with refused("AccountDataTooSmall"):
        world.do(staking.close_stake_vault(node))


def test_a_node_that_is_not_retired_fails(world: World) -> None:
    with refused("NodeNotRetired"):
        world.do(staking.close_stake_vault(world.node()))


def _bonded(world: World, node: NodeRef) -> Call:
    held = co_stake(world, node, "co", 5)
    world.do(calls.retire_node(node))
    return staking.push_unbond(held)


def _unbonding(world: World, node: NodeRef) -> Call:
    held = co_stake(world, node, "co", 5)
    world.do(calls.retire_node(node))
    world.warp(DAY)
    world.do(staking.push_unbond(held))
    world.warp(13 * DAY)
    return calls.withdraw(node)


def _rewards_of_owner(world: World, node: NodeRef) -> Call:
    fund(world, node, 1)
    world.do(calls.retire_node(node))
    return staking.claim_rewards(node, position=False)


def _rewards_of_co_staker(world: World, node: NodeRef) -> Call:
    held = co_stake(world, node, "co", OWN)
    fund(world, node, 100)
    world.do(staking.claim_rewards(node), calls.retire_node(node), staking.push_unbond(held))
    return staking.claim_rewards(held)


def _frozen(world: World, node: NodeRef) -> Call:
    world.do(calls.retire_node(node))
    return governance.decide_case(governance.accused(world, node))


def _refill(world: World, node: NodeRef) -> Call:
    case = governance.accused(world, node)
    world.do(calls.stake(node, 9), calls.retire_node(node), governance.decide_case(case))
    return calls.stake(node, 0)


def _lease(world: World, node: NodeRef) -> Call:
    lease = world.booked(node, world.cluster(), HOUR)
    world.do(calls.retire_node(node))
    world.warp(300)
    world.do(calls.cancel_lease(lease))
    return calls.close_lease(lease)


USES = [_bonded, _unbonding, _rewards_of_owner, _rewards_of_co_staker, _frozen, _refill, _lease]


@pytest.mark.parametrize("use", USES)
def test_every_use_of_it_keeps_it_open(world: World, use: Callable[[World, NodeRef], Call]) -> None:
    node = open_node(world)
    end = use(world, node)
    held = [one for one in (node, staking.held_by(node, who("co"))) if world.exists(one.position)]
    if use is not _unbonding:
        world.warp(21 * DAY)
        for one in held:
            tried(world, calls.withdraw(one), "NothingMatured", "NodeFrozen")
    with refused("VaultInUse"):
        world.do(staking.close_stake_vault(node))
    world.do(end)
    for one in held:
        tried(world, staking.push_unbond(one), "NothingBonded", "AccountDataTooSmall")
    world.warp(21 * DAY)
    for one in held:
        tried(world, calls.withdraw(one), "AccountDataTooSmall")
    world.do(staking.close_stake_vault(node))


def test_rent_to_another_than_the_owner_fails(world: World) -> None:
    node = world.node()
    world.do(calls.retire_node(node, staked=False))
    with refused("WrongRentPayer"):
        world.do(staking.close_stake_vault(node).swapped(owner=world.stranger.pubkey()))

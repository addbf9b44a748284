"""Stake of strangers, the owner's refill on a frozen node, and how much of it all counts for new leases."""

from __future__ import annotations

import pytest
from ionet.generated.accounts import Node, StakePosition
from ionet.generated.events import Staked, StakeRefilled, UnbondRequested
from ionet.generated.types import Pool
from program import calls, governance, staking
from program.calls import IO, ata
from program.chain import refused
from program.refs import LeaseRef
from program.staking import DAY, booked, co_stake, io_of, open_node
from program.world import H100, HOUR, IO_UNIT, World, required_stake

STAKE = required_stake(H100, 8)
HALF = STAKE // 2


def test_a_stranger_stakes(world: World) -> None:
    node = open_node(world, own=HALF)
    co = world.supplier("co")
    landed = world.do(calls.stake(node, HALF, co))
    held = staking.held_by(node, co)
    assert landed.events == (
        Staked(
            node=node.key,
            seq=4,
            at=world.now,
            position=held.position,
            staker=co.pubkey(),
            amount=HALF,
            shares=1_000 * HALF,
            bonded_before=HALF,
            bonded_after=STAKE,
            bonded_shares_after=1_000 * STAKE,
            era=0,
        ),
    )
    found = world.of_node(node)
    assert (found.bonded.amount, found.owner_bonded_shares) == (STAKE, 1_000 * HALF)
    position = world.get(StakePosition, held.position)
    assert (position.node, position.staker, position.shares) == (node.key, co.pubkey(), 1_000 * HALF)
    assert world.tokens(node.vault) == STAKE
    world.do(calls.add_lease(LeaseRef(node, world.cluster(), 0), H100, HOUR))


def test_half_of_the_pool_and_not_a_unit_more(world: World) -> None:
    node = open_node(world, own=HALF)
    first = co_stake(world, node, "first", HALF - 1)
    with refused("CoStakeTooHigh"):
        world.do(calls.stake(node, 2, first.owner))
    world.do(calls.stake(node, 1, first.owner))
    with refused("CoStakeTooHigh"):
        co_stake(world, node, "second", 1)
    world.do(calls.stake(node, 1))
    co_stake(world, node, "second", 1)


def test_alone_on_a_node_fails(world: World) -> None:
    node = world.node()
    world.do(staking.set_co_stake_terms(node, 1))
    with refused("CoStakeTooHigh"):
        co_stake(world, node, "co", IO_UNIT)


def test_a_node_that_does_not_share_fails(world: World) -> None:
    node = world.staked_node()
    with refused("NotOpenToCoStake"):
        co_stake(world, node, "co", IO_UNIT)


@pytest.mark.parametrize("shares", [(1_000 * STAKE) << 21, STAKE // 2])
def test_a_pool_whose_shares_say_too_little_fails(world: World, shares: int) -> None:
    """Slashed to less than a millionth, or with so few shares that rounding would eat a stake."""
    node = open_node(world)
    world.forge(Node, node.key, bonded=Pool(amount=STAKE, era=0, shares=shares), owner_bonded_shares=shares)
    with refused("NotOpenToCoStake"):
        co_stake(world, node, "co", IO_UNIT)


def test_zero_and_a_retired_node_fail(world: World) -> None:
    node = open_node(world)
    with refused("ZeroAmount"):
        co_stake(world, node, "co", 0)
    world.do(calls.retire_node(node))
    with refused("NodeRetired"):
        co_stake(world, node, "co", IO_UNIT)


def test_co_stake_beyond_its_part_does_not_count_and_the_owner_always_leaves(world: World) -> None:
    node = open_node(world, own=HALF + 10)
    co_stake(world, node, "co", HALF + 10)
    world.do(calls.request_unbond(node, 11))
    # One unit less than half of the requirement is the owner's, so of the co-stake no more counts either.
    cluster = world.cluster()
    with refused("StakeTooLow"):
        world.do(calls.add_lease(LeaseRef(node, cluster, 0), H100, HOUR))
    world.do(calls.stake(node, 1))
    lease = world.active(node, cluster, HOUR)
    world.do(calls.request_unbond(node, 1))
    with refused("StakeTooLow"):
        world.do(calls.extend_lease(lease, H100, HOUR))
    world.do(calls.request_unbond(node, STAKE))
    assert world.of_node(node).owner_bonded_shares == 0


def test_a_co_staker_gives_notice(world: World) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", IO_UNIT)
    moved = world.do(calls.request_unbond(held, IO_UNIT)).event(UnbondRequested)
    assert (moved.amount, moved.matures_at) == (IO_UNIT, world.now + 14 * DAY + 7 * DAY)
    found = world.of_node(node)
    assert (found.owner_bonded_shares, found.owner_unbonding_shares) == (1_000 * STAKE, 0)
    world.warp(21 * DAY - 1)
    with refused("NothingMatured"):
        world.do(calls.withdraw(held))
    world.warp(1)
    world.do(calls.withdraw(held))
    assert io_of(world, held.owner) == 100_000 * IO_UNIT
    assert not world.exists(held.position)


def test_on_a_frozen_node_only_the_owner_refills_outside_the_shares(world: World) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", IO_UNIT)
    case = governance.accused(world, node)
    with refused("NodeFrozen"):
        world.do(calls.stake(node, 1, held.owner))
    landed = world.do(calls.stake(node, 700))
    assert landed.events == (
        StakeRefilled(
            node=node.key,
            seq=world.of_node(node).seq,
            at=world.now,
            owner=node.owner.pubkey(),
            amount=700,
            refill_after=700,
        ),
    )
    assert world.of_node(node).bonded.amount == STAKE + IO_UNIT
    with refused("ZeroAmount"):
        world.do(calls.stake(node, 0))
    world.warp(30 * DAY)
    world.do(calls.request_unbond(held, IO_UNIT))
    world.warp(21 * DAY)
    with refused("NodeFrozen"):
        world.do(calls.withdraw(held))
    # The case takes a tenth of the stake and nothing of the refill.
    staking.slash(world, case, 1_000)
    found = world.of_node(node)
    assert found.bonded.amount + found.unbonding.amount == (STAKE + IO_UNIT) * 9 // 10
    assert (found.refill, found.flags & governance.FROZEN) == (700, 0)
    landed = world.do(calls.stake(node, 300))
    staked, refilled = landed.event(Staked), landed.event(StakeRefilled)
    assert (staked.amount, refilled.amount, refilled.refill_after) == (1_000, 0, 0)
    assert refilled.seq == staked.seq + 1
    assert world.of_node(node).refill == 0
    assert world.tokens(node.vault) == booked(world, node)


def test_a_refill_leaves_a_node_that_retired_meanwhile(world: World) -> None:
    node = open_node(world)
    case = governance.accused(world, node)
    world.do(calls.stake(node, 500), calls.retire_node(node))
    with refused("NodeRetired"):
        world.do(calls.stake(node, 1))
    world.do(governance.decide_case(case))
    with refused("NodeRetired"):
        world.do(calls.stake(node, 1))  # the refill comes out, nothing new goes in
    assert world.do(calls.stake(node, 0)).event(Staked).amount == 500
    world.do(staking.push_unbond(node))
    world.warp(14 * DAY)
    world.do(calls.withdraw(node))
    assert io_of(world, node.owner) == 100_000 * IO_UNIT
    assert booked(world, node) == world.tokens(node.vault) == 0


def test_a_refill_without_a_position(world: World) -> None:
    node = world.node()
    case = governance.accused(world, node)
    world.do(calls.stake(node, 5))
    position = world.get(StakePosition, node.position)
    assert (position.staker, position.shares) == (node.owner.pubkey(), 0)
    world.do(governance.decide_case(case))
    world.do(calls.stake(node, 0))
    assert world.get(StakePosition, node.position).shares == 5_000


def test_a_slash_costs_owner_and_co_stakers_alike(world: World) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", HALF)
    case = governance.accused(world, node)
    staking.slash(world, case, 1_000)
    world.do(calls.request_unbond(node, STAKE), calls.request_unbond(held, STAKE))
    world.warp(28 * DAY)
    world.do(calls.withdraw(node), calls.withdraw(held))
    assert io_of(world, node.owner) == 100_000 * IO_UNIT - STAKE // 10
    assert io_of(world, held.owner) == 100_000 * IO_UNIT - HALF // 10
    assert world.tokens(ata(node.owner, IO)) == io_of(world, node.owner)
    assert world.tokens(node.vault) == booked(world, node) == 0

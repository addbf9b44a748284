from __future__ import annotations

import pytest
from ionet.generated.accounts import Node, StakePosition
from ionet.generated.events import UnbondRequested
from ionet.generated.types import Pool
from program import calls, staking
from program.chain import refused
from program.staking import DAY, co_stake, fund, io_of, open_node
from program.world import IO_UNIT, World

OWN = 16_000 * IO_UNIT


def test_a_co_staker_of_a_retired_node_owes_no_notice(world: World) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", OWN)
    world.do(calls.retire_node(node))
    landed = world.do(staking.push_unbond(held))
    assert landed.events == (
        UnbondRequested(
            node=node.key,
            seq=7,
            at=world.now,
            position=held.position,
            staker=held.owner.pubkey(),
            ticket=0,
            amount=OWN,
            shares_burned=1_000 * OWN,
            ticket_shares=1_000 * OWN,
            ticket_era=0,
            matures_at=world.now + 14 * DAY,
            lease_over_by=0,
            bonded_after=0,
            unbonding_after=2 * OWN,
        ),
    )
    world.warp(14 * DAY)
    world.do(calls.withdraw(held))
    assert io_of(world, held.owner) == 100_000 * IO_UNIT


def test_his_own_request_matures_as_early(world: World) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", OWN)
    world.do(calls.retire_node(node))
    assert world.do(calls.request_unbond(held, 1)).event(UnbondRequested).matures_at == world.now + 14 * DAY


def test_rewards_are_settled_first(world: World) -> None:
    node = open_node(world, share_bps=10_000)
    held = co_stake(world, node, "co", OWN)
    fund(world, node, 2_000)
    world.do(calls.retire_node(node), staking.push_unbond(held))
    assert world.get(StakePosition, held.position).rewards in (999, 1_000)


def test_with_eight_open_tickets_the_last_one_is_merged(world: World) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", OWN)
    for _ in range(8):
        world.do(calls.request_unbond(held, IO_UNIT))
        world.warp(1)
    world.do(calls.retire_node(node))
    moved = world.do(staking.push_unbond(held)).event(UnbondRequested)
    assert (moved.ticket, moved.amount) == (7, OWN - 8 * IO_UNIT)
    world.warp(21 * DAY)
    world.do(calls.withdraw(held))
    assert not world.exists(held.position)
    assert io_of(world, held.owner) == 100_000 * IO_UNIT


def test_shares_that_are_worth_nothing_go_without_a_ticket(world: World) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", 1)
    world.do(calls.retire_node(node))
    # What a slash of all but crumbs leaves of it.
    world.forge(Node, node.key, bonded=Pool(amount=0, era=0, shares=1_000))
    moved = world.do(staking.push_unbond(held)).event(UnbondRequested)
    assert (moved.amount, moved.shares_burned, moved.ticket_shares, moved.matures_at) == (0, 1_000, 0, 0)
    world.do(calls.withdraw(held))
    assert not world.exists(held.position)


def test_stake_too_small_for_a_ticket_cannot_block_the_node(world: World) -> None:
    """The unbonding pool's crumbs can make a share dearer than a unit; the unit then stays in the pool."""
    node = open_node(world)
    held = co_stake(world, node, "co", 1)
    world.do(calls.retire_node(node))
    before = world.of_node(node).unbonding
    world.forge(Node, node.key, unbonding=Pool(amount=2_000_000, era=1, shares=0), owner_unbonding_shares=0)
    moved = world.do(staking.push_unbond(held)).event(UnbondRequested)
    assert (moved.amount, moved.ticket_shares, moved.unbonding_after) == (1, 0, 2_000_001)
    assert before.amount == OWN


def test_a_node_that_is_not_retired_fails(world: World) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", OWN)
    for position in (held, node):
        with refused("NodeNotRetired"):
            world.do(staking.push_unbond(position))


@pytest.mark.parametrize("who", ["owner", "co-staker"])
def test_nothing_bonded_fails(world: World, who: str) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", OWN)
    world.do(calls.retire_node(node), staking.push_unbond(held))
    with refused("NothingBonded"):
        world.do(staking.push_unbond(node if who == "owner" else held))


def test_a_position_of_another_node_fails(world: World) -> None:
    node, other = open_node(world), open_node(world, "b")
    world.do(calls.retire_node(node))
    with refused("WrongPosition"):
        world.do(staking.push_unbond(node).swapped(position=other.position))

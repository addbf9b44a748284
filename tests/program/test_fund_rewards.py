from __future__ import annotations

import pytest
from ionet.generated.accounts import Node
from ionet.generated.events import RewardsAdded
from ionet.generated.types import Pool
from program import calls, governance, staking
from program.calls import IO, USD, ata
from program.chain import refused
from program.staking import DAY, booked, co_stake, fund, io_of, open_node
from program.world import IO_UNIT, World

OWN = 16_000 * IO_UNIT
SCALE = 1 << 64


def test_all_fields_ok(world: World) -> None:
    node = open_node(world, share_bps=7_500)
    co_stake(world, node, "co", OWN // 4)
    before = io_of(world, world.treasury)
    landed = world.do(staking.fund_rewards(node, world.treasury, 1_000_001))
    to_co = 1_000_001 // 5 * 7_500 // 10_000  # a fifth of the stake
    per_share = to_co * SCALE // (1_000 * OWN // 4)
    assert landed.events == (
        RewardsAdded(
            node=node.key,
            seq=5,
            at=world.now,
            by=world.treasury.pubkey(),
            amount=1_000_001,
            to_owner=1_000_001 - to_co,
            to_co_stakers=to_co,
            owner_rewards_after=1_000_001 - to_co,
            co_rewards_after=to_co,
            reward_per_share=per_share,
        ),
    )
    assert before - io_of(world, world.treasury) == 1_000_001
    found = world.of_node(node)
    assert (found.owner_rewards, found.co_rewards, found.co_settled) == (1_000_001 - to_co, to_co, 0)
    assert world.tokens(node.vault) == booked(world, node)
    again = world.do(staking.fund_rewards(node, world.treasury, 1_000_001)).event(RewardsAdded)
    assert (again.co_rewards_after, again.reward_per_share) == (2 * to_co, 2 * per_share)


def test_an_owner_alone_gets_all_of_it(world: World) -> None:
    node = open_node(world)
    added = world.do(staking.fund_rewards(node, world.treasury, 77)).event(RewardsAdded)
    assert (added.to_owner, added.to_co_stakers, added.reward_per_share) == (77, 0, 0)


def test_it_raises_no_share_and_cannot_be_slashed(world: World) -> None:
    node = open_node(world)
    fund(world, node, 10_000)
    staking.slash(world, governance.accused(world, node), 1_000)
    found = world.of_node(node)
    assert (found.bonded.amount, found.owner_rewards) == (OWN * 9 // 10, 10_000)


def test_a_retired_node_whose_stake_is_not_all_unbonded(world: World) -> None:
    node = open_node(world)
    co_stake(world, node, "co", IO_UNIT)
    world.do(calls.retire_node(node))
    added = world.do(staking.fund_rewards(node, world.treasury, 100)).event(RewardsAdded)
    assert (added.to_owner, added.to_co_stakers) == (20, 80)


def test_nobody_to_reward_fails(world: World) -> None:
    node = world.node()
    with refused("NobodyToReward"):
        fund(world, node, 1)
    world.do(calls.stake(node, 5), calls.request_unbond(node, 5))
    world.warp(14 * DAY)
    with refused("NobodyToReward"):
        fund(world, node, 1)


def test_zero_fails(world: World) -> None:
    with refused("ZeroAmount"):
        fund(world, open_node(world), 0)


def test_from_tokens_of_another_mint_or_owner_fails(world: World) -> None:
    node = open_node(world)
    call = staking.fund_rewards(node, world.treasury, 1)
    with refused("WrongTokenMint"):
        world.do(call.swapped(**{"from": ata(node.owner, USD)}))
    with refused("WrongTokenOwner"):
        world.do(call.swapped(**{"from": ata(node.owner, IO)}))


def test_more_than_the_wallet_holds_fails(world: World) -> None:
    with refused("Custom 1"):  # the token program: insufficient funds
        fund(world, open_node(world), io_of(world, world.treasury) + 1)


@pytest.mark.parametrize("field", ["owner_rewards", "reward_per_share"])
def test_more_than_the_books_can_count_fails(world: World, field: str) -> None:
    node = open_node(world)
    co_stake(world, node, "co", OWN)
    most = {"owner_rewards": 2**64 - 1, "reward_per_share": 2**128 - 1}
    world.forge(Node, node.key, **{field: most[field]})
    with refused("Overflow"):
        fund(world, node, IO_UNIT)


def test_a_pool_without_shares_has_nobody_even_where_a_crumb_is_left(world: World) -> None:
    node = world.staked_node()
    world.forge(Node, node.key, bonded=Pool(amount=3, era=1, shares=0), owner_bonded_shares=0)
    with refused("NobodyToReward"):
        fund(world, node, 1)

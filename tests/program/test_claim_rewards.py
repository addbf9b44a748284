from __future__ import annotations

from ionet.generated import pdas
from ionet.generated.accounts import Node, StakePosition
from ionet.generated.events import RewardsClaimed
from ionet.generated.types import Pool
from program import calls, governance, staking
from program.calls import ID, IO, NOBODY, USD, ata
from program.chain import refused
from program.staking import DAY, booked, co_stake, fund, io_of, open_node
from program.world import IO_UNIT, World

OWN = 16_000 * IO_UNIT


def test_a_co_staker_by_a_stranger(world: World) -> None:
    node = open_node(world, share_bps=5_000)
    held = co_stake(world, node, "co", OWN)
    fund(world, node, 1_000_000)
    before = io_of(world, held.owner)
    landed = world.do(staking.claim_rewards(held))
    to_co = 250_000  # half of half; the accumulator's rounding costs less than a unit
    (claimed,) = landed.events
    assert claimed == RewardsClaimed(
        node=node.key,
        seq=6,
        at=world.now,
        position=held.position,
        staker=held.owner.pubkey(),
        amount=claimed.amount,
        owed=False,
        owner_rewards_after=750_000,
        co_rewards_after=to_co - claimed.amount,
    )
    assert to_co - 1 <= claimed.amount <= to_co
    assert io_of(world, held.owner) - before == claimed.amount
    assert world.tokens(node.vault) == booked(world, node)
    with refused("NothingToClaim"):
        world.do(staking.claim_rewards(held))


def test_the_owner_with_and_without_his_position(world: World) -> None:
    node = open_node(world)
    for position in (True, False):
        fund(world, node, 10)
        before = io_of(world, node.owner)
        claimed = world.do(staking.claim_rewards(node, position)).event(RewardsClaimed)
        assert (claimed.amount, claimed.owner_rewards_after) == (10, 0)
        assert claimed.position == (node.position if position else NOBODY)
        assert io_of(world, node.owner) - before == 10


def test_an_owner_whose_position_is_closed_still_gets_his_part(world: World) -> None:
    node = open_node(world)
    co_stake(world, node, "co", OWN)
    world.do(calls.request_unbond(node, OWN))
    world.warp(28 * DAY)
    world.do(calls.withdraw(node))
    assert not world.exists(node.position)
    fund(world, node, 100)
    assert world.do(staking.claim_rewards(node, position=False)).event(RewardsClaimed).amount == 20


def test_who_comes_later_gets_nothing_of_what_was_before(world: World) -> None:
    node = open_node(world, share_bps=10_000)
    first = co_stake(world, node, "first", OWN // 2)
    fund(world, node, 3_000_000)
    second = co_stake(world, node, "second", OWN // 2)
    with refused("NothingToClaim"):
        world.do(staking.claim_rewards(second))
    fund(world, node, 4_000_000)
    amounts = [world.do(staking.claim_rewards(held)).event(RewardsClaimed).amount for held in (first, second)]
    assert [round(amount, -1) for amount in amounts] == [2_000_000, 1_000_000]


def test_who_left_keeps_what_was_settled(world: World) -> None:
    node = open_node(world, share_bps=10_000)
    held = co_stake(world, node, "co", OWN)
    fund(world, node, 2_000)
    world.do(calls.request_unbond(held, OWN))
    fund(world, node, 9_000)
    settled = world.get(StakePosition, held.position).rewards
    assert settled in (999, 1_000)
    assert world.of_node(node).co_settled == settled
    world.warp(21 * DAY)
    world.do(calls.withdraw(held))
    assert world.exists(held.position)  # rewards are left in it
    with refused("NothingMatured"):
        world.do(calls.withdraw(held))
    assert world.do(staking.claim_rewards(held)).event(RewardsClaimed).amount == settled
    world.do(calls.withdraw(held))
    assert not world.exists(held.position)
    assert io_of(world, held.owner) == 100_000 * IO_UNIT + settled


def test_staking_more_does_not_touch_what_was_earned(world: World) -> None:
    node = open_node(world, share_bps=10_000)
    held = co_stake(world, node, "co", OWN // 2)
    fund(world, node, 3_000)
    world.do(calls.stake(node, OWN // 2, held.owner))
    fund(world, node, 2_000)
    assert world.do(staking.claim_rewards(held)).event(RewardsClaimed).amount in (1_998, 1_999, 2_000)


def test_a_frozen_and_a_retired_node(world: World) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", OWN)
    fund(world, node, 1_000)
    governance.accused(world, node)
    world.do(calls.retire_node(node))
    world.do(staking.claim_rewards(held), staking.claim_rewards(node))
    assert world.of_node(node).owner_rewards == 0


def test_shares_of_a_wiped_pool_have_no_claim_to_what_they_had_not_settled(world: World) -> None:
    node = open_node(world, share_bps=10_000)
    held = co_stake(world, node, "co", OWN)
    fund(world, node, 2_000)
    world.forge(Node, node.key, bonded=Pool(amount=0, era=1, shares=0), owner_bonded_shares=0)
    with refused("NothingToClaim"):
        world.do(staking.claim_rewards(held))
    world.do(calls.withdraw(held))  # the position is worth its rent
    found = world.of_node(node)
    assert (found.co_rewards, found.co_settled) == (1_000, 0)


def test_to_the_owed_account_of_who_cannot_receive(world: World) -> None:
    node = open_node(world, share_bps=10_000)
    held = co_stake(world, node, "co", OWN)
    fund(world, node, 2_000)
    world.give_account(held.owner, ata(held.owner, IO), world.stranger.pubkey())
    with refused("RecipientCannotReceive"):
        world.do(staking.claim_rewards(held))
    world.do(staking.open_owed(world.stranger, held.owner.pubkey(), IO))
    landed = world.do(staking.with_owed(staking.claim_rewards(held), held.owner.pubkey(), IO))
    claimed = landed.event(RewardsClaimed)
    assert claimed.owed
    assert world.tokens(pdas.owed(ID, IO, held.owner.pubkey())) == claimed.amount


def test_to_another_account_or_staker_fails(world: World) -> None:
    node = open_node(world)
    held = co_stake(world, node, "co", OWN)
    fund(world, node, 1_000)
    call = staking.claim_rewards(held)
    for wrong in (ata(world.treasury, IO), ata(held.owner, USD)):
        with refused("NotAssociatedAccount"):
            world.do(call.swapped(to=wrong))
    with refused("WrongPosition"):
        world.do(call.swapped(staker=node.owner.pubkey(), to=ata(node.owner, IO)))
    with refused("WrongPosition"):  # without a position only the owner is meant
        world.do(staking.claim_rewards(held, position=False))

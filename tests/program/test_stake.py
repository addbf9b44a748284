from __future__ import annotations

import pytest
from ionet.generated.accounts import Node, StakePosition
from ionet.generated.events import Staked
from ionet.generated.types import Pool
from program import calls
from program.calls import IO, USD, ata
from program.chain import refused
from program.refs import LeaseRef
from program.world import H100, HOUR, IO_UNIT, T4, World, required_stake


def test_first_and_second_deposit(world: World) -> None:
    node = world.node()
    lamports = world.lamports(node.owner.pubkey())
    amounts = [7, 1_000 * IO_UNIT]
    shares = [7_000, 1_000_000 * IO_UNIT]
    total = 0
    for count, (amount, made) in enumerate(zip(amounts, shares, strict=True)):
        landed = world.do(calls.stake(node, amount))
        assert landed.events == (
            Staked(
                node=node.key,
                seq=2 + count,
                at=world.now,
                position=node.position,
                staker=node.owner.pubkey(),
                amount=amount,
                shares=made,
                bonded_before=total,
                bonded_after=total + amount,
                bonded_shares_after=1_000 * (total + amount),
                era=0,
            ),
        )
        total += amount
    found = world.of_node(node)
    assert found.bonded == Pool(amount=total, era=0, shares=sum(shares))
    assert found.owner_bonded_shares == sum(shares)
    position = world.get(StakePosition, node.position)
    assert (position.node, position.staker, position.shares) == (node.key, node.owner.pubkey(), sum(shares))
    assert world.tokens(node.vault) == total
    assert world.tokens(ata(node.owner, IO)) == 100_000 * IO_UNIT - total
    assert lamports - world.lamports(node.owner.pubkey()) == world.lamports(node.position)


@pytest.mark.parametrize(("model", "processors", "io"), [(H100, 8, 16_000), (T4, 4, 800), (T4, 1, 200)])
def test_the_required_stake_makes_it_hireable_and_one_unit_less_does_not(
    world: World, model: int, processors: int, io: int
) -> None:
    assert required_stake(model, processors) == io * IO_UNIT
    node, cluster = world.node(model=model, processors=processors), world.cluster()
    world.do(calls.stake(node, io * IO_UNIT - 1))
    with refused("StakeTooLow"):
        world.do(calls.add_lease(LeaseRef(node, cluster, 0), model, HOUR))
    world.do(calls.stake(node, 1))
    world.do(calls.add_lease(LeaseRef(node, cluster, 0), model, HOUR))


def test_a_donation_to_the_vault_changes_no_share(world: World) -> None:
    node = world.node()
    world.do(calls.stake(node, 1))
    world.move(world.treasury, node.vault, IO, 10**9)
    landed = world.do(calls.stake(node, 1))
    assert landed.event(Staked).shares == 1_000
    assert world.of_node(node).bonded.amount == 2


def test_an_address_that_holds_lamports_is_no_obstacle(world: World) -> None:
    node = world.node()
    world.fund(node.position, 1_000_000)
    world.do(calls.stake(node, 1))


def test_after_everything_was_slashed_a_new_era_begins(world: World) -> None:
    node = world.node()
    world.do(calls.stake(node, 100))
    wiped = Pool(amount=0, era=1, shares=0)
    world.forge(Node, node.key, bonded=wiped, owner_bonded_shares=0)
    landed = world.do(calls.stake(node, 5))
    assert (landed.event(Staked).era, landed.event(Staked).shares) == (1, 5_000)
    position = world.get(StakePosition, node.position)
    assert (position.era, position.shares) == (1, 5_000)


def test_zero_fails(world: World) -> None:
    with refused("ZeroAmount"):
        world.do(calls.stake(world.node(), 0))


def test_more_than_the_wallet_holds_fails(world: World) -> None:
    with refused("Custom 1"):  # the token program: insufficient funds
        world.do(calls.stake(world.node(), 100_000 * IO_UNIT + 1))


def test_from_tokens_of_another_mint_or_owner_fails(world: World) -> None:
    node = world.node()
    with refused("WrongTokenMint"):
        world.do(calls.stake(node, 1).swapped(**{"from": ata(node.owner, USD)}))
    with refused("WrongTokenOwner"):
        world.do(calls.stake(node, 1).swapped(**{"from": ata(world.treasury, IO)}))


def test_more_than_a_pool_can_count_fails(world: World) -> None:
    node = world.node()
    world.do(calls.stake(node, 1))
    world.forge(Node, node.key, bonded=Pool(amount=2**64 - 1, era=0, shares=2**64 * 1_000))
    with refused("Overflow"):
        world.do(calls.stake(node, 1))


def test_a_deposit_worth_no_share_fails(world: World) -> None:
    node = world.node()
    world.do(calls.stake(node, 1))
    world.forge(Node, node.key, bonded=Pool(amount=10**12, era=0, shares=1))
    with refused("DepositTooSmall"):
        world.do(calls.stake(node, 1))


def test_a_retired_node_fails(world: World) -> None:
    node = world.node()
    world.do(calls.retire_node(node, staked=False))
    with refused("NodeRetired"):
        world.do(calls.stake(node, IO_UNIT))

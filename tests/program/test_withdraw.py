from __future__ import annotations

import pytest
from ionet.generated.accounts import Node, StakePosition
from ionet.generated.events import StakeWithdrawn
from ionet.generated.types import Pool
from program import calls
from program.calls import IO, USD, ata
from program.chain import refused
from program.refs import NodeRef
from program.world import H100, IO_UNIT, World, required_stake

DAY = 86_400
STAKE = required_stake(H100, 8)
BEFORE = 100_000 * IO_UNIT


@pytest.fixture
def node(world: World) -> NodeRef:
    """A node with one ticket over all of its stake."""
    node = world.staked_node()
    world.do(calls.request_unbond(node, STAKE))
    return node


def test_everything_by_a_stranger_closes_the_position(world: World, node: NodeRef) -> None:
    world.warp(14 * DAY)
    lamports, rent = world.lamports(node.owner.pubkey()), world.lamports(node.position)
    landed = world.do(calls.withdraw(node))
    assert landed.events == (
        StakeWithdrawn(
            node=node.key,
            seq=4,
            at=world.now,
            position=node.position,
            staker=node.owner.pubkey(),
            amount=STAKE,
            tickets=1,
            unbonding_before=STAKE,
            unbonding_after=0,
            position_closed=True,
            owed=False,
        ),
    )
    assert world.tokens(ata(node.owner, IO)) == BEFORE
    assert world.tokens(node.vault) == 0
    assert not world.exists(node.position)
    assert world.lamports(node.owner.pubkey()) - lamports == rent
    found = world.of_node(node)
    assert (found.unbonding.shares, found.owner_unbonding_shares) == (0, 0)


@pytest.mark.parametrize(("late", "paid"), [(-1, False), (0, True), (1, True)])
def test_the_cooldown_to_the_second(world: World, node: NodeRef, late: int, paid: bool) -> None:
    world.warp(14 * DAY + late)
    if paid:
        world.do(calls.withdraw(node))
    else:
        with refused("NothingMatured"):
            world.do(calls.withdraw(node))


def test_only_the_tickets_that_matured(world: World) -> None:
    node = world.staked_node()
    for amount in (10, 20, 40):
        world.do(calls.request_unbond(node, amount))
        world.warp(DAY)
    world.warp(12 * DAY)  # the first two tickets are 15 and 14 days old
    landed = world.do(calls.withdraw(node))
    paid = landed.event(StakeWithdrawn)
    assert (paid.amount, paid.tickets, paid.unbonding_after, paid.position_closed) == (30, 0b011, 40, False)
    position = world.get(StakePosition, node.position)
    assert [ticket.shares for ticket in position.tickets[:4]] == [0, 0, 40_000, 0]
    world.warp(DAY)
    assert world.do(calls.withdraw(node)).event(StakeWithdrawn).tickets == 0b100


def test_a_position_can_be_opened_again(world: World, node: NodeRef) -> None:
    world.warp(14 * DAY)
    world.do(calls.withdraw(node))
    world.do(calls.stake(node, 5))
    assert world.get(StakePosition, node.position).shares == 5_000


def test_a_ticket_of_a_pool_that_was_wiped_is_worth_nothing_and_is_cleared(world: World, node: NodeRef) -> None:
    world.forge(Node, node.key, unbonding=Pool(amount=0, era=1, shares=0), owner_unbonding_shares=0)
    world.warp(14 * DAY)
    landed = world.do(calls.withdraw(node))
    assert (landed.event(StakeWithdrawn).amount, landed.event(StakeWithdrawn).position_closed) == (0, True)
    assert world.tokens(ata(node.owner, IO)) == BEFORE - STAKE


def test_a_position_whose_pool_was_wiped_is_closed_for_its_rent(world: World) -> None:
    node = world.staked_node()
    world.forge(Node, node.key, bonded=Pool(amount=0, era=1, shares=0), owner_bonded_shares=0)
    paid = world.do(calls.withdraw(node)).event(StakeWithdrawn)
    assert (paid.amount, paid.tickets, paid.position_closed) == (0, 0, True)
    assert not world.exists(node.position)


def test_without_a_ticket_fails(world: World) -> None:
    with refused("NothingMatured"):
        world.do(calls.withdraw(world.staked_node()))


def test_to_anything_but_the_associated_account_fails(world: World, node: NodeRef) -> None:
    world.warp(14 * DAY)
    call = calls.withdraw(node)
    second = world.token_account("second", node.owner.pubkey(), IO)
    for wrong in (ata(world.treasury, IO), ata(node.owner, USD), second):
        with refused("NotAssociatedAccount"):
            world.do(call.swapped(to=wrong))


def test_to_another_staker_fails(world: World, node: NodeRef) -> None:
    world.warp(14 * DAY)
    with refused("WrongPosition"):
        world.do(calls.withdraw(node).swapped(staker=world.stranger.pubkey(), to=ata(world.treasury, IO)))

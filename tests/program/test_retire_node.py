from __future__ import annotations

from ionet.generated.accounts import StakePosition
from ionet.generated.events import NodeFlagsChanged, UnbondRequested
from program import calls, staking
from program.calls import IO, ata
from program.chain import refused
from program.refs import LeaseRef
from program.world import H100, HOUR, IO_UNIT, World, required_stake

DAY = 86_400
STAKE = required_stake(H100, 8)


def test_retiring_unbonds_the_owners_stake(world: World) -> None:
    node = world.staked_node()
    landed = world.do(calls.retire_node(node))
    assert landed.events == (
        NodeFlagsChanged(node=node.key, seq=3, at=world.now, before=0, after=2),
        UnbondRequested(
            node=node.key,
            seq=4,
            at=world.now,
            position=node.position,
            staker=node.owner.pubkey(),
            ticket=0,
            amount=STAKE,
            shares_burned=1_000 * STAKE,
            ticket_shares=1_000 * STAKE,
            ticket_era=0,
            matures_at=world.now + 14 * DAY,
            lease_over_by=0,
            bonded_after=0,
            unbonding_after=STAKE,
        ),
    )
    with refused("NodeRetired"):
        world.do(calls.add_lease(LeaseRef(node, world.cluster(), 0), H100, HOUR))
    world.warp(14 * DAY)
    world.do(calls.withdraw(node))
    assert world.tokens(ata(node.owner, IO)) == 100_000 * IO_UNIT
    assert world.exists(node.key)


def test_with_co_stakers_the_plain_cooldown_holds_for_all(world: World) -> None:
    """No lease can begin any more, so nobody has to be out before anybody."""
    node = staking.open_node(world)
    held = staking.co_stake(world, node, "co", IO_UNIT)
    assert world.do(calls.retire_node(node)).event(UnbondRequested).matures_at == world.now + 14 * DAY
    pushed = world.do(staking.push_unbond(held)).event(UnbondRequested)
    assert (pushed.matures_at, pushed.lease_over_by) == (world.now + 14 * DAY, 0)


def test_a_node_without_stake_retires(world: World) -> None:
    node = world.node()
    landed = world.do(calls.retire_node(node, staked=False))
    assert landed.events == (NodeFlagsChanged(node=node.key, seq=2, at=world.now, before=0, after=2),)


def test_with_eight_open_tickets_the_last_one_is_merged(world: World) -> None:
    node = world.staked_node()
    for _ in range(8):
        world.do(calls.request_unbond(node, IO_UNIT))
        world.warp(DAY)
    landed = world.do(calls.retire_node(node))
    moved = landed.event(UnbondRequested)
    assert (moved.ticket, moved.amount, moved.unbonding_after) == (7, STAKE - 8 * IO_UNIT, STAKE)
    assert moved.matures_at == world.now + 14 * DAY
    ticket = world.get(StakePosition, node.position).tickets[7]
    assert (ticket.shares, ticket.matures_at) == (moved.ticket_shares, moved.matures_at)
    world.warp(14 * DAY)
    world.do(calls.withdraw(node))
    assert world.tokens(ata(node.owner, IO)) == 100_000 * IO_UNIT


def test_a_running_lease_is_finished(world: World) -> None:
    lease = world.running()
    world.do(calls.retire_node(lease.node))
    ticket = world.get(StakePosition, lease.node.position).tickets[0]
    assert (ticket.matures_at, ticket.lease_number) == (world.now + 14 * DAY, 1)
    assert ticket.lease_over_by == world.now + 300 + 1_200 + 2 * HOUR + 600 + 3_600
    world.serve(lease, 12)
    world.final(lease)
    world.do(calls.settle_lease(lease), calls.close_lease(lease))
    assert world.of_node(lease.node).served_secs == 2 * HOUR


def test_twice_fails(world: World) -> None:
    node = world.staked_node()
    world.do(calls.retire_node(node))
    with refused("NodeRetired"):
        world.do(calls.retire_node(node))


def test_hiding_the_position_fails(world: World) -> None:
    with refused("WrongPosition"):
        world.do(calls.retire_node(world.staked_node(), staked=False))


def test_by_another_than_the_owner_fails(world: World) -> None:
    node = world.staked_node()
    for stranger in (world.stranger, node.device):
        with refused("NotNodeOwner"):
            world.do(calls.retire_node(node).signed_by("owner", stranger))

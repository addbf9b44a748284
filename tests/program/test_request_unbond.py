from __future__ import annotations

import pytest
from ionet.generated.accounts import Node, StakePosition
from ionet.generated.events import UnbondRequested
from ionet.generated.types import Pool, Ticket
from program import calls, staking
from program.calls import LOCAL
from program.chain import refused
from program.refs import LeaseRef, NodeRef
from program.world import H100, HOUR, IO_UNIT, World, required_stake

DAY = 86_400
STAKE = required_stake(H100, 8)


def test_a_part_of_the_stake_starts_its_cooldown(world: World) -> None:
    node = world.staked_node()
    world.warp(9)
    landed = world.do(calls.request_unbond(node, 300))
    assert landed.events == (
        UnbondRequested(
            node=node.key,
            seq=3,
            at=world.now,
            position=node.position,
            staker=node.owner.pubkey(),
            ticket=0,
            amount=300,
            shares_burned=300_000,
            ticket_shares=300_000,
            ticket_era=0,
            matures_at=world.now + 14 * DAY,
            lease_over_by=0,
            bonded_after=STAKE - 300,
            unbonding_after=300,
        ),
    )
    found = world.of_node(node)
    assert found.bonded == Pool(amount=STAKE - 300, era=0, shares=1_000 * (STAKE - 300))
    assert found.unbonding == Pool(amount=300, era=0, shares=300_000)
    assert (found.owner_bonded_shares, found.owner_unbonding_shares) == (1_000 * (STAKE - 300), 300_000)
    position = world.get(StakePosition, node.position)
    assert position.shares == 1_000 * (STAKE - 300)
    assert position.tickets[0] == Ticket(
        matures_at=world.now + 14 * DAY, lease_number=0, lease_over_by=0, shares=300_000, era=0
    )
    assert world.tokens(node.vault) == STAKE


@pytest.mark.parametrize("amount", [STAKE, STAKE + 1, 2**64 - 1])
def test_all_of_it(world: World, amount: int) -> None:
    node = world.staked_node()
    landed = world.do(calls.request_unbond(node, amount))
    moved = landed.event(UnbondRequested)
    assert (moved.amount, moved.bonded_after, moved.unbonding_after) == (STAKE, 0, STAKE)
    assert world.of_node(node).bonded.shares == 0


def test_it_stops_counting_for_new_leases_at_once(world: World) -> None:
    node, cluster = world.staked_node(), world.cluster()
    world.do(calls.request_unbond(node, 1))
    with refused("StakeTooLow"):
        world.do(calls.add_lease(LeaseRef(node, cluster, 0), H100, HOUR))


def test_a_running_lease_is_not_extended_without_the_stake(world: World) -> None:
    lease = world.running()
    world.do(calls.request_unbond(lease.node, 1))
    with refused("StakeTooLow"):
        world.do(calls.extend_lease(lease, H100, HOUR))
    world.do(calls.stake(lease.node, 1))
    world.do(calls.extend_lease(lease, H100, HOUR))


def withdrawn_from(world: World, node: NodeRef, at: int) -> None:
    """Nothing leaves a second before `at`, and it does then."""
    world.warp_to(at - 1)
    with refused("NothingMatured"):
        world.do(calls.withdraw(node))
    world.warp(1)
    world.do(calls.withdraw(node))


def test_the_owners_also_waits_for_the_lease_that_runs(world: World) -> None:
    lease = world.running(duration=20 * DAY)
    booked_at = world.of(lease).booked_at
    moved = world.do(calls.request_unbond(lease.node, 1)).event(UnbondRequested)
    # Both deadlines before the start, the lease itself, grace and dispute window.
    over_by = booked_at + 300 + 1_200 + 20 * DAY + 600 + 3_600
    assert (moved.matures_at, moved.lease_over_by) == (world.now + 14 * DAY, over_by)
    ticket = world.get(StakePosition, lease.node.position).tickets[0]
    assert (ticket.lease_number, ticket.lease_over_by) == (1, over_by)
    withdrawn_from(world, lease.node, over_by)


def test_no_longer_than_until_the_lease_is_really_over(world: World) -> None:
    """Of thirty days a day is over when the renter ends it: the cooldown is all that is left."""
    lease = world.running(duration=30 * DAY)
    asked = world.now
    world.do(calls.request_unbond(lease.node, 1))
    world.warp(DAY)
    world.do(calls.end_lease(lease))
    withdrawn_from(world, lease.node, asked + 14 * DAY)


@pytest.mark.parametrize("day", [13, 20])
def test_a_lease_that_ends_after_the_cooldown_is_waited_for(world: World, day: int) -> None:
    lease = world.running(duration=30 * DAY)
    asked = world.now
    world.do(calls.request_unbond(lease.node, 1))
    world.warp(day * DAY)
    world.do(calls.end_lease(lease))
    withdrawn_from(world, lease.node, max(asked + 14 * DAY, world.now + 600 + 3_600))


def test_an_extension_before_the_request_counts(world: World) -> None:
    lease = world.running(duration=20 * DAY)
    world.do(calls.extend_lease(lease, H100, 5 * DAY))
    moved = world.do(calls.request_unbond(lease.node, 1)).event(UnbondRequested)
    assert moved.lease_over_by == world.of(lease).ends_at + 600 + 3_600


def test_an_extension_after_the_request_moves_nothing(world: World) -> None:
    lease = world.running(duration=15 * DAY)
    world.do(calls.stake(lease.node, 1))
    over_by = world.do(calls.request_unbond(lease.node, 1)).event(UnbondRequested).lease_over_by
    world.do(calls.extend_lease(lease, H100, 15 * DAY))
    withdrawn_from(world, lease.node, over_by)


def test_a_lease_booked_after_the_request_keeps_nobody(world: World) -> None:
    node, cluster = world.staked_node(), world.cluster()
    world.do(calls.stake(node, 1))
    asked = world.now
    assert world.do(calls.request_unbond(node, 1)).event(UnbondRequested).lease_over_by == 0
    world.active(node, cluster, 30 * DAY)
    withdrawn_from(world, node, asked + 14 * DAY)


def test_a_lease_that_follows_does_not_hide_the_one_that_ran(world: World) -> None:
    """It waits for the first of two leases, which its renter ended a minute before the second was booked."""
    lease = world.running(duration=30 * DAY)
    world.do(calls.stake(lease.node, 1))
    world.do(calls.request_unbond(lease.node, 1))
    world.warp(14 * DAY - 100)
    world.do(calls.end_lease(lease))
    over_at = world.now + 600 + 3_600
    world.warp(60)
    world.active(lease.node, lease.cluster, 15 * DAY)
    withdrawn_from(world, lease.node, over_at)


def test_a_co_stakers_waits_for_cooldown_and_notice_and_for_no_lease(world: World) -> None:
    """The owner, who is the renter too, books their own node for as long as they like and extends it."""
    node = staking.open_node(world, own=2 * STAKE)
    held = staking.co_stake(world, node, "co", IO_UNIT)
    lease = world.active(node, world.cluster(), 15 * DAY)
    asked = world.now
    moved = world.do(calls.request_unbond(held, IO_UNIT)).event(UnbondRequested)
    assert (moved.matures_at, moved.lease_over_by) == (asked + 21 * DAY, 0)
    world.do(calls.extend_lease(lease, H100, 15 * DAY))
    withdrawn_from(world, held, asked + 21 * DAY)


def test_an_owner_with_co_stakers_leaves_a_week_after_them(world: World) -> None:
    node = staking.open_node(world)
    held = staking.co_stake(world, node, "co", IO_UNIT)
    asked = world.now
    assert world.do(calls.request_unbond(held, IO_UNIT)).event(UnbondRequested).matures_at == asked + 21 * DAY
    # Their stake still counts as theirs while it is on its way out.
    assert world.do(calls.request_unbond(node, STAKE)).event(UnbondRequested).matures_at == asked + 28 * DAY
    withdrawn_from(world, held, asked + 21 * DAY)
    assert world.do(calls.stake(node, 1)).events
    assert world.do(calls.request_unbond(node, 1)).event(UnbondRequested).matures_at == world.now + 14 * DAY
    withdrawn_from(world, node, asked + 28 * DAY)


@pytest.mark.parametrize("how", ["expired", "ended", "quit"])
def test_after_the_end_it_waits_for_the_last_dispute_window(how: str) -> None:
    # In the local profile the cooldown is shorter than grace and dispute window together.
    world = World.started(LOCAL)
    node = world.staked_node(min_duration=1)
    lease = world.active(node, world.cluster(), duration=30)
    world.warp(30 if how == "expired" else 29)
    end = {"expired": calls.settle_lease(lease), "ended": calls.end_lease(lease), "quit": calls.quit_lease(lease)}
    world.do(end[how])
    ended = world.now
    moved = world.do(calls.request_unbond(node, 1)).event(UnbondRequested)
    assert (moved.matures_at, moved.lease_over_by) == (ended + 5, ended + 3 + 6)
    withdrawn_from(world, node, ended + 3 + 6)


def test_eight_tickets_and_no_ninth(world: World) -> None:
    node = world.staked_node()
    for ticket in range(8):
        assert world.do(calls.request_unbond(node, IO_UNIT)).event(UnbondRequested).ticket == ticket
    with refused("TooManyTickets"):
        world.do(calls.request_unbond(node, IO_UNIT))
    world.warp(14 * DAY)
    world.do(calls.withdraw(node))
    assert world.do(calls.request_unbond(node, IO_UNIT)).event(UnbondRequested).ticket == 0


def test_after_a_slash_a_share_is_worth_less_and_no_unit_is_made(world: World) -> None:
    node = world.staked_node()
    world.forge(Node, node.key, bonded=Pool(amount=STAKE - STAKE // 3, era=0, shares=1_000 * STAKE))
    landed = world.do(calls.request_unbond(node, 1_000))
    moved = landed.event(UnbondRequested)
    # Shares are rounded up against the leaver: 1,000 · (shares + 1,000) / (amount + 1).
    assert moved.shares_burned == -(-1_000 * (1_000 * STAKE + 1_000) // (STAKE - STAKE // 3 + 1))
    assert moved.amount == 1_000
    assert moved.bonded_after + moved.unbonding_after == STAKE - STAKE // 3


def test_zero_fails(world: World) -> None:
    with refused("ZeroAmount"):
        world.do(calls.request_unbond(world.staked_node(), 0))


def test_nothing_bonded_fails(world: World) -> None:
    node = world.staked_node()
    world.do(calls.request_unbond(node, STAKE))
    with refused("NothingBonded"):
        world.do(calls.request_unbond(node, 1))


def test_shares_of_a_pool_that_was_wiped_are_void_fails(world: World) -> None:
    node = world.staked_node()
    world.forge(Node, node.key, bonded=Pool(amount=0, era=1, shares=0), owner_bonded_shares=0)
    with refused("NothingBonded"):
        world.do(calls.request_unbond(node, 1))


def test_by_another_fails(world: World) -> None:
    node = world.staked_node()
    with refused("WrongPosition"):
        world.do(calls.request_unbond(node, 1).signed_by("staker", world.stranger))

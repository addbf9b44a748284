from __future__ import annotations

import pytest
from ionet.generated.events import CoStakeTermsChanged, RewardsAdded
from program import calls, staking
from program.calls import USD
from program.chain import refused
from program.staking import DAY, co_stake, open_node
from program.world import IO_UNIT, World

NOTICE = 21 * DAY


def test_better_terms_bind_at_once(world: World) -> None:
    node = world.node()
    landed = world.do(staking.set_co_stake_terms(node, 2_500))
    assert landed.events == (
        CoStakeTermsChanged(
            node=node.key,
            seq=2,
            at=world.now,
            share_before=0,
            share=2_500,
            income_share_before=0,
            income_share=0,
            pending_share=0,
            pending_income_share=0,
            pending_at=0,
        ),
    )
    changed = world.do(staking.set_co_stake_terms(node, 10_000)).event(CoStakeTermsChanged)
    assert (changed.share_before, changed.share, changed.pending_at) == (2_500, 10_000, 0)


@pytest.mark.parametrize(("late", "share"), [(-1, 8_000), (0, 1_000), (1, 1_000)])
def test_worse_terms_bind_after_their_notice_to_the_second(world: World, late: int, share: int) -> None:
    node = open_node(world)
    co_stake(world, node, "co", 16_000 * IO_UNIT)
    changed = world.do(staking.set_co_stake_terms(node, 1_000)).event(CoStakeTermsChanged)
    assert (changed.share, changed.pending_share, changed.pending_at) == (8_000, 1_000, world.now + NOTICE)
    world.warp(NOTICE + late)
    added = world.do(staking.fund_rewards(node, world.treasury, 20_000)).event(RewardsAdded)
    assert added.to_co_stakers == share


def test_a_smaller_share_of_income_binds_after_its_notice_to_the_second(world: World) -> None:
    """With it what else was said; until then the better of both binds. What is booked is bound by what binds then."""
    node, cluster = open_node(world), world.cluster()
    world.do(staking.open_income_vault(node, world.stranger, USD), staking.set_co_stake_terms(node, 8_000, 5_000))
    landed = world.do(staking.set_co_stake_terms(node, 9_000, 4_000))
    at = world.now + NOTICE
    assert landed.events == (
        CoStakeTermsChanged(
            node=node.key,
            seq=6,
            at=world.now,
            share_before=8_000,
            share=9_000,
            income_share_before=5_000,
            income_share=5_000,
            pending_share=9_000,
            pending_income_share=4_000,
            pending_at=at,
        ),
    )
    world.warp_to(at - 1)
    before = world.ready(node, cluster)
    assert world.of(before).income_share_bps == 5_000
    world.do(calls.reject_ready(before))
    world.warp(1)
    assert world.of(world.booked(node, cluster)).income_share_bps == 4_000
    found = world.of_node(node)
    assert (found.co_share_bps, found.income_share_bps) == (9_000, 4_000)
    assert (found.pending_co_share_bps, found.pending_income_share_bps, found.pending_co_share_at) == (0, 0, 0)


def test_income_alone_opens_a_node_to_co_stakers(world: World) -> None:
    node = world.staked_node()
    late = world.supplier("late")
    with refused("NotOpenToCoStake"):
        world.do(calls.stake(node, IO_UNIT, late))
    world.do(staking.set_co_stake_terms(node, 0, 1), calls.stake(node, IO_UNIT, late))


def test_closing_to_new_co_stakers_takes_the_notice_too(world: World) -> None:
    node = open_node(world)
    world.do(staking.set_co_stake_terms(node, 0))
    world.warp(NOTICE - 1)
    held = co_stake(world, node, "co", IO_UNIT)
    world.warp(1)
    with refused("NotOpenToCoStake"):
        world.do(calls.stake(node, IO_UNIT, held.owner))


def test_a_change_replaces_the_one_that_was_pending(world: World) -> None:
    node = open_node(world)
    world.do(staking.set_co_stake_terms(node, 0))
    world.warp(DAY)
    again = world.do(staking.set_co_stake_terms(node, 5_000)).event(CoStakeTermsChanged)
    assert (again.share, again.pending_share, again.pending_at) == (8_000, 5_000, world.now + NOTICE)
    dropped = world.do(staking.set_co_stake_terms(node, 8_000)).event(CoStakeTermsChanged)
    assert (dropped.share, dropped.pending_share, dropped.pending_at) == (8_000, 0, 0)
    world.warp(2 * NOTICE)
    assert world.do(staking.set_co_stake_terms(node, 8_001)).event(CoStakeTermsChanged).share_before == 8_000


def test_what_fell_due_is_the_share_before(world: World) -> None:
    node = open_node(world)
    world.do(staking.set_co_stake_terms(node, 10))
    world.warp(NOTICE)
    changed = world.do(staking.set_co_stake_terms(node, 20)).event(CoStakeTermsChanged)
    assert (changed.share_before, changed.share, changed.pending_at) == (10, 20, 0)


def test_more_than_the_whole_fails(world: World) -> None:
    node = world.node()
    for share, income in ((10_001, 0), (0, 10_001), (65_535, 65_535)):
        with refused("BadParams"):
            world.do(staking.set_co_stake_terms(node, share, income))
    world.do(staking.set_co_stake_terms(node, 10_000, 10_000))


def test_by_another_than_the_owner_fails(world: World) -> None:
    node = world.node()
    for stranger in (world.stranger, node.device):
        with refused("NotNodeOwner"):
            world.do(staking.set_co_stake_terms(node, 1).signed_by("owner", stranger))


def test_a_retired_node_fails(world: World) -> None:
    node = world.node()
    world.do(calls.retire_node(node, staked=False))
    with refused("NodeRetired"):
        world.do(staking.set_co_stake_terms(node, 1))

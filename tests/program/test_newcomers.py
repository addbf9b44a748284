"""Nobody shares income that others stood behind (H19)."""

from __future__ import annotations

import pytest
from ionet.generated import pdas
from ionet.generated.events import IncomeShared, LeaseEnded
from program import calls, staking
from program.calls import ID, USD
from program.chain import refused
from program.currencies import active_in, cluster_in, paid_in
from program.preludes import frozen
from program.refs import LeaseRef
from program.staking import with_income
from program.test_claim_income import OWN, shared_node
from program.world import HOUR, IO_UNIT, World


def test_a_newcomer_shares_nothing_that_others_stood_behind(world: World) -> None:
    """Stake is refused while an ended lease with a share is not settled in full (H19), the owner's as well: it would
    dilute what co-stakers stood behind."""
    node = shared_node(world)
    lease = world.active(node, world.cluster(), HOUR)
    late = world.supplier("late")
    world.do(calls.stake(node, IO_UNIT * 10, lease=lease))
    world.serve(lease, 6)
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late))  # without the lease that occupies the node
    world.do(calls.stake(node, IO_UNIT, late, lease))  # nothing has matured yet
    world.warp(600 + 3_000)
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late, lease))
    world.do(with_income(calls.settle_lease(lease)))
    assert world.of_node(node).unsettled == 1
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late))
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT))
    world.final(lease)
    world.do(with_income(calls.settle_lease(lease)))
    assert world.of_node(node).unsettled == 0
    world.do(calls.stake(node, IO_UNIT, late), calls.stake(node, IO_UNIT))


def test_a_lease_that_is_closed_is_counted_no_more(world: World) -> None:
    """Where nothing was owed, nothing had to be settled."""
    node = shared_node(world, co=OWN // 2)
    lease = world.active(node, world.cluster(), HOUR)
    world.do(calls.quit_lease(lease))
    assert world.of_node(node).unsettled == 1
    world.final(lease)
    world.do(calls.close_lease(lease))
    assert world.of_node(node).unsettled == 0


@pytest.mark.parametrize("interval", [0, 1])
def test_from_the_second_on_in_which_an_interval_of_the_lease_is_owed(world: World, interval: int) -> None:
    """Ten minutes, ten of grace and an hour's window after it began; until it is paid."""
    node = shared_node(world, co=OWN // 2)
    lease = world.active(node, world.cluster(), 2 * HOUR)
    join = calls.stake(node, IO_UNIT, world.supplier("late"), lease)
    start = world.now
    world.serve(lease, 7)
    if interval:
        world.warp_to(start + 4_800)
        world.do(with_income(calls.settle_lease(lease)))
    world.warp_to(start + interval * 600 + 4_799)
    world.do(join)
    world.warp(1)
    with refused("IncomeUnsettled"):
        world.do(join)
    world.do(with_income(calls.settle_lease(lease)), join)


def test_what_nobody_answered_is_owed_as_well(world: World) -> None:
    node = shared_node(world, co=OWN // 2)
    lease = world.ready(node, world.cluster(), HOUR)
    late = world.supplier("late")
    world.do(calls.stake(node, IO_UNIT, late, lease))
    world.warp(1_200)
    world.do(calls.cancel_lease(lease))
    assert world.of_node(node).unsettled == 1
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late))
    world.do(with_income(calls.settle_lease(lease)), calls.stake(node, IO_UNIT, late))


def test_what_was_rejected_or_never_ready_is_not(world: World) -> None:
    """Nothing of it is the supplier's."""
    node, cluster = shared_node(world, co=OWN // 2), world.cluster()
    late = world.supplier("late")
    world.do(calls.reject_ready(world.ready(node, cluster, HOUR)), calls.stake(node, IO_UNIT, late))
    booked = world.booked(node, cluster, HOUR)
    world.warp(300)
    world.do(calls.cancel_lease(booked), calls.stake(node, IO_UNIT, late))


def test_a_lease_that_shares_nothing_keeps_nobody_out(world: World) -> None:
    node = world.staked_node()
    world.do(staking.open_income_vault(node, world.stranger, USD), staking.set_co_stake_terms(node, 1))
    lease = world.active(node, world.cluster(), HOUR)
    world.serve(lease, 5)
    world.warp(600 + 3_600)
    late = world.supplier("late")
    world.do(calls.stake(node, IO_UNIT, late, lease))
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late))  # the program cannot know it without the lease
    world.do(calls.settle_lease(lease), calls.stake(node, IO_UNIT, late))


def test_an_issuer_who_freezes_the_escrow_keeps_them_out_until_it_is_paid(world: World) -> None:
    """The lease ends all the same, nothing is handed over, and nobody else gets a part of it meanwhile."""
    world.do(calls.init_vaults(world.stranger, world.usdc))
    node = shared_node(world, co=OWN // 2)
    lease = active_in(world, world.usdc, node, cluster_in(world, world.usdc), HOUR)
    world.serve(lease, 6)
    world.final(lease)
    late, escrow = world.supplier("late"), world.raw(lease.cluster.escrow)
    frozen(world, lease.cluster.escrow)
    call = paid_in(world.usdc, calls.settle_lease(lease), node.owner)
    call = staking.filled(call, income_vault=pdas.income_vault(ID, node.key, world.usdc))
    assert [type(event) for event in world.do(call).events] == [LeaseEnded]
    assert (world.of_node(node).unsettled, world.of_node(node).co_income) == (1, (0, 0, 0))
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, late))
    world.svm.set_account(lease.cluster.escrow, escrow)
    # A third of the half of 16 USD less 2.25 %.
    assert world.do(call).event(IncomeShared).to_co_stakers == 15_640_000 // 2 // 3
    world.do(calls.stake(node, IO_UNIT, late))


def test_another_lease_than_the_present_one_fails(world: World) -> None:
    node = shared_node(world, co=OWN // 2)
    world.active(node, world.cluster(), HOUR)
    other = world.active(world.staked_node("b"), world.cluster("b"), HOUR)
    with refused("IncomeUnsettled"):
        world.do(calls.stake(node, IO_UNIT, world.supplier("late"), other))


def test_each_of_several_ended_leases_counts(world: World) -> None:
    node, cluster = shared_node(world, co=OWN // 2), world.cluster()
    leases: list[LeaseRef] = []
    for _ in range(2):
        lease = world.active(node, cluster, HOUR)
        world.serve(lease, 6)
        world.do(calls.settle_lease(lease))  # nothing has matured, but the lease is over
        leases.append(lease)
    assert world.of_node(node).unsettled == 2
    world.final(leases[1])
    late = world.supplier("late")
    for lease in leases:
        with refused("IncomeUnsettled"):
            world.do(calls.stake(node, IO_UNIT, late))
        world.do(with_income(calls.settle_lease(lease)))
    world.do(calls.stake(node, IO_UNIT, late))


def test_a_readiness_that_nobody_answered_in_time_is_paid_first(world: World) -> None:
    """Ready for 20 minutes: from then on the time is owed, though nobody has cancelled the lease yet."""
    node = shared_node(world, co=OWN // 2)
    lease = world.booked(node, world.cluster())
    world.do(calls.mark_ready(lease))
    join = calls.stake(node, IO_UNIT, world.supplier("late"), lease)
    world.warp(1_200 - 1)
    world.do(join)
    world.warp(1)
    with refused("IncomeUnsettled"):
        world.do(join)
    world.do(calls.cancel_lease(lease))
    world.do(with_income(calls.settle_lease(lease)))
    world.do(calls.stake(node, IO_UNIT, world.supplier("late")))

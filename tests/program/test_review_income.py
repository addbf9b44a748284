"""Figures of the review: who stakes before a settlement."""

from __future__ import annotations

from ionet.generated.events import IncomeShared
from program import calls
from program.chain import refused
from program.staking import with_income
from program.test_claim_income import NET, OWN, lived, shared_node
from program.world import IO_UNIT, World


def test_an_owner_who_stakes_before_the_settlement_takes_no_income_that_others_stood_behind(world: World) -> None:
    """Half of the stake was the co-staker's while the hour was served: a quarter of the net is theirs."""
    node = shared_node(world)
    lease = lived(world, node)
    more = calls.stake(node, 84_000 * IO_UNIT, lease=lease)
    with refused("IncomeUnsettled"):
        world.do(more)
    with refused("IncomeUnsettled"):  # nor by not naming the lease
        world.do(calls.stake(node, 84_000 * IO_UNIT))
    shared = world.do(with_income(calls.settle_lease(lease))).event(IncomeShared)
    assert shared.to_co_stakers == NET // 2 // 2
    assert OWN == 16_000 * IO_UNIT
    world.do(more)


def test_an_owner_alone_stakes_at_any_time(world: World) -> None:
    lease = world.running()
    world.serve(lease, 6)
    world.do(calls.stake(lease.node, IO_UNIT))

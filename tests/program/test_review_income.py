"""Figures of the review: who stakes before a settlement."""

from __future__ import annotations

from ionet.generated.events import IncomeShared
from program import calls
from program.staking import with_income
from program.test_claim_income import NET, OWN, lived, shared_node
from program.world import IO_UNIT, World


def test_an_owner_who_stakes_before_the_settlement_takes_no_income_that_others_stood_behind(world: World) -> None:
    """Half of the stake was the co-staker's while the hour was served: a quarter of the net is theirs."""
    node = shared_node(world)
    lease = lived(world, node)
    world.do(calls.stake(node, 84_000 * IO_UNIT))
    shared = world.do(with_income(calls.settle_lease(lease))).event(IncomeShared)
    assert shared.to_co_stakers == NET // 2 // 2
    assert OWN == 16_000 * IO_UNIT

from __future__ import annotations

from ionet.generated.events import PayoutReleased
from program import calls
from program.calls import terms
from program.chain import refused, who
from program.staking import DAY
from program.world import World

LENDER = who("lender")


def test_all_fields_ok(world: World) -> None:
    node, until = world.staked_node(), world.now + DAY
    world.do(calls.lock_payout(node, LENDER.pubkey(), until))
    landed = world.do(calls.release_payout(node, LENDER))
    assert landed.events == (
        PayoutReleased(node=node.key, seq=4, at=world.now, payout=LENDER.pubkey(), until_before=until),
    )
    found = world.of_node(node)
    assert (found.payout, found.payout_locked_until) == (LENDER.pubkey(), 0)
    world.do(calls.update_node(node, terms(node.owner)))


def test_by_another_fails(world: World) -> None:
    node = world.staked_node()
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY))
    for other in (node.owner, node.device, world.stranger):
        with refused("PayoutNotLocked"):
            world.do(calls.release_payout(node, other))


def test_without_a_lock_or_after_its_end_fails(world: World) -> None:
    node = world.staked_node()
    with refused("PayoutNotLocked"):
        world.do(calls.release_payout(node, node.owner))
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY))
    world.warp(DAY)
    with refused("PayoutNotLocked"):
        world.do(calls.release_payout(node, LENDER))

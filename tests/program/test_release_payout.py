from __future__ import annotations

import msgspec
from ionet.generated.events import PayoutReleased
from program import calls
from program.calls import USD, ata, terms
from program.chain import refused, who
from program.staking import DAY
from program.world import HOUR, World

LENDER = who("lender")


def test_all_fields_ok(world: World) -> None:
    node, until = world.staked_node(), world.now + DAY
    world.do(calls.lock_payout(node, LENDER.pubkey(), until))
    before = world.of_node(node)
    landed = world.do(calls.release_payout(node, LENDER))
    assert landed.events == (
        PayoutReleased(node=node.key, seq=4, at=world.now, payout=LENDER.pubkey(), until_before=until),
    )
    assert world.of_node(node) == msgspec.structs.replace(before, seq=4, payout_locked_until=0)
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
    for secs, late in ((DAY - 1, False), (DAY, True)):
        world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY))
        world.warp(secs)
        if not late:
            world.do(calls.release_payout(node, LENDER))
            continue
        with refused("PayoutNotLocked"):
            world.do(calls.release_payout(node, LENDER))


def test_twice_fails(world: World) -> None:
    node = world.staked_node()
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY), calls.release_payout(node, LENDER))
    with refused("PayoutNotLocked"):
        world.do(calls.release_payout(node, LENDER))


def test_a_released_node_pays_where_it_paid_until_its_owner_changes_it(world: World) -> None:
    node = world.staked_node()
    lease = world.active(node, world.cluster(), HOUR)
    world.serve(lease, 6)
    world.final(lease)
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY, lease), calls.release_payout(node, LENDER))
    with refused("NotAssociatedAccount"):
        world.do(calls.settle_lease(lease))
    world.do(calls.update_node(node, terms(node.owner, price=1)))
    before = world.tokens(ata(node.owner, USD))
    world.do(calls.settle_lease(lease))
    assert world.tokens(ata(node.owner, USD)) - before == 16_000_000 - 40_000


def test_a_released_node_can_be_locked_to_another(world: World) -> None:
    node, other = world.staked_node(), who("other lender")
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + 100 * DAY), calls.release_payout(node, LENDER))
    world.do(calls.lock_payout(node, other.pubkey(), world.now + 1))
    with refused("PayoutNotLocked"):
        world.do(calls.release_payout(node, LENDER))
    world.do(calls.release_payout(node, other))

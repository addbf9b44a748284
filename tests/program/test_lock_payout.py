from __future__ import annotations

import pytest
from ionet.generated.events import PayoutLocked
from program import calls, staking
from program.calls import USD, ata, terms
from program.chain import refused, who
from program.refs import NodeRef
from program.staking import DAY
from program.world import HOUR, World

LENDER = who("lender")
LONGEST = 1_200 * DAY


@pytest.fixture
def node(world: World) -> NodeRef:
    return world.staked_node()


def test_all_fields_ok(world: World, node: NodeRef) -> None:
    until = world.now + 100 * DAY
    landed = world.do(calls.lock_payout(node, LENDER.pubkey(), until))
    assert landed.events == (
        PayoutLocked(
            node=node.key,
            seq=3,
            at=world.now,
            payout_before=node.owner.pubkey(),
            payout=LENDER.pubkey(),
            until_before=0,
            until=until,
        ),
    )
    found = world.of_node(node)
    assert (found.payout, found.payout_locked_until) == (LENDER.pubkey(), until)


@pytest.mark.parametrize(("secs", "fits"), [(0, False), (1, True), (LONGEST, True), (LONGEST + 1, False)])
def test_for_twelve_hundred_days_at_most(world: World, node: NodeRef, secs: int, fits: bool) -> None:
    call = calls.lock_payout(node, LENDER.pubkey(), world.now + secs)
    if fits:
        world.do(call)
        return
    with refused("BadLock"):
        world.do(call)


def test_a_lock_is_only_made_longer_and_for_the_same_address(world: World, node: NodeRef) -> None:
    until = world.now + 100 * DAY
    world.do(calls.lock_payout(node, LENDER.pubkey(), until))
    for wrong in (until, until - 1):
        with refused("BadLock"):
            world.do(calls.lock_payout(node, LENDER.pubkey(), wrong))
    with refused("PayoutLocked"):
        world.do(calls.lock_payout(node, node.owner.pubkey(), until + 1))
    assert world.do(calls.lock_payout(node, LENDER.pubkey(), until + 1)).event(PayoutLocked).until_before == until
    world.warp_to(until + 1)
    world.do(calls.lock_payout(node, node.owner.pubkey(), until + 2))


def test_while_it_holds_payout_and_price_are_bound(world: World, node: NodeRef) -> None:
    until = world.now + DAY
    world.do(calls.lock_payout(node, LENDER.pubkey(), until))
    with refused("PayoutLocked"):
        world.do(calls.update_node(node, terms(node.owner)))
    with refused("FloorLocked"):
        world.do(calls.update_node(node, terms(node.owner, payout=LENDER.pubkey(), price=1_999_999)))
    world.do(calls.update_node(node, terms(node.owner, payout=LENDER.pubkey(), price=2_000_001)))
    with refused("FloorLocked"):
        world.do(calls.update_node(node, terms(node.owner, payout=LENDER.pubkey())))
    world.warp_to(until)
    world.do(calls.update_node(node, terms(node.owner, price=1)))


def test_while_it_holds_no_further_income_is_shared(world: World, node: NodeRef) -> None:
    world.do(staking.set_co_stake_terms(node, 0, 1_000), calls.lock_payout(node, LENDER.pubkey(), world.now + DAY))
    with refused("PayoutLocked"):
        world.do(staking.set_co_stake_terms(node, 0, 1_001))
    world.do(staking.set_co_stake_terms(node, 9_000, 1_000))


def test_income_goes_to_the_payout_in_force_when_it_is_settled(world: World, node: NodeRef) -> None:
    lease = world.active(node, world.cluster(), HOUR)
    world.serve(lease, 6)
    world.final(lease)
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY, lease))
    world.open_ata(LENDER, USD)
    world.do(calls.settle_lease(lease, LENDER))
    assert world.tokens(ata(LENDER, USD)) == 16_000_000 - 40_000


def test_not_while_a_lease_runs_that_was_booked_for_less(world: World, node: NodeRef) -> None:
    lease = world.active(node, world.cluster(), HOUR)
    world.do(calls.update_node(node, terms(node.owner, price=2_000_001)))
    until = world.now + DAY
    with refused("FloorLocked"):
        world.do(calls.lock_payout(node, LENDER.pubkey(), until, lease))
    with refused("WrongNode"):
        world.do(calls.lock_payout(node, LENDER.pubkey(), until))
    world.do(calls.update_node(node, terms(node.owner)), calls.lock_payout(node, LENDER.pubkey(), until, lease))


def test_retiring_stays_an_exit(world: World, node: NodeRef) -> None:
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY), calls.retire_node(node))
    world.warp(14 * DAY)
    world.do(calls.withdraw(node))


def test_to_nobody_or_by_another_fails(world: World, node: NodeRef) -> None:
    with refused("BadPayout"):
        world.do(calls.lock_payout(node, calls.NOBODY, world.now + DAY))
    with refused("NotNodeOwner"):
        world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY).signed_by("owner", world.stranger))

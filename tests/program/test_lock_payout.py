from __future__ import annotations

import msgspec
import pytest
from ionet.generated.events import PayoutLocked
from program import calls, staking
from program.calls import IO, USD, ata, terms
from program.chain import refused, who
from program.currencies import active_in, cluster_in
from program.refs import NodeRef
from program.staking import DAY
from program.test_claim_income import lived, shared_node
from program.world import HOUR, IO_UNIT, World

LENDER = who("lender")
LONGEST = 1_200 * DAY


@pytest.fixture
def node(world: World) -> NodeRef:
    return world.staked_node()


def test_all_fields_ok(world: World, node: NodeRef) -> None:
    until, before = world.now + 100 * DAY, world.of_node(node)
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
    assert world.of_node(node) == msgspec.structs.replace(
        before, seq=3, payout=LENDER.pubkey(), payout_locked_until=until
    )


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


def test_not_while_a_lease_in_io_runs(world: World) -> None:
    """Its price was fixed in IO: what that is worth may have fallen below the floor."""
    node = world.staked_node(currencies=calls.EVERY_CURRENCY)
    lease = active_in(world, IO, node, cluster_in(world, IO, "c", 1_000 * IO_UNIT), HOUR)
    call = calls.lock_payout(node, LENDER.pubkey(), world.now + DAY, lease)
    with refused("FloorLocked"):
        world.do(call)
    world.do(calls.end_lease(lease), call)


def test_a_lease_that_is_booked_and_not_started_counts(world: World, node: NodeRef) -> None:
    lease = world.booked(node, world.cluster(), HOUR)
    world.do(calls.update_node(node, terms(node.owner, price=2_000_001)))
    call = calls.lock_payout(node, LENDER.pubkey(), world.now + DAY, lease)
    with refused("FloorLocked"):
        world.do(call)
    world.do(calls.update_node(node, terms(node.owner, price=2_000_000)), call)


def test_with_the_lease_of_another_node_fails(world: World, node: NodeRef) -> None:
    lease, other = world.active(node, world.cluster(), HOUR), world.running("b")
    with refused("WrongNode"):
        world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY, other))
    world.do(calls.end_lease(lease))
    # A free node needs none, and looks at none.
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY, other))


def test_made_longer_it_ends_twelve_hundred_days_from_then_at_most(world: World, node: NodeRef) -> None:
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + LONGEST))
    world.warp(10 * DAY)
    with refused("BadLock"):
        world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + LONGEST + 1))
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + LONGEST))


@pytest.mark.parametrize("until", [-1, -(2**63), 2**63 - 1])
def test_until_a_time_that_never_comes_or_never_was_fails(world: World, node: NodeRef, until: int) -> None:
    with refused("BadLock"):
        world.do(calls.lock_payout(node, LENDER.pubkey(), until))


def test_to_the_last_second_and_not_longer(world: World, node: NodeRef) -> None:
    until = world.now + DAY
    world.do(calls.lock_payout(node, LENDER.pubkey(), until))
    cheaper = calls.update_node(node, terms(node.owner, payout=LENDER.pubkey(), price=1))
    shared = staking.set_co_stake_terms(node, 0, 1)
    moved = calls.lock_payout(node, node.owner.pubkey(), until + DAY)
    world.warp_to(until - 1)
    for call, error in ((cheaper, "FloorLocked"), (shared, "PayoutLocked"), (moved, "PayoutLocked")):
        with refused(error):
            world.do(call)
    world.warp(1)
    world.do(cheaper, shared, moved)


def test_a_share_that_was_to_fall_does_not_rise_again(world: World, node: NodeRef) -> None:
    """What falls due under a lock binds, and is then the most that can be shared."""
    world.do(staking.set_co_stake_terms(node, 0, 5_000), staking.set_co_stake_terms(node, 0, 1_000))
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + 100 * DAY))
    world.warp(21 * DAY)
    with refused("PayoutLocked"):
        world.do(staking.set_co_stake_terms(node, 0, 1_001))
    world.do(staking.set_co_stake_terms(node, 0, 1_000))


def test_stakers_income_is_taken_first(world: World) -> None:
    node = shared_node(world)
    lease = lived(world, node)
    world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY, lease))
    world.open_ata(LENDER, USD)
    call = calls.settle_lease(lease, LENDER)
    with refused("NotAssociatedAccount"):
        world.do(staking.with_income(calls.settle_lease(lease)))
    world.do(staking.with_income(call))
    assert world.tokens(ata(LENDER, USD)) == 15_960_000 - 3_990_000


def test_by_the_device_key_fails(world: World, node: NodeRef) -> None:
    with refused("NotNodeOwner"):
        world.do(calls.lock_payout(node, LENDER.pubkey(), world.now + DAY).signed_by("owner", node.device))

from __future__ import annotations

from typing import Any

import pytest
from ionet.generated.enums import Currency
from ionet.generated.events import NodeUpdated
from program import calls
from program.chain import refused, who
from program.refs import LeaseRef
from program.test_register_node import BAD_TERMS
from program.world import H100, HOUR, World
from solders.pubkey import Pubkey


def test_all_fields_ok(world: World) -> None:
    node = world.node()
    offer = calls.terms(
        node.owner,
        price=5,
        min_coverage_bps=1,
        min_duration=2,
        max_duration=3,
        payout=who("payout").pubkey(),
        fee_payer=who("fees").pubkey(),
        country=4,
        currencies=Currency.USDC,
        region=5,
    )
    landed = world.do(calls.update_node(node, offer))
    fields = {name: getattr(offer, name) for name in offer.__struct_fields__}
    assert landed.events == (
        NodeUpdated(node=node.key, seq=2, at=world.now, price_before=2_000_000, terms_seq=2, **fields),
    )
    found = world.of_node(node)
    assert {name: getattr(found, name) for name in fields} == fields
    assert (found.terms_seq, found.seq) == (2, 2)


def test_a_running_lease_keeps_its_price(world: World) -> None:
    lease = world.running()
    before = world.of(lease)
    world.do(calls.update_node(lease.node, calls.terms(lease.node.owner, price=9, max_duration=700)))
    assert world.of(lease) == before
    world.do(calls.extend_lease(lease, H100, HOUR))  # the maximum was copied when it was booked
    assert world.of(lease).price == 2_000_000


def test_a_booking_that_read_older_terms_fails(world: World) -> None:
    node, cluster = world.staked_node(), world.cluster()
    world.do(calls.update_node(node, calls.terms(node.owner)))
    with refused("TermsChanged"):
        world.do(calls.add_lease(LeaseRef(node, cluster, 0), H100, HOUR, terms_seq=1))
    world.do(calls.add_lease(LeaseRef(node, cluster, 0), H100, HOUR, terms_seq=2))


@pytest.mark.parametrize(("error", "wrong"), BAD_TERMS, ids=str)
def test_terms_out_of_bounds_fails(world: World, error: str, wrong: dict[str, Any]) -> None:
    node = world.node()
    with refused(error):
        world.do(calls.update_node(node, calls.terms(node.owner, **wrong)))


def test_by_another_than_the_owner_fails(world: World) -> None:
    node = world.node()
    for stranger in (world.stranger, node.device, world.authority):
        with refused("NotNodeOwner"):
            world.do(calls.update_node(node, calls.terms(node.owner)).signed_by("owner", stranger))


@pytest.fixture
def lender() -> Pubkey:
    return who("lender").pubkey()


def test_under_a_lock_the_payout_stays_and_the_rest_may_change(world: World, lender: Pubkey) -> None:
    node = world.node()
    world.do(calls.lock_payout(node, lender, world.now + 100))
    with refused("PayoutLocked"):
        world.do(calls.update_node(node, calls.terms(node.owner)))
    world.do(calls.update_node(node, calls.terms(node.owner, payout=lender, max_duration=700, country=4)))
    found = world.of_node(node)
    assert (found.payout, found.max_duration, found.country) == (lender, 700, 4)


@pytest.mark.parametrize(("price", "error"), [(1_999_999, "FloorLocked"), (2_000_000, ""), (2_000_001, "")])
def test_under_a_lock_the_price_never_falls(world: World, lender: Pubkey, price: int, error: str) -> None:
    node = world.node()
    world.do(calls.lock_payout(node, lender, world.now + 100))
    call = calls.update_node(node, calls.terms(node.owner, payout=lender, price=price))
    if error:
        with refused(error):
            world.do(call)
        return
    world.do(call)
    # What was raised is the new floor.
    with refused("FloorLocked"):
        world.do(calls.update_node(node, calls.terms(node.owner, payout=lender, price=price - 1)))


@pytest.mark.parametrize(("left", "locked"), [(1, True), (0, False)])
def test_a_lock_holds_to_the_second(world: World, lender: Pubkey, left: int, locked: bool) -> None:
    node = world.node()
    world.do(calls.lock_payout(node, lender, world.now + 100))
    world.warp(100 - left)
    call = calls.update_node(node, calls.terms(node.owner, price=1))
    if locked:
        with refused("PayoutLocked"):
            world.do(call)
        return
    world.do(call)
    assert (world.of_node(node).payout, world.of_node(node).price) == (node.owner.pubkey(), 1)

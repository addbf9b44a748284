from __future__ import annotations

from typing import Any

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel, Node
from ionet.generated.events import NodeRegistered
from ionet.generated.types import Pool
from program import calls
from program.calls import EVERY_CURRENCY, ID, NOBODY
from program.chain import TOKEN_PROGRAM, refused, who
from program.refs import NodeRef
from program.world import H100, World

YEAR = 366 * 24 * 3_600
MILLION = 10**12


@pytest.fixture
def new(world: World) -> NodeRef:
    """A node to be, of a supplier who exists."""
    return NodeRef(world.supplier("supplier a"), who("device a"))


def test_all_fields_ok(world: World, new: NodeRef) -> None:
    offer = calls.terms(
        new.owner,
        price=MILLION,
        min_coverage_bps=9_000,
        min_duration=1,
        max_duration=YEAR,
        payout=who("payout").pubkey(),
        fee_payer=who("fees").pubkey(),
        country=999,
        currencies=EVERY_CURRENCY,
        region=9,
    )
    before = world.lamports(new.owner.pubkey())
    landed = world.do(calls.register_node(new, H100, 8, offer))
    terms = {name: getattr(offer, name) for name in offer.__struct_fields__}
    assert landed.events == (
        NodeRegistered(
            node=new.key,
            seq=1,
            at=world.now,
            owner=new.owner.pubkey(),
            device_key=new.device.pubkey(),
            model=H100,
            processors=8,
            terms_seq=1,
            **terms,
        ),
    )
    node = world.of_node(new)
    assert {name: getattr(node, name) for name in terms} == terms
    assert (node.owner, node.device_key, node.first_device_key) == (
        new.owner.pubkey(),
        new.device.pubkey(),
        new.device.pubkey(),
    )
    assert (node.model, node.processors, node.terms_seq, node.seq, node.registered_at) == (H100, 8, 1, 1, world.now)
    assert (node.flags, node.current_lease, node.busy_until, node.tier, node.version) == (0, NOBODY, 0, 0, 1)
    assert node.bonded == node.unbonding == Pool(amount=0, era=0, shares=0)
    assert world.raw(new.vault).owner == TOKEN_PROGRAM
    assert world.raw(new.vault).data[32:72] == bytes(new.key) + bytes(8)
    rent = world.lamports(new.key) + world.lamports(new.vault)
    assert before - world.lamports(new.owner.pubkey()) == rent


def test_addresses_that_hold_lamports_are_no_obstacle(world: World, new: NodeRef) -> None:
    world.fund(new.key, 1_000_000)
    world.fund(new.vault, 1_000_000)
    world.do(calls.register_node(new, H100, 1))


@pytest.mark.parametrize("processors", [1, 8])
def test_processors_at_the_bounds(world: World, new: NodeRef, processors: int) -> None:
    world.do(calls.register_node(new, H100, processors))
    assert world.of_node(new).processors == processors


@pytest.mark.parametrize("processors", [0, 9])
def test_processors_out_of_bounds_fails(world: World, new: NodeRef, processors: int) -> None:
    with refused("BadProcessors"):
        world.do(calls.register_node(new, H100, processors))


BAD_TERMS: list[tuple[str, dict[str, Any]]] = [
    ("BadPrice", {"price": 0}),
    ("BadPrice", {"price": MILLION + 1}),
    ("BadDuration", {"min_duration": 0}),
    ("BadDuration", {"min_duration": 601, "max_duration": 600}),
    ("BadDuration", {"max_duration": YEAR + 1}),
    ("BadCurrencies", {"currencies": 0}),
    ("BadCurrencies", {"currencies": 8}),
    ("BadCountry", {"country": 0}),
    ("BadCountry", {"country": 1_000}),
    ("BadPayout", {"payout": NOBODY}),
    ("BadPayout", {"fee_payer": NOBODY}),
]


@pytest.mark.parametrize(("error", "wrong"), BAD_TERMS, ids=str)
def test_terms_out_of_bounds_fails(world: World, new: NodeRef, error: str, wrong: dict[str, Any]) -> None:
    with refused(error):
        world.do(calls.register_node(new, H100, 8, calls.terms(new.owner, **wrong)))


def test_twice_fails(world: World) -> None:
    node = world.node()
    with refused("Custom 0"):
        world.do(calls.register_node(node, H100, 8))


def test_another_owner_cannot_take_the_device_key_fails(world: World) -> None:
    node = world.node()
    thief = NodeRef(world.supplier("thief"), node.device)
    with refused("Custom 0"):
        world.do(calls.register_node(thief, H100, 8))
    assert world.get(Node, node.key).owner == node.owner.pubkey()


@pytest.mark.parametrize("slot", ["owner", "device_key"])
def test_without_a_signature_fails(world: World, new: NodeRef, slot: str) -> None:
    with refused("MissingRequiredSignature"):
        world.do(calls.register_node(new, H100, 8).unsigned(slot))


def test_a_disabled_model_fails(world: World, new: NodeRef) -> None:
    world.forge(DeviceModel, pdas.model(ID, H100), enabled=0)
    with refused("ModelDisabled"):
        world.do(calls.register_node(new, H100, 8))

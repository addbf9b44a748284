"""Calls from another program: a protocol gives rewards with its own address, and nothing is let in that way which the
top level refuses. `programs/proxy` passes any call on."""

from __future__ import annotations

from pathlib import Path

import pytest
from ionet.codec.program import EVENT_TAG
from ionet.generated import pdas
from ionet.generated.events import RewardsAdded
from program import staking
from program.calls import ID, IO, ata
from program.chain import Call, refused, who
from program.refs import NodeRef
from program.staking import booked, co_stake, io_of, open_node
from program.test_nonces import admin, advance
from program.world import IO_UNIT, World
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

PROXY = who("proxy program").pubkey()
VAULT, _ = Pubkey.find_program_address([b"proxy"], PROXY)
OWN = 16_000 * IO_UNIT


@pytest.fixture
def world(world: World) -> World:
    """With the proxy on the chain, whose address holds 1,000 IO."""
    world.svm.add_program(PROXY, (Path(__file__).parent / "fixtures/proxy.so").read_bytes())
    world.move(world.treasury, world.open_ata(VAULT, IO), IO, 1_000 * IO_UNIT)
    return world


def passed_on(call: Call) -> Call:
    """The same call, made by the proxy; where its address is to sign, only it does."""
    metas = [
        AccountMeta(meta.pubkey, meta.is_signer and meta.pubkey != VAULT, meta.is_writable)
        for meta in call.instruction.accounts
    ]
    target = AccountMeta(call.instruction.program_id, is_signer=False, is_writable=False)
    instruction = Instruction(PROXY, bytes(call.instruction.data), [target, *metas])
    return Call(call.name, instruction, call.signers, call.before)


def given(node: NodeRef, amount: int, source: Pubkey) -> Call:
    """Rewards that the proxy's address gives."""
    call = staking.fund_rewards(node, who("anybody"), amount).swapped(payer=VAULT, **{"from": source})
    return Call(call.name, call.instruction)


def test_rewards_that_a_program_gives_arrive_to_the_unit(world: World) -> None:
    node = open_node(world, share_bps=10_000)
    held = co_stake(world, node, "co", OWN)
    landed = world.do(passed_on(given(node, 1_000_001, ata(VAULT, IO))))
    to_co = 1_000_001 // 2
    added = landed.event(RewardsAdded)
    assert landed.events == (added,)
    assert (added.by, added.amount, added.to_owner, added.to_co_stakers) == (VAULT, 1_000_001, 1_000_001 - to_co, to_co)
    assert world.tokens(ata(VAULT, IO)) == 1_000 * IO_UNIT - 1_000_001
    assert world.tokens(node.vault) == booked(world, node) == 2 * OWN + 1_000_001
    before = [io_of(world, wallet) for wallet in (node.owner, held.owner)]
    world.do(staking.claim_rewards(node, position=False), staking.claim_rewards(held))
    got = [io_of(world, wallet) - was for wallet, was in zip((node.owner, held.owner), before, strict=True)]
    assert got == [1_000_001 - to_co, to_co - 1]  # what falls on all shares is rounded down, the rest stays


def test_a_program_gives_all_it_holds_and_no_unit_more(world: World) -> None:
    node = open_node(world)
    with refused("Custom 1"):  # the token program: insufficient funds
        world.do(passed_on(given(node, 1_000 * IO_UNIT + 1, ata(VAULT, IO))))
    world.do(passed_on(given(node, 1_000 * IO_UNIT, ata(VAULT, IO))))
    assert (world.tokens(ata(VAULT, IO)), world.of_node(node).owner_rewards) == (0, 1_000 * IO_UNIT)


def test_nobody_gives_what_a_program_holds_without_it(world: World) -> None:
    """Its address signs for nobody else, and it signs for no tokens but its own."""
    node = open_node(world)
    unsigned = given(node, 1, ata(VAULT, IO)).unsigned("payer")
    with refused("MissingRequiredSignature"):
        world.do(unsigned)
    with refused("WrongTokenOwner"):
        world.do(passed_on(given(node, 1, ata(world.treasury, IO))))


ADMIN = ["propose_params", "propose_role", "register_model", "set_model", "propose_model", "set_pause"]


@pytest.mark.parametrize("name", ADMIN)
def test_a_durable_transaction_is_refused_from_a_program_too(world: World, name: str) -> None:
    """A multisig is a program: what it passes on is read from the transaction, whose first instruction shows it."""
    call = passed_on(admin(world)[name])
    with refused("DurableNonce"):
        world.do(call, also=[advance(world, world.payer)])
    world.do(call)


def test_the_proxy_itself_in_front_hides_no_nonce_and_makes_none(world: World) -> None:
    """Behind another instruction an advanced nonce makes nothing durable, whoever makes the call."""
    nonce = advance(world, world.payer)
    first = staking.fund_rewards(open_node(world), world.treasury, 1)
    world.do(passed_on(first), Call("", nonce), passed_on(admin(world)["set_pause"]))


def test_an_event_that_another_program_sends_is_refused(world: World) -> None:
    authority = pdas.event_authority(ID)
    forged = Instruction(ID, EVENT_TAG + bytes(300), [AccountMeta(authority, False, False)])
    with refused("MissingRequiredSignature"):
        world.do(passed_on(Call("", forged)))

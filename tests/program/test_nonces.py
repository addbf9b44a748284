"""Durable nonces: what an authority signs cannot lie in wait."""

from __future__ import annotations

import pytest
from ionet.generated.accounts import Case
from ionet.generated.enums import NetworkRole
from ionet.program import PROGRAM
from program import calls, governance
from program.chain import Call, refused, who
from program.world import H100, World
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_nonce_account,
    transfer,
)
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

NONCE = who("nonce")
COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
BUDGET = Instruction(COMPUTE_BUDGET, b"\2" + (200_000).to_bytes(4, "little"), [])
ADMIN = (
    *("propose_params", "propose_role", "register_model", "set_model", "propose_model", "set_pause"),
    *("open_case", "decide_case"),
)


def admin(world: World) -> dict[str, Call]:
    authority = world.authority
    accused = governance.accused(world, world.staked_node("accused"))
    return {
        "propose_params": governance.propose_params(authority, world.params),
        "propose_role": governance.propose_role(authority, NetworkRole.PAUSER, bytes(32)),
        "register_model": calls.register_model(authority, 99),
        "set_model": governance.set_model(authority, H100, True),
        "propose_model": governance.propose_model(authority, H100),
        "set_pause": calls.set_pause(world.pauser, 0),
        "open_case": governance.open_case(governance.CaseRef(world.staked_node("honest"), 0)),
        "decide_case": governance.decide_case(accused),
    }


def advance(world: World, holder: Keypair) -> Instruction:
    """Of a nonce account that exists; the first instruction of every durable transaction."""
    first, second = create_nonce_account(holder.pubkey(), NONCE.pubkey(), holder.pubkey(), 10_000_000)
    world.send([first, second], [holder, NONCE])
    world.svm.expire_blockhash()
    return advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=NONCE.pubkey(), authorized_pubkey=holder.pubkey())
    )


def durable(world: World, call: Call, *first: Instruction) -> None:
    """Sends a call after others at the nonce's value instead of a recent blockhash: signed whenever somebody liked."""
    nonce = Hash.from_bytes(world.raw(NONCE.pubkey()).data[40:72])
    world.svm.expire_blockhash()
    instructions = [*first, call.instruction]
    message = MessageV0.try_compile(world.payer.pubkey(), instructions, [], nonce)
    keys = list(dict.fromkeys([world.payer, *call.signers]))
    result = world.svm.send_transaction(VersionedTransaction(message, keys))
    if isinstance(result, FailedTransactionMetadata):
        programs = [item.program_id for item in instructions]
        raise PROGRAM.explain(result.err(), result.meta().logs(), program_ids=programs)


def longer(nonce: Instruction) -> Instruction:
    return Instruction(SYSTEM, bytes(nonce.data) + b"\0", nonce.accounts)


@pytest.mark.parametrize("name", ADMIN)
def test_an_admins_durable_transaction_fails(world: World, name: str) -> None:
    call, nonce = admin(world)[name], advance(world, world.payer)
    with refused("DurableNonce"):
        durable(world, call, nonce)
    world.do(call)


@pytest.mark.parametrize("name", ADMIN)
def test_with_bytes_behind_the_advance_as_well_fails(world: World, name: str) -> None:
    """They change nothing for the runtime, so they change nothing here."""
    call, nonce = admin(world)[name], advance(world, world.payer)
    with refused("DurableNonce"):
        durable(world, call, longer(nonce))


@pytest.mark.parametrize("name", ADMIN)
def test_whatever_stands_between_the_two_fails(world: World, name: str) -> None:
    """Not the call beside it but the whole transaction is durable."""
    call, nonce = admin(world)[name], advance(world, world.payer)
    with refused("DurableNonce"):
        durable(world, call, nonce, BUDGET)


@pytest.mark.parametrize("name", ADMIN)
def test_also_at_a_recent_blockhash_fails(world: World, name: str) -> None:
    """The program sees the instruction and not what the transaction was signed with."""
    call, nonce = admin(world)[name], advance(world, world.payer)
    with refused("DurableNonce"):
        world.do(call, also=[nonce])


@pytest.mark.parametrize("name", ADMIN)
def test_elsewhere_in_the_transaction_an_advance_makes_nothing_durable(world: World, name: str) -> None:
    """The runtime looks at the first instruction alone: such a transaction needs a recent blockhash like any other."""
    call, nonce = admin(world)[name], advance(world, world.payer)
    with refused("BlockhashNotFound"):
        durable(world, call, BUDGET, nonce)
    world.do(call, also=[BUDGET, nonce])


def test_the_system_programs_other_instructions_are_none(world: World) -> None:
    """Also not one that carries an advance's first bytes further back."""
    paid = transfer(TransferParams(from_pubkey=world.payer.pubkey(), to_pubkey=NONCE.pubkey(), lamports=4 << 32 | 4))
    assert b"\4\0\0\0" in bytes(paid.data)[4:]
    world.do(admin(world)["set_pause"], also=[paid])


def test_another_programs_instruction_that_begins_alike_is_none(world: World) -> None:
    """Four is also the number of a compute budget's limit of loaded data: 2^24 bytes begin as an advance does."""
    limit = Instruction(COMPUTE_BUDGET, b"\4" + (1 << 24).to_bytes(4, "little"), [])
    assert bytes(limit.data)[:4] == b"\4\0\0\0"
    world.do(admin(world)["set_pause"], also=[limit])


@pytest.mark.parametrize("more", [False, True])
def test_everybody_else_may_use_one(world: World, more: bool) -> None:
    """A renter behind a slow wallet, or a multisig. It is durable with bytes behind the advance, too."""
    cluster, nonce = world.cluster(), advance(world, world.payer)
    durable(world, calls.withdraw_budget(cluster, 1), longer(nonce) if more else nonce)
    assert world.of_cluster(cluster).refunded == 1


def test_whoever_dismisses_a_case_when_its_time_is_over_may_use_one(world: World) -> None:
    case, nonce = governance.accused(world, world.staked_node("accused")), advance(world, world.payer)
    world.warp_to(world.get(Case, case.key).decide_by)
    durable(world, governance.decide_case(case, by=world.stranger), nonce)


def test_whatever_authority_pauser_or_arbiter_sign_alone_is_among_them() -> None:
    """A new instruction of theirs must refuse nonces too. Before `init_network` there is nothing to lose."""
    theirs = {
        item.name
        for item in PROGRAM.codec.idl.instructions
        if {slot.name for slot in item.accounts if slot.signer} in ({"authority"}, {"pauser"}, {"arbiter"})
        and "network" in {slot.name for slot in item.accounts}
    }
    assert theirs - {"init_network"} == set(ADMIN)
    named = {
        item.name for item in PROGRAM.codec.idl.instructions for slot in item.accounts if slot.name == "instructions"
    }
    assert named - {"defend_lease"} == set(ADMIN)

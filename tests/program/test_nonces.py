"""Durable nonces: what an authority signs cannot lie in wait."""

from __future__ import annotations

import pytest
from ionet.generated.enums import NetworkRole
from program import calls, governance
from program.chain import Call, refused, who
from program.world import H100, World
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import (
    AdvanceNonceAccountParams,
    advance_nonce_account,
    create_nonce_account,
)

NONCE = who("nonce")


def admin(world: World) -> dict[str, Call]:
    authority = world.authority
    return {
        "propose_params": governance.propose_params(authority, world.params),
        "propose_role": governance.propose_role(authority, NetworkRole.PAUSER, bytes(32)),
        "register_model": calls.register_model(authority, 99),
        "set_model": governance.set_model(authority, H100, True),
        "propose_model": governance.propose_model(authority, H100),
        "set_pause": calls.set_pause(world.pauser, 0),
    }


def advance(world: World, holder: Keypair) -> Instruction:
    """Of a nonce account that exists; the first instruction of every durable transaction."""
    first, second = create_nonce_account(holder.pubkey(), NONCE.pubkey(), holder.pubkey(), 10_000_000)
    world.send([first, second], [holder, NONCE])
    world.svm.expire_blockhash()
    return advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=NONCE.pubkey(), authorized_pubkey=holder.pubkey())
    )


@pytest.mark.parametrize(
    "name", ["propose_params", "propose_role", "register_model", "set_model", "propose_model", "set_pause"]
)
def test_an_admins_transaction_that_advances_a_nonce_fails(world: World, name: str) -> None:
    call = admin(world)[name]
    nonce = advance(world, world.payer)
    with refused("DurableNonce"):
        world.do(call, also=[nonce])
    # Trailing bytes change nothing for the runtime, so they change nothing here.
    longer = Instruction(SYSTEM, bytes(nonce.data) + b"\0", nonce.accounts)
    with refused("DurableNonce"):
        world.do(call, also=[longer])
    world.do(call)


def test_elsewhere_in_the_transaction_a_nonce_makes_nothing_durable(world: World) -> None:
    nonce = advance(world, world.payer)
    budget = Instruction(Pubkey.from_string("ComputeBudget111111111111111111111111111111"), b"\x02\x40\x0d\x03\x00", [])
    world.do(admin(world)["set_pause"], also=[budget, nonce])
    assert world.svm.latest_blockhash() != Hash.default()


def test_everybody_else_may_use_one(world: World) -> None:
    """A renter behind a slow wallet, or a multisig."""
    nonce = advance(world, world.payer)
    cluster = world.cluster()
    world.do(calls.withdraw_budget(cluster, 1), also=[nonce])

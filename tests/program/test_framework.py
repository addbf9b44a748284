"""What the program owes to its framework: malformed calls, forged events, accounts that nobody asked for."""

from __future__ import annotations

import pytest
from ionet.codec.program import EVENT_TAG
from ionet.generated import pdas
from ionet.generated.events import NodeFlagsChanged
from ionet.program import PROGRAM
from program.calls import ID
from program.chain import refused
from program.stages import INSTRUCTIONS, Stage, make
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair

pytestmark = pytest.mark.matrix

WITH_ARGS = [item.name for item in PROGRAM.codec.idl.instructions if item.args]


def send(stage: Stage, data: bytes, accounts: list[AccountMeta], signers: list[Keypair] | None = None) -> None:
    instruction = Instruction(ID, data, accounts)
    stage.world.send([instruction], [stage.world.payer, *(stage.call.signers if signers is None else signers)])


@pytest.mark.parametrize("name", WITH_ARGS)
def test_arguments_that_are_cut_off_fail(name: str) -> None:
    stage = make(name)
    data, accounts = bytes(stage.call.instruction.data), stage.call.instruction.accounts
    for short in (data[:-1], data[:8]):
        with refused("InvalidInstructionData"):
            send(stage, short, accounts)


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_an_account_less_fails(name: str) -> None:
    stage = make(name)
    data, accounts = bytes(stage.call.instruction.data), stage.call.instruction.accounts
    with refused("NotEnoughAccountKeys"):
        send(stage, data, accounts[:-1])


@pytest.mark.parametrize("data", [b"", b"\xff", bytes(8), b"\xff" * 8, b"\xff" * 200])
def test_no_instruction_of_the_program_fails(data: bytes) -> None:
    stage = make("settle_lease")
    with refused("InvalidInstructionData"):
        send(stage, data, stage.call.instruction.accounts)


def test_an_event_that_somebody_else_records_fails() -> None:
    stage = make("pause_node")
    node = stage.call.account("node")
    forged = NodeFlagsChanged(node=node, seq=3, at=stage.world.now, before=0, after=2)
    data = EVENT_TAG + PROGRAM.codec.encode_event(forged)
    authority = pdas.event_authority(ID)
    with refused("MissingRequiredSignature"):
        send(stage, data, [AccountMeta(authority, False, False)], [])
    stranger = stage.world.stranger
    with refused("InvalidSeeds"):
        send(stage, data, [AccountMeta(stranger.pubkey(), True, False)], [stranger])
    with refused("InvalidSeeds"):
        send(stage, data, stage.call.instruction.accounts)


@pytest.mark.parametrize("name", ["append_proof", "settle_lease", "report_missed"])
def test_more_accounts_and_bytes_than_needed_change_nothing(name: str) -> None:
    plain, loaded = make(name), make(name)
    expected = plain.world.do(plain.call)
    instruction = loaded.call.instruction
    writable = next(meta for meta in instruction.accounts if meta.is_writable)
    extra = [AccountMeta(loaded.world.stranger.pubkey(), False, True), writable]
    padded = Instruction(ID, bytes(instruction.data) + b"\1\2\3", [*instruction.accounts, *extra])
    landed = loaded.world.send([padded], [loaded.world.payer, *loaded.call.signers])
    assert landed.events == expected.events
    for meta in instruction.accounts:
        ours, theirs = (world.svm.get_account(meta.pubkey) for world in (plain.world, loaded.world))
        assert (ours and ours.data) == (theirs and theirs.data)

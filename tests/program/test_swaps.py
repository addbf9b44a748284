"""Every account of every instruction is exchanged for a wrong one; each exchange must be refused for its own reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from ionet import addresses
from ionet.program import PROGRAM
from program.calls import ID, IO, IOSD, NETWORK, USD, ata
from program.chain import TOKEN_PROGRAM, Call, Chain, refused, who
from program.stages import INSTRUCTIONS, OTHER_PROGRAM, Stage, make
from program.swap_table import FREE, PROGRAMS, SIBLINGS, SINGLETONS, SPECIAL, UNTYPED
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

pytestmark = pytest.mark.matrix


@dataclass(frozen=True)
class Swap:
    """One wrong account, what is wrong with it, and what it must be refused with."""

    slot: str
    kind: str
    call: Call
    error: str


def swaps(stage: Stage) -> Iterator[Swap]:
    call, siblings = stage.call, SIBLINGS[stage.call.name]
    for slot, meta in zip(PROGRAM.codec.instruction(call.name).slots(), call.instruction.accounts, strict=True):
        name = slot.name
        found: list[tuple[str, Call, str]] = []
        if name in siblings:
            found.append(("sibling", sibling(stage, name), siblings[name]))
        # The runtime finds the program that records the event also where an optional account is left out.
        absent = [item.pubkey for item in call.instruction.accounts].count(ID) > 1
        if name in PROGRAMS and not (name == "program" and absent):
            found.append(("other", call.swapped(**{name: OTHER_PROGRAM}), PROGRAMS[name]))
        if name in SINGLETONS:
            found.append(("elsewhere", elsewhere(stage.world, call, name), SINGLETONS[name]))
        if meta.is_signer:
            found.append(("unsigned", call.unsigned(name), "MissingRequiredSignature"))
        elif stage.world.exists(meta.pubkey) and name not in PROGRAMS:
            found.extend(wrong_content(stage, name, meta))
        if meta.is_writable and not meta.is_signer:
            error = "ConstraintMut" if stage.world.exists(meta.pubkey) else "PrivilegeEscalation"
            found.append(("read-only", read_only(call, meta.pubkey), error))
        for kind, wrong, error in found:
            yield Swap(name, kind, wrong, SPECIAL.get((call.name, name, kind), error))


def sibling(stage: Stage, slot: str) -> Call:
    other = stage.others[slot]
    if not isinstance(other, Keypair):
        return stage.call.swapped(**{slot: other})
    stage.world.fund(other.pubkey())
    signs = stage.call.account(slot) in [key.pubkey() for key in stage.call.signers]
    return stage.call.signed_by(slot, other) if signs else stage.call.swapped(**{slot: other.pubkey()})


def elsewhere(chain: Chain, call: Call, slot: str) -> Call:
    """The same bytes at another address, or an address without an account."""
    key = call.account(slot)
    there = who(f"elsewhere {slot}").pubkey()
    return call.swapped(**{slot: chain.put_copy(key, there) if chain.exists(key) else there})


def wrong_content(stage: Stage, slot: str, meta: AccountMeta) -> Iterator[tuple[str, Call, str]]:
    """The right bytes of another owner, an account of another type, an address without an account."""
    world, call = stage.world, stage.call
    account = world.raw(meta.pubkey)
    if account.owner not in (ID, TOKEN_PROGRAM):
        return  # a wallet or another program's account: its address is what counts
    if (call.name, slot) in UNTYPED:
        return
    foreign = world.put_copy(meta.pubkey, who(f"foreign {slot}").pubkey(), owner=OTHER_PROGRAM)
    yield "foreign", call.swapped(**{slot: foreign}), "IllegalOwner"
    used = [item.pubkey for item in call.instruction.accounts]
    choices = [IOSD, NETWORK, stage.others["node"]] if account.owner == ID else [IO, USD, ata(world.treasury, IO)]
    for other in choices:
        assert isinstance(other, Pubkey)
        if not world.exists(other):
            continue
        data = world.raw(other).data
        same = data[:8] == account.data[:8] if account.owner == ID else len(data) == len(account.data)
        if other not in used and not same:
            small = len(data) < len(account.data)
            yield "type", call.swapped(**{slot: other}), "AccountDataTooSmall" if small else "InvalidAccountData"
            break
    absent = "AccountDataTooSmall" if meta.is_writable else "UninitializedAccount"
    if account.owner == TOKEN_PROGRAM and not meta.is_writable:
        absent = "IllegalOwner"
    yield "absent", call.swapped(**{slot: who("nowhere").pubkey()}), absent


def read_only(call: Call, key: Pubkey) -> Call:
    metas = [AccountMeta(m.pubkey, m.is_signer, m.is_writable and m.pubkey != key) for m in call.instruction.accounts]
    return replace(call, instruction=Instruction(ID, call.instruction.data, metas))


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_every_wrong_account_is_refused_and_the_right_ones_are_not(name: str) -> None:
    stage = make(name)
    tried = set()
    for swap in swaps(stage):
        try:
            with refused(swap.error):
                stage.world.do(swap.call)
        except (AssertionError, pytest.fail.Exception) as failure:
            pytest.fail(f"{name}, {swap.slot}, {swap.kind}: {failure}")
        tried.add(swap.slot)
    slots = {slot.name for slot in PROGRAM.codec.instruction(name).slots()}
    free = {slot for instruction, slot in FREE if instruction == name}
    assert slots - tried <= free | {"program"}
    stage.world.do(stage.call)


def test_the_table_names_every_slot_of_the_program() -> None:
    """A new instruction or account cannot be forgotten, and none that is gone is kept."""
    for item in PROGRAM.codec.idl.instructions:
        named = set(SIBLINGS[item.name])
        free = {slot for instruction, slot in FREE if instruction == item.name}
        slots = {slot.name for slot in item.slots()}
        assert slots - set(SINGLETONS) - set(PROGRAMS) == named | free, item.name
        assert not named & free
    assert set(SIBLINGS) == set(INSTRUCTIONS) == {item.name for item in PROGRAM.codec.idl.instructions}


def test_another_account_in_every_pair_of_writable_slots_fails() -> None:
    """The same account twice for writing is refused whatever the two slots are."""
    stage = make("settle_lease")
    writable = ("node", "cluster", "lease", "escrow", "payout_account", "owed")
    for first in writable:
        for second in writable:
            if first != second:
                with refused("ConstraintDuplicateMutableAccount"):
                    stage.world.do(stage.call.swapped(**{first: stage.call.account(second)}))


def test_the_second_set_is_whole() -> None:
    """What the table exchanges exists: a refusal because of an empty address would prove nothing."""
    stage = make("close_lease")
    for slot in ("node", "cluster", "lease", "position", "stake_vault", "escrow", "model", "renter_account"):
        other = stage.others[slot]
        assert isinstance(other, Pubkey)
        assert stage.world.exists(other), slot
    assert stage.world.exists(addresses.program_data(ID))

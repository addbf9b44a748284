"""What is generated from the IDL is what the committed IDL gives, and the hand-written addresses agree with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ionet.addresses import RULES
from ionet.generated import errors as program_errors
from ionet.generated import pdas
from ionet.generated.classes import CLASSES
from ionet.generated.types import NodeTerms, Params, ProofEntry
from ionet.idl import bundled
from ionet.idl.model import AccountSeed, ArgSeed, ConstSeed, Field, StructBody, named_fields
from ionet.program import PROGRAM
from solders.instruction import Instruction
from solders.pubkey import Pubkey

ROOT = Path(__file__).resolve().parents[3]
IDL = bundled()
KEYS = st.binary(min_size=32, max_size=32).map(Pubkey)
TERMS = NodeTerms(
    price=1, min_coverage_bps=0, min_duration=1, max_duration=2, payout=Pubkey.default(), fee_payer=Pubkey.default(),
    country=1, currencies=1, region=0,
)  # fmt: skip
LISTS: dict[str, Any] = {"tier_secs": (1, 2, 3), "tier_bps": (1, 2, 3, 4)}
PARAMS = Params(**{name: LISTS.get(name, 1) for name in Params.__struct_fields__})
ENTRY = ProofEntry(interval=7, served_secs=7, gpu_ms=7, root=bytes(32))


def test_regenerating_changes_nothing() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "generate-types"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "unchanged\n"), result.stdout + result.stderr


def test_every_name_has_its_class() -> None:
    for item in (*IDL.accounts, *IDL.events):
        assert CLASSES[item.name].__name__ == item.name
    for item in IDL.accounts:
        assert PROGRAM.codec.account_class(item.name) is CLASSES[item.name]
    for error in IDL.errors:
        kind = program_errors.BY_CODE[error.code]
        assert (kind.__name__, kind.code, kind.message()) == (error.name, error.code, error.msg)


def _argument(kind: Any, key: Pubkey) -> Any:
    """A value of an IDL type."""
    name, of = (kind, {}) if isinstance(kind, str) else next(iter(kind.items()))
    if name == "defined":
        return {"NodeTerms": TERMS, "Params": PARAMS, "ProofEntry": ENTRY}[of["name"]]
    if name == "vec":
        return (_argument(of, key),)
    return {"array": bytes(32), "pubkey": key, "bool": True}.get(name, 7)


def _passed(argument: Field) -> tuple[Field, ...]:
    """What the caller of a builder passes: the fields of an argument struct one by one."""
    if argument.name != "args":
        return (argument,)
    assert isinstance(argument.type, dict)
    body = IDL.type_def(argument.type["defined"]["name"]).type
    assert isinstance(body, StructBody)
    return named_fields(body.fields)


def _call(name: str, key: Pubkey) -> Instruction:
    """Any instruction, every required account and argument given something that fits."""
    item = PROGRAM.codec.instruction(name)
    rules = {slot.name for slot in item.slots() if slot.name in RULES or f"{name}.{slot.name}" in RULES}
    wanted: dict[str, Any] = {}
    for slot in item.slots():
        if slot.fixed_address is None and slot.pda is None and slot.name not in rules | {"program"}:
            wanted[slot.name] = key
    for field in item.args:
        wanted.update({passed.name: _argument(passed.type, key) for passed in _passed(field)})
    return getattr(PROGRAM.ix, name)(**wanted)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", [item.name for item in IDL.instructions])
@given(key=KEYS)
def test_builder_fills_every_account(name: str, key: Pubkey) -> None:
    instruction = _call(name, key)
    item = PROGRAM.codec.instruction(name)
    assert len(instruction.accounts) == len(item.slots())
    for slot, meta in zip(item.slots(), instruction.accounts, strict=True):
        left_out = slot.optional and meta.pubkey == PROGRAM.id
        assert (meta.is_signer, meta.is_writable) == ((False, False) if left_out else (slot.signer, slot.writable))
    assert PROGRAM.codec.decode_args(bytes(instruction.data)).name == name


# How the IDL names a PDA's seeds, and the function that must give the same address.
FUNCTIONS: dict[tuple[str, ...], Any] = {
    ("network",): lambda program: pdas.network(program),
    ("iosd",): lambda program: pdas.iosd(program),
    ("io_mint",): lambda program: pdas.io_mint(program),
    ("iosd_mint",): lambda program: pdas.iosd_mint(program),
    ("__event_authority",): lambda program: pdas.event_authority(program),
    ("model", "<code>"): pdas.model,
    ("model", "<model_code>"): pdas.model,
    ("renter", "<renter>"): pdas.renter_account,
    ("node", "<device_key>"): pdas.node,
    ("position", "<node>", "<staker>"): pdas.position,
    ("cluster", "<renter>", "<id>"): pdas.cluster,
    ("stake", "<node>"): pdas.stake_vault,
    ("income", "<node>", "<mint>"): pdas.income_vault,
    ("escrow", "<cluster>"): pdas.escrow,
    ("fees", "<mint>"): pdas.fee_vault,
    ("burn", "<mint>"): pdas.burn_vault,
    ("owed", "<mint>", "<owner>"): pdas.owed,
}


def test_addresses_agree_with_the_idl() -> None:
    """Every PDA in the IDL is one of ours, with the same seeds in the same order."""
    seen = set()
    for item in IDL.instructions:
        for slot in item.slots():
            if slot.pda is None:
                continue
            seeds = slot.pda.seeds
            shape = tuple(bytes(s.value).decode() if isinstance(s, ConstSeed) else f"<{s.path}>" for s in seeds)
            seen.add(shape)
            _same_address(item.name, slot.name, shape, seeds)
    assert seen == FUNCTIONS.keys()


def _same_address(instruction: str, slot: str, shape: tuple[str, ...], seeds: Any) -> None:
    key = Pubkey(bytes([3] * 32))
    built = PROGRAM.builder.accounts(instruction, _call(instruction, key))
    values: list[Pubkey | int] = []
    for seed in seeds:
        if isinstance(seed, AccountSeed):
            values.append(built[seed.path])
        elif isinstance(seed, ArgSeed):
            values.append(7)
    assert built[slot] == FUNCTIONS[shape](PROGRAM.id, *values)


def test_zero_copy_accounts_have_no_holes() -> None:
    """A repr(C) struct whose fields are packed must end on its alignment; Anchor's zero-copy accounts do."""
    for item in IDL.accounts:
        size = PROGRAM.codec.account_size(CLASSES[item.name])
        assert size is not None
        assert size % 8 == 0, item.name

"""The builder against the hand-written IDL: which accounts it finds, in which order, with which flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ionet.build import Builder, BuildError
from ionet.codec import EncodeError, ProgramCodec
from ionet.idl import IdlError, load_file
from solders.pubkey import Pubkey

CODEC = ProgramCodec(load_file(Path(__file__).parent.parent / "codec" / "kitchen_sink.json"))
RENTER, MINT, VAULT, OTHER = (Pubkey(bytes([n] * 32)) for n in (1, 2, 3, 4))
TERMS = CODEC._types.class_of("Terms")(5, 0, None)
ARGS = {"id": 258, "terms": TERMS, "note": "hi"}


def _vault_rule(_program: Pubkey, known: Mapping[str, Pubkey], _args: Mapping[str, Any]) -> Pubkey | None:
    return VAULT if "mint" in known else None


def test_accounts_that_nobody_gives_are_found() -> None:
    instruction = Builder(CODEC, {"vault": _vault_rule}).build("open", {"renter": RENTER, "mint": MINT}, ARGS)
    lease = Pubkey.find_program_address([b"lease", bytes(RENTER), (258).to_bytes(8, "little")], CODEC.id)[0]
    system = Pubkey.default()
    got = [(meta.pubkey, meta.is_signer, meta.is_writable) for meta in instruction.accounts]
    assert got == [
        (RENTER, True, True),
        (lease, False, True),
        (CODEC.id, False, False),  # the optional referrer left out
        (MINT, False, False),
        (VAULT, False, True),
        (system, False, False),
        (CODEC.id, False, False),
    ]
    assert bytes(instruction.data) == CODEC.encode_args("open", ARGS)


def test_explicit_account_wins() -> None:
    builder = Builder(CODEC)
    accounts = {"renter": RENTER, "mint": MINT, "vault": OTHER, "referrer": OTHER, "lease": OTHER}
    named = builder.accounts("open", builder.build("open", accounts, ARGS))
    assert named["lease"] == named["vault"] == named["referrer"] == OTHER


def test_an_account_can_be_replaced() -> None:
    builder = Builder(CODEC)
    instruction = builder.build("open", {"renter": RENTER, "mint": MINT, "vault": VAULT}, ARGS)
    swapped = builder.replace("open", instruction, vault=OTHER)
    assert swapped.accounts[4].pubkey == OTHER
    assert swapped.accounts[4].is_writable
    assert [meta for at, meta in enumerate(swapped.accounts) if at != 4] == [
        meta for at, meta in enumerate(instruction.accounts) if at != 4
    ]
    with pytest.raises(BuildError, match="no account 'nope'"):
        builder.replace("open", instruction, nope=OTHER)


def test_missing_and_unknown_accounts_fail() -> None:
    with pytest.raises(BuildError, match=r"open needs vault$"):
        Builder(CODEC).build("open", {"renter": RENTER, "mint": MINT}, ARGS)
    with pytest.raises(BuildError, match="open needs renter, lease, mint, vault"):
        Builder(CODEC).build("open", {}, ARGS)
    with pytest.raises(BuildError, match="open has no account extra"):
        Builder(CODEC).build("open", {"extra": OTHER}, ARGS)
    with pytest.raises(EncodeError, match="argument id"):
        Builder(CODEC).build("open", {"renter": RENTER, "mint": MINT, "vault": VAULT}, {**ARGS, "id": -1})
    with pytest.raises(IdlError, match="no instruction 'shut'"):
        Builder(CODEC).build("shut", {}, {})

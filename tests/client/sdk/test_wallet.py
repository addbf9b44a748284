"""Keypair files, external signers, unsigned transactions."""

from __future__ import annotations

import json
import stat
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from ionet.errors import WalletError
from ionet.wallet import (
    KeypairSigner,
    compile_message,
    read_keypair,
    read_signed,
    sign_all,
    unsigned,
    write_keypair,
)
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

PAYER, OTHER = Keypair.from_seed(bytes([1] * 32)), Keypair.from_seed(bytes([2] * 32))
MOVE = transfer(TransferParams(from_pubkey=OTHER.pubkey(), to_pubkey=PAYER.pubkey(), lamports=5))
MESSAGE = compile_message(PAYER.pubkey(), [MOVE], Hash.default())


class Device:
    """A signer that only sees bytes, like a hardware wallet."""

    def __init__(self, keypair: Keypair, *, broken: bool = False) -> None:
        self._keypair = keypair
        self._broken = broken
        self.seen: list[bytes] = []

    @property
    def pubkey(self) -> Pubkey:
        return self._keypair.pubkey()

    async def sign(self, message: bytes) -> Signature:
        self.seen.append(message)
        return self._keypair.sign_message(b"other" if self._broken else message)


def test_keypair_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "id.json"
    write_keypair(path, PAYER)
    assert read_keypair(path) == PAYER
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == list(bytes(PAYER))
    with pytest.raises(WalletError, match="never overwritten"):
        write_keypair(path, OTHER)
    assert read_keypair(path) == PAYER


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "not JSON"),
        ("[1, 2, 3]", "64 numbers"),
        (json.dumps([300] * 64), "64 numbers"),
        (json.dumps([True] * 64), "64 numbers"),
        (json.dumps({"a": 1}), "64 numbers"),
        (json.dumps(list(bytes(PAYER))[:32] + list(bytes(OTHER))[32:]), "public half"),
    ],
)
def test_bad_keypair_file_fails(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "id.json"
    path.write_text(text)
    with pytest.raises(WalletError, match=message):
        read_keypair(path)
    with pytest.raises(WalletError, match="there is no "):
        read_keypair(tmp_path / "missing.json")
    with pytest.raises(WalletError, match="cannot read"):
        read_keypair(tmp_path)


async def test_an_external_signer_sees_only_the_message() -> None:
    device = Device(OTHER)
    transaction = await sign_all(MESSAGE, [KeypairSigner(PAYER), device])
    assert device.seen == [to_bytes_versioned(MESSAGE)]
    assert transaction.verify_with_results() == [True, True]
    assert transaction == VersionedTransaction(MESSAGE, [PAYER, OTHER])


async def test_missing_or_wrong_signature_fails() -> None:
    with pytest.raises(WalletError, match=f"nobody here can sign for {OTHER.pubkey()}"):
        await sign_all(MESSAGE, [KeypairSigner(PAYER)])
    with pytest.raises(WalletError, match=f"the signature for {OTHER.pubkey()} is wrong"):
        await sign_all(MESSAGE, [KeypairSigner(PAYER), Device(OTHER, broken=True)])


async def test_unsigned_ok() -> None:
    result = await unsigned(MESSAGE, 77)
    transaction = VersionedTransaction.from_bytes(b64decode(result.transaction))
    assert transaction.message == MESSAGE
    assert transaction.signatures == [Signature.default()] * 2
    assert result.signers == [str(PAYER.pubkey()), str(OTHER.pubkey())]
    assert result.last_valid_block_height == 77


async def test_signatures_at_hand_are_filled_in() -> None:
    result = await unsigned(MESSAGE, 77, [Device(OTHER)])
    assert result.signers == [str(PAYER.pubkey())]
    transaction = VersionedTransaction.from_bytes(b64decode(result.transaction))
    assert transaction.verify_with_results() == [False, True]
    with pytest.raises(WalletError, match=f"{PAYER.pubkey()} is missing or wrong"):
        read_signed(result.transaction)
    payer = PAYER.sign_message(to_bytes_versioned(MESSAGE))
    complete = VersionedTransaction.populate(MESSAGE, [payer, transaction.signatures[1]])
    assert read_signed(b64encode(bytes(complete)).decode()) == complete


@pytest.mark.parametrize("text", ["", "####", "aGVsbG8="])
def test_no_transaction_fails(text: str) -> None:
    with pytest.raises(WalletError, match="not a transaction in base64"):
        read_signed(text)

"""The price poster writes the bytes of the Pyth receiver's PriceUpdateV2, and only its owner's."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

PROGRAM = Pubkey.from_string("rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ")
SO = Path(__file__).parents[2] / "client/ionet/artifacts/price_poster.so"
DISCRIMINATOR = bytes.fromhex("22f123639d7ef4cd")
FEED = bytes(range(32))


class Poster:
    """A chain with the poster and one signer."""

    def __init__(self) -> None:
        self.svm = LiteSVM()
        self.svm.add_program(PROGRAM, SO.read_bytes())
        self.signer = Keypair()
        self.svm.airdrop(self.signer.pubkey(), 10**10)

    def address(self, authority: Pubkey, feed: bytes = FEED) -> Pubkey:
        return Pubkey.find_program_address([b"price", bytes(authority), feed], PROGRAM)[0]

    def post(
        self, price: int, publish_time: int, partial: int = 0, account: Pubkey | None = None, signed: bool = True
    ) -> str | None:
        """The error, or None."""
        body = struct.pack("<32sqQiqqQB", FEED, price, 111, -8, publish_time, price - 5, 222, partial)
        me = self.signer.pubkey()
        target = account or self.address(me)
        metas = [AccountMeta(me, signed, True), AccountMeta(target, False, True), AccountMeta(SYSTEM, False, False)]
        instruction = Instruction(PROGRAM, hashlib.sha256(b"global:post_price").digest()[:8] + body, metas)
        payer = self.signer if signed else Keypair()
        if not signed:
            self.svm.airdrop(payer.pubkey(), 10**9)
        self.svm.expire_blockhash()
        blockhash = self.svm.latest_blockhash()
        message = Message.new_with_blockhash([instruction], payer.pubkey(), blockhash)
        result = self.svm.send_transaction(Transaction([payer], message, blockhash))
        return str(result.err()) if isinstance(result, FailedTransactionMetadata) else None

    def data(self) -> bytes:
        account = self.svm.get_account(self.address(self.signer.pubkey()))
        assert account is not None
        assert account.owner == PROGRAM
        return account.data


@pytest.fixture
def poster() -> Poster:
    return Poster()


def update(authority: Pubkey, level: bytes, price: int, time: int, previous: int, slot: int) -> bytes:
    """PriceUpdateV2 as the receiver lays it out."""
    message = struct.pack("<32sqQiqqqQ", FEED, price, 111, -8, time, previous, price - 5, 222)
    return DISCRIMINATOR + bytes(authority) + level + message + struct.pack("<Q", slot)


def test_a_full_update_has_the_receivers_bytes(poster: Poster) -> None:
    poster.svm.warp_to_slot(1234)
    assert poster.post(31_000_000, 1_700_000_000) is None
    want = update(poster.signer.pubkey(), b"\x01", 31_000_000, 1_700_000_000, 0, 1234)
    assert len(want) == 133
    assert poster.data() == want + b"\0"


def test_a_second_post_overwrites_and_remembers_the_first_time(poster: Poster) -> None:
    assert poster.post(31_000_000, 1_700_000_000) is None
    assert poster.post(-7, 1_700_000_009) is None
    slot = poster.svm.get_clock().slot
    assert poster.data()[:133] == update(poster.signer.pubkey(), b"\x01", -7, 1_700_000_009, 1_700_000_000, slot)


def test_a_partial_update_carries_its_signatures_and_shifts_the_rest(poster: Poster) -> None:
    assert poster.post(5, 1, partial=3) is None
    slot = poster.svm.get_clock().slot
    assert poster.data() == update(poster.signer.pubkey(), b"\x00\x03", 5, 1, 0, slot)
    assert poster.post(6, 2) is None
    assert poster.data()[:133] == update(poster.signer.pubkey(), b"\x01", 6, 2, 1, slot)


def test_nobody_writes_another_ones_price(poster: Poster) -> None:
    stranger = poster.address(Keypair().pubkey())
    assert poster.post(1, 1, account=stranger) is not None
    assert poster.svm.get_account(stranger) is None


def test_the_authority_must_sign(poster: Poster) -> None:
    assert poster.post(1, 1, signed=False) is not None
    assert poster.svm.get_account(poster.address(poster.signer.pubkey())) is None


def test_a_price_account_that_somebody_sent_lamports_to_still_opens(poster: Poster) -> None:
    poster.svm.airdrop(poster.address(poster.signer.pubkey()), 10**6)
    assert poster.post(9, 9) is None
    assert poster.data()[:8] == DISCRIMINATOR

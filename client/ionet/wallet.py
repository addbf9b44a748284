"""Who signs: a keypair file, or anything that turns message bytes into a signature (hardware, browser, service)."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, MessageV1, TransactionConfig, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from ionet.errors import WalletError


@runtime_checkable
class Signer(Protocol):
    """One key that signs. `sign` gets the unsigned message bytes and may ask a person or a device."""

    @property
    def pubkey(self) -> Pubkey: ...

    async def sign(self, message: bytes) -> Signature: ...


# What this client compiles.
Message = MessageV0 | MessageV1


class KeypairSigner:
    """A key held in memory."""

    def __init__(self, keypair: Keypair) -> None:
        self.keypair = keypair

    @property
    def pubkey(self) -> Pubkey:
        return self.keypair.pubkey()

    async def sign(self, message: bytes) -> Signature:
        return self.keypair.sign_message(message)


class Watch:
    """A wallet of which only the address is known: what it is to sign can be planned, rehearsed and read, not signed.

    instead: what whoever asks for a signature is told to do.
    """

    def __init__(self, address: Pubkey, instead: str = "take the unsigned transaction to it") -> None:
        self.pubkey, self._instead = address, instead

    async def sign(self, message: bytes) -> Signature:  # noqa: ARG002 (as every signer)
        """Raises WalletError."""
        raise WalletError(f"{self.pubkey} signs elsewhere: {self._instead}")


class Unsigned(msgspec.Struct, frozen=True):
    """A transaction that still has to be signed.

    transaction: base64 of the wire format with missing signatures empty, as wallets take it. signers: who must still
    sign, the payer first. last_valid_block_height: afterwards it can no longer land.
    """

    transaction: str
    signers: list[str]
    last_valid_block_height: int


def read_keypair(path: str | Path) -> Keypair:
    """The keypair in a file as Solana's CLI writes it: a JSON list of 64 numbers. Raises WalletError."""
    try:
        numbers = json.loads(Path(path).expanduser().read_text())
    except FileNotFoundError:
        raise WalletError(f"there is no {path}: name another by --keypair, or `ionet keys new {path}`") from None
    except OSError as error:
        raise WalletError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise WalletError(f"{path} is not a keypair file: not JSON") from None
    if not (isinstance(numbers, list) and len(numbers) == 64 and all(_is_byte(number) for number in numbers)):
        raise WalletError(f"{path} is not a keypair file: 64 numbers from 0 to 255 are expected")
    try:
        return Keypair.from_bytes(bytes(numbers))
    except ValueError:
        raise WalletError(f"{path} is not a keypair file: the public half does not fit the secret half") from None


def _is_byte(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255


def write_keypair(path: str | Path, keypair: Keypair) -> None:
    """Create a keypair file that only its owner can read. Raises WalletError when the file exists."""
    target = Path(path).expanduser()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise WalletError(f"{path} exists already; a key is never overwritten") from None
    except OSError as error:
        raise WalletError(f"cannot write {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(list(bytes(keypair))))


def compile_message(
    payer: Pubkey,
    instructions: Sequence[Instruction],
    blockhash: Hash,
    tables: Sequence[AddressLookupTableAccount] = (),
) -> MessageV0:
    """A version 0 message; of the lookup tables those are named that hold one of its accounts."""
    return MessageV0.try_compile(payer, list(instructions), list(tables), blockhash)


def compile_message_v1(
    payer: Pubkey, instructions: Sequence[Instruction], blockhash: Hash, limit: int, micro_lamports: int
) -> MessageV1:
    """A version 1 message: up to 4,096 bytes and 64 accounts, no lookup tables, and the budget in the message itself.

    limit: compute units. micro_lamports: per compute unit; the message states the whole fee in lamports, rounded up.
    """
    fee = -(-limit * micro_lamports // 1_000_000)
    config = TransactionConfig(priority_fee=fee or None, compute_unit_limit=limit)
    return MessageV1.try_compile(payer, list(instructions), blockhash, config)


def required_signers(message: Message) -> list[Pubkey]:
    """The keys that must sign, the payer first."""
    return message.account_keys[: message.header.num_required_signatures]


async def unsigned(message: Message, last_valid_block_height: int, signers: Sequence[Signer] = ()) -> Unsigned:
    """The message as a wallet takes it, with the signatures of the signers at hand already in it."""
    by_key = {signer.pubkey: signer for signer in signers}
    needed = required_signers(message)
    signatures = [await _signature(by_key[key], message) if key in by_key else Signature.default() for key in needed]
    encoded = b64encode(bytes(VersionedTransaction.populate(message, signatures))).decode()
    return Unsigned(encoded, [str(key) for key in needed if key not in by_key], last_valid_block_height)


def read_signed(text: str) -> VersionedTransaction:
    """A fully signed transaction from base64. Raises WalletError when it is none or a signature is missing or wrong."""
    try:
        transaction = VersionedTransaction.from_bytes(b64decode(text, validate=True))
    except ValueError:
        raise WalletError("this is not a transaction in base64") from None
    keys = transaction.message.account_keys
    for key, good in zip(keys, transaction.verify_with_results(), strict=False):
        if not good:
            raise WalletError(f"the signature of {key} is missing or wrong")
    return transaction


async def _signature(signer: Signer, message: Message) -> Signature:
    payload = to_bytes_versioned(message)
    signature = await signer.sign(payload)
    if not signature.verify(signer.pubkey, payload):
        raise WalletError(f"the signature for {signer.pubkey} is wrong")
    return signature


async def sign_all(message: Message, signers: Sequence[Signer]) -> VersionedTransaction:
    """Collect every signature. Raises WalletError when a signer is missing or a signature is wrong."""
    by_key = {signer.pubkey: signer for signer in signers}
    signatures = []
    for key in required_signers(message):
        if key not in by_key:
            raise WalletError(f"nobody here can sign for {key}")
        signatures.append(await _signature(by_key[key], message))
    return VersionedTransaction.populate(message, signatures)

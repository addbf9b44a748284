"""Sends what a wallet signed, if it is a transaction that could have been built here, and follows it to its end."""

from __future__ import annotations

from typing import Any

from ionet.client import Client
from ionet.errors import WalletError
from ionet.program import Program
from ionet.rpc import Rpc
from ionet.wallet import read_signed
from msgspec import Struct
from solders.instruction import CompiledInstruction
from solders.message import Message as LegacyMessage
from solders.message import VersionedMessage
from solders.pubkey import Pubkey

from ionet_actions.kinds import KINDS

BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
_ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
_CREATE_IDEMPOTENT = b"\x01"
_MOST_BYTES = 4096
_MOST_TEXT = 4 * -(-_MOST_BYTES // 3)


class Foreign(WalletError):
    """this is not a transaction that was built here"""


class Signed(Struct, frozen=True, forbid_unknown_fields=True):
    """transaction: base64 of the wire format with every signature."""

    transaction: str


class Done(Struct, frozen=True):
    """A transaction that landed and succeeded. fee: lamports. events: what the program recorded, in order."""

    signature: str
    slot: int
    fee: str
    events: list[dict[str, Any]]


async def submit(rpc: Rpc, text: str) -> Done:
    """Raises WalletError, Foreign among them, before anything is sent; then what sending raises."""
    if len(text) > _MOST_TEXT:
        raise Foreign("it is longer than a transaction can be")
    client = Client(rpc)
    check(client.program, read_signed(text).message)
    receipt = await client.submit(text)
    events = [{"name": type(record.event).__name__, **_plain(record.event)} for record in receipt.events]
    return Done(str(receipt.signature), receipt.slot, str(receipt.fee), events)


def check(program: Program, message: VersionedMessage) -> None:
    """Refuses what no plan of `kinds` could come to. Wallets may change version, compute budget and priority fee.

    Nothing else is theirs to add: this process sends nobody's other transactions. Raises Foreign.
    """
    if isinstance(message, LegacyMessage) or getattr(message, "address_table_lookups", None):
        raise Foreign("it names accounts by lookup tables, or has no version")
    known = {bytes(found.discriminator): found.name for found in program.codec.idl.instructions}
    names = set()
    for item in message.instructions:
        owner = account_of(message, item.program_id_index)
        if owner == BUDGET:
            continue
        if owner == _ASSOCIATED:
            _check_opening(message, item)
            continue
        name = known.get(bytes(item.data)[:8]) if owner == program.id else None
        if name is None:
            raise Foreign(f"it calls {owner}")
        names.add(name)
    if not names:
        raise Foreign("it does nothing")
    if not any(names <= set(kind.takes) for kind in KINDS.values()):
        raise Foreign(f"no action is made of {', '.join(sorted(names))}")


def _check_opening(message: VersionedMessage, item: CompiledInstruction) -> None:
    """A token account may be opened by who pays for the whole."""
    accounts = [account_of(message, at) for at in item.accounts]
    if bytes(item.data) != _CREATE_IDEMPOTENT or not accounts or accounts[0] != message.account_keys[0]:
        raise Foreign("it opens a token account as no plan does")


def account_of(message: VersionedMessage, at: int) -> Pubkey:
    """The account of this number. Raises Foreign."""
    if at >= len(message.account_keys):
        raise Foreign("it names an account that it does not have")
    return message.account_keys[at]


def _plain(event: Any) -> dict[str, Any]:
    """Fields of an event as JSON: addresses in base58, hashes in hex, numbers as text."""
    return {name: _text(getattr(event, name)) for name in event.__struct_fields__}


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Struct):
        return _plain(value)
    if isinstance(value, (list, tuple)):
        return [_text(each) for each in value]
    return str(value)

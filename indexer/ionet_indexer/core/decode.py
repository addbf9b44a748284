"""From a transaction as `getTransaction` returns it to the program's events in execution order. Pure.

Only what the chain vouches for counts: CPI events (inner instructions to the program itself, signed by its event
authority) of transactions that succeeded. Log lines and other programs' look-alikes are never read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from ionet import base58
from ionet.codec import EVENT_TAG, DecodeError, ProgramCodec, UnknownEvent
from ionet.errors import IonetError

# An event's place in the chain as one signed 64-bit number, so that order is a plain integer comparison.
_TX_BITS, _IX_BITS = 16, 7
MAX_SLOT = 1 << (63 - _TX_BITS - 2 * _IX_BITS)


class BadTransaction(IonetError):
    """the events of a transaction cannot be read"""


class InnerInstruction(msgspec.Struct, rename="camel", gc=False):
    """One instruction of the flat inner list; `data` is base58."""

    program_id_index: int
    data: str


class InnerList(msgspec.Struct, gc=False):
    """All inner instructions under outer instruction `index`, in execution order at any depth."""

    index: int
    instructions: list[InnerInstruction]


class Loaded(msgspec.Struct, gc=False):
    """Accounts that came from address lookup tables."""

    writable: list[str]
    readonly: list[str]


class Meta(msgspec.Struct, rename="camel", gc=False):
    """Outcome of a transaction; `err` is null for success."""

    err: Any = None
    inner_instructions: list[InnerList] | None = None
    loaded_addresses: Loaded | None = None


class Message(msgspec.Struct, rename="camel", gc=False):
    """The part of a message that instructions refer to."""

    account_keys: list[str]


class Body(msgspec.Struct, gc=False):
    """Signed part of a transaction; the first signature is its id."""

    signatures: list[str]
    message: Message


class Transaction(msgspec.Struct, rename="camel", gc=False):
    """A `getTransaction` result with encoding json. `block_time` is unix seconds.

    A node may have lost the outcome (`meta`) or the time.
    """

    slot: int
    transaction: Body
    meta: Meta | None
    block_time: int | None = None
    transaction_index: int | None = None

    @property
    def signature(self) -> str:
        """Base58 id of the transaction."""
        return self.transaction.signatures[0]


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event of the program. Identity: (signature, outer_ix, inner_ix). Order: `position`."""

    position: int
    signature: str
    outer_ix: int
    inner_ix: int
    slot: int
    block_time: int | None
    data: bytes
    """Discriminator and payload as the program wrote them."""
    value: Any
    """The decoded event."""


class Unread(msgspec.Struct, frozen=True):
    """Stands for an event that this version does not know; what it says is in the bytes beside it.

    It is stored and no table has anything of it. A version that knows it reads it when it rebuilds the tables.
    """


def read_event(data: bytes, codec: ProgramCodec) -> Any:
    """The event of these bytes, `Unread` where a later version of the program recorded it. Raises DecodeError."""
    if len(data) < 8:
        raise DecodeError("too short for an event")
    try:
        return codec.decode_event(data)
    except UnknownEvent:
        return Unread()


def position(slot: int, tx_index: int, outer_ix: int, inner_ix: int) -> int:
    """Order of events in one number. Raises BadTransaction outside the chain's limits."""
    ok = slot < MAX_SLOT and tx_index < 1 << _TX_BITS and outer_ix < 1 << _IX_BITS and inner_ix < 1 << _IX_BITS
    if not ok:
        raise BadTransaction(f"no place for slot {slot}, transaction {tx_index}, instruction {outer_ix}.{inner_ix}")
    return (((slot << _TX_BITS) | tx_index) << 2 * _IX_BITS) | (outer_ix << _IX_BITS) | inner_ix


def first_position(slot: int) -> int:
    """The smallest position an event of `slot` can have."""
    return slot << (_TX_BITS + 2 * _IX_BITS)


def slot_of(position_: int) -> int:
    """The slot of a position."""
    return position_ >> (_TX_BITS + 2 * _IX_BITS)


def decode(transaction: Transaction, codec: ProgramCodec) -> list[Event]:
    """The program's events in execution order; none for a failed transaction.

    Needs `transaction_index`. Raises BadTransaction when an event that this version knows cannot be read: skipping it
    would hide a loss. One that it does not know is `Unread`.
    """
    meta, signature = transaction.meta, transaction.signature
    if meta is None:
        raise BadTransaction(f"{signature}: its outcome is not known")
    if meta.err is not None or not meta.inner_instructions:
        return []
    ours = _index_of(str(codec.id), transaction, meta)
    if ours is None:
        return []
    events = []
    for inner in meta.inner_instructions:
        for inner_ix, instruction in enumerate(inner.instructions):
            if instruction.program_id_index != ours:
                continue
            data = _bytes(instruction.data, signature)
            if data[:8] != EVENT_TAG:
                continue
            place = _place(transaction, inner.index, inner_ix)
            try:
                value = read_event(data[8:], codec)
            except DecodeError as error:
                raise BadTransaction(f"{signature} {inner.index}.{inner_ix}: {error}") from None
            events.append(
                Event(
                    place, signature, inner.index, inner_ix, transaction.slot, transaction.block_time, data[8:], value
                )
            )
    return events


def _index_of(program: str, transaction: Transaction, meta: Meta) -> int | None:
    keys = transaction.transaction.message.account_keys
    loaded = meta.loaded_addresses
    if loaded is not None and (loaded.writable or loaded.readonly):
        keys = [*keys, *loaded.writable, *loaded.readonly]
    return keys.index(program) if program in keys else None


def _bytes(text: str, signature: str) -> bytes:
    try:
        return base58.decode(text)
    except base58.Base58Error as error:
        raise BadTransaction(f"{signature}: {error}") from None


def _place(transaction: Transaction, outer_ix: int, inner_ix: int) -> int:
    if transaction.transaction_index is None:
        raise BadTransaction(f"{transaction.signature}: its place in slot {transaction.slot} is not known")
    return position(transaction.slot, transaction.transaction_index, outer_ix, inner_ix)

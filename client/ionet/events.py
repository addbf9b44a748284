"""Events of a confirmed transaction: `emit_cpi!` records them as inner instructions of the program to itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from solders.message import VersionedMessage
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata
from solders.transaction_status import (
    EncodedConfirmedTransactionWithStatusMeta,
    EncodedTransactionWithStatusMeta,
    UiCompiledInstruction,
)

from ionet import base58
from ionet.codec import ProgramCodec, UnknownEvent

# Inner instructions of one outer instruction: (program, data) in the order they ran.
Group = tuple[int, Sequence[tuple[Pubkey, bytes]]]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event and its place: outer instruction and position among that instruction's inner ones."""

    outer_index: int
    inner_index: int
    event: Any


def events_in(codec: ProgramCodec, groups: Iterable[Group]) -> Iterator[EventRecord]:
    """Events of the codec's program, in order; calls of other programs are skipped at any depth.

    So are events that the IDL does not have: a later version of the program may record new ones.
    """
    for outer, calls in groups:
        for inner, (program, data) in enumerate(calls):
            if program != codec.id:
                continue
            try:
                event = codec.decode_cpi_event(data)
            except UnknownEvent:
                continue
            if event is not None:
                yield EventRecord(outer, inner, event)


def events_in_transaction(codec: ProgramCodec, answer: EncodedConfirmedTransactionWithStatusMeta) -> list[EventRecord]:
    """Events of what `getTransaction` returned (encoding base64). A failed transaction has none."""
    encoded = answer.transaction
    meta = encoded.meta
    if meta is None or meta.err is not None or not isinstance(encoded.transaction, VersionedTransaction):
        return []
    keys = account_keys(encoded.transaction.message, encoded)
    groups: list[Group] = []
    for group in meta.inner_instructions or ():
        calls = [_compiled(item, keys) for item in group.instructions if isinstance(item, UiCompiledInstruction)]
        groups.append((group.index, calls))
    return list(events_in(codec, groups))


def account_keys(message: VersionedMessage, encoded: EncodedTransactionWithStatusMeta) -> list[Pubkey]:
    """Every account of a transaction by its index: those in the message, then those loaded from lookup tables."""
    keys = list(message.account_keys)
    loaded = encoded.meta.loaded_addresses if encoded.meta else None
    if loaded is not None:
        keys += [*loaded.writable, *loaded.readonly]
    return keys


def _compiled(item: UiCompiledInstruction, keys: Sequence[Pubkey]) -> tuple[Pubkey, bytes]:
    return keys[item.program_id_index], base58.decode(item.data)


def events_in_metadata(
    codec: ProgramCodec, message: VersionedMessage, metadata: TransactionMetadata
) -> list[EventRecord]:
    """Events of a transaction that LiteSVM ran (without lookup tables)."""
    keys = message.account_keys
    groups: list[Group] = []
    for outer, inner in enumerate(metadata.inner_instructions()):
        calls = [item.instruction() for item in inner]
        groups.append((outer, [(keys[call.program_id_index], bytes(call.data)) for call in calls]))
    return list(events_in(codec, groups))

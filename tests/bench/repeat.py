"""A long history from a short one: the same market again and again, with other machines, clusters and leases."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
from bench.history import History
from ionet import base58
from ionet.codec import EVENT_TAG
from ionet.generated import events
from ionet.program import PROGRAM
from ionet_indexer.core.decode import InnerInstruction, Transaction, decode
from ionet_indexer.source.base import Heads
from solders.pubkey import Pubkey
from solders.signature import Signature

SECS_APART = 3_600  # more than a history lasts
_ENTITIES = ("node", "device_key", "position", "cluster", "lease")
_ONCE = (events.NetworkInitialized, events.ModelRegistered, events.IosdMinted)


class Repeated:
    """Makes the transactions of each repetition from those of the first; number 0 is the history itself."""

    def __init__(self, history: History) -> None:
        self._first = history
        self._decoder = msgspec.json.Decoder(Transaction)
        read = [self._decoder.decode(raw) for raw in history.raw]
        # The next one begins beyond the head: what comes below it later is no chain's.
        self._slots = history.heads.confirmed - read[0].slot + 1
        found = [decode(transaction, PROGRAM.codec) for transaction in read]
        # What founds the network happens once, and what records no event is of no use twice.
        again = [any(not isinstance(event.value, _ONCE) for event in each) for each in found]
        self._again = [raw for raw, one in zip(history.raw, again, strict=True) if one]
        self.events = sum(map(len, found)), sum(len(each) for each, one in zip(found, again, strict=True) if one)
        """Events of the first repetition, and of each that follows."""

    def raw(self, number: int) -> list[bytes]:
        """The transactions of one repetition, JSON, in order."""
        if number == 0:
            return self._first.raw
        return [msgspec.json.encode(self._moved(self._decoder.decode(raw), number)) for raw in self._again]

    def heads(self, times: int) -> Heads:
        """The heads after this many repetitions."""
        further = (times - 1) * self._slots
        return Heads(self._first.heads.confirmed + further, self._first.heads.finalized + further)

    def history(self, times: int) -> History:
        """So many repetitions one after another."""
        return History([raw for number in range(times) for raw in self.raw(number)], self.heads(times))

    def _moved(self, transaction: Transaction, number: int) -> Transaction:
        transaction.slot += number * self._slots
        if transaction.block_time is not None:
            transaction.block_time += number * SECS_APART
        signature = bytes(Signature.from_string(transaction.signature))
        transaction.transaction.signatures[0] = str(Signature(_other(signature[:32], number) + signature[32:]))
        assert transaction.meta is not None
        for inner in transaction.meta.inner_instructions or ():
            inner.instructions = [_told_again(instruction, number) for instruction in inner.instructions]
        return transaction


def _told_again(instruction: InnerInstruction, number: int) -> InnerInstruction:
    data = base58.decode(instruction.data)
    if data[:8] != EVENT_TAG:
        return instruction
    value = PROGRAM.codec.decode_event(data[8:])
    changed = {name: _again(name, getattr(value, name), number) for name in value.__struct_fields__}
    told = EVENT_TAG + PROGRAM.codec.encode_event(type(value)(**changed))
    return InnerInstruction(instruction.program_id_index, base58.encode(told))


def _again(name: str, value: Any, number: int) -> Any:
    if name in _ENTITIES:
        return Pubkey(_other(bytes(value), number))
    is_time = isinstance(value, int) and (name.endswith(("at", "_by")) or name == "ends_at_before")
    return value + number * SECS_APART if is_time and value else value


def _other(key: bytes, number: int) -> bytes:
    return sha256(key + number.to_bytes(4, "big")).digest()

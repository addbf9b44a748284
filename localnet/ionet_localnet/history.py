"""Landed transactions, found by signature, by block and by account."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from ionet_localnet.timeline import BLOCKHASH_AGE


@dataclass(frozen=True, slots=True)
class TokenBalance:
    """One token account's holding before or after a transaction; `amount` in the mint's base units."""

    account_index: int
    mint: Pubkey
    owner: Pubkey
    program: Pubkey
    amount: int
    decimals: int


@dataclass(slots=True)
class TransactionRecord:
    """A transaction that landed, successful or not. Balances are in lamports, in the order of `keys`."""

    number: int
    signature: Signature
    transaction: VersionedTransaction
    slot: int
    height: int
    index: int
    unix_time: int
    error: str | dict[str, Any] | None
    meta: TransactionMetadata
    keys: list[Pubkey]
    loaded_writable: int
    loaded_readonly: int
    pre_balances: list[int]
    post_balances: list[int]
    pre_tokens: list[TokenBalance]
    post_tokens: list[TokenBalance]

    @property
    def logs(self) -> list[str]:
        return self.meta.logs()

    @property
    def units(self) -> int:
        """Compute units consumed."""
        return self.meta.compute_units_consumed()


class History:
    """Keeps about the newest `limit` transactions; older ones are forgotten, as a validator prunes its ledger.

    None is forgotten while its blockhash may still be valid: a replay is recognised here.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._first = 0
        self._records: list[TransactionRecord] = []
        self._by_signature: dict[Signature, int] = {}
        self._by_slot: dict[int, list[int]] = {}
        self._by_key: dict[Pubkey, list[int]] = {}

    @property
    def next_number(self) -> int:
        return self._first + len(self._records)

    @property
    def first_slot(self) -> int:
        """Slot of the oldest transaction kept; 0 until one has been forgotten."""
        return self._records[0].slot if self._first and self._records else 0

    def get(self, signature: Signature) -> TransactionRecord | None:
        number = self._by_signature.get(signature)
        return None if number is None else self._records[number - self._first]

    def in_slot(self, slot: int) -> list[TransactionRecord]:
        numbers = self._by_slot.get(slot, ())
        return [self._records[number - self._first] for number in numbers if number >= self._first]

    def count_in_slot(self, slot: int) -> int:
        return len(self._by_slot.get(slot, ()))

    def newest_first(self, key: Pubkey, before: int | None = None) -> Iterator[TransactionRecord]:
        """Transactions that name `key`, newest first, beginning with the first one older than number `before`."""
        numbers = self._by_key.get(key, [])
        end = len(numbers) if before is None else bisect_left(numbers, before)
        for position in range(end - 1, -1, -1):
            if numbers[position] < self._first:
                return
            yield self._records[numbers[position] - self._first]

    def add(self, record: TransactionRecord) -> None:
        number = self.next_number
        self._records.append(record)
        self._by_signature[record.signature] = number
        self._by_slot.setdefault(record.slot, []).append(number)
        for key in record.keys:
            self._by_key.setdefault(key, []).append(number)
        # Forget in large steps, so that the cost per transaction stays constant.
        if len(self._records) > self._limit + max(1000, self._limit // 10):
            expired = bisect_left(self._records, record.height - BLOCKHASH_AGE, key=lambda old: old.height)
            self._forget(min(expired, len(self._records) - self._limit))

    def _forget(self, count: int) -> None:
        old, self._records = self._records[:count], self._records[count:]
        self._first += count
        for record in old:
            del self._by_signature[record.signature]
            if record.slot < self.first_slot:
                self._by_slot.pop(record.slot, None)
            for key in record.keys:
                numbers = self._by_key.get(key)
                if numbers and numbers[0] < self._first:
                    del numbers[: bisect_right(numbers, self._first - 1)]
                    if not numbers:
                        del self._by_key[key]

    def drop_after(self, slot: int) -> list[TransactionRecord]:
        """Remove every transaction of a later slot than `slot`; returns them, oldest first."""
        dropped: list[TransactionRecord] = []
        while self._records and self._records[-1].slot > slot:
            dropped.append(self._records.pop())
        for record in dropped:
            del self._by_signature[record.signature]
            self._by_slot.pop(record.slot, None)
            for key in record.keys:
                if (numbers := self._by_key.get(key)) and numbers[-1] >= self.next_number:
                    numbers.pop()
                    if not numbers:
                        del self._by_key[key]
        dropped.reverse()
        return dropped

"""Blocks of the local chain: height, slot, unix time and blockhash of each.

Blockhashes are a function of the genesis seed, the fork number and the slot, so that a journal need not store them
and an empty block costs 16 bytes. They are unique, but anybody who knows the seed can predict them.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from typing import Literal

from solders.hash import Hash

from ionet_localnet.errors import LocalnetError

Commitment = Literal["processed", "confirmed", "finalized"]

# Agave's MAX_PROCESSING_AGE: a transaction may name any of this many latest blockhashes.
BLOCKHASH_AGE = 150
# Blocks behind the newest one at which a block is confirmed, and rooted.
CONFIRMED_LAG = 1
FINALIZED_LAG = 32
# Entries of the SlotHashes sysvar.
SLOT_HASHES = 512


class Timeline:
    """All blocks of the current fork. The newest is still open: transactions land in it until the next begins."""

    def __init__(self, seed: bytes, unix_time: int) -> None:
        self._seed = seed
        self._slots = array("Q", [0])
        self._times = array("q", [unix_time])
        self._forks: list[tuple[int, int]] = [(0, 0)]
        self._next_fork = 1
        # Blockhash -> last height at which it may be used. Hashes of abandoned forks stay until they expire.
        self._valid_until: dict[Hash, int] = {}
        self._slot_hashes: deque[tuple[int, Hash]] = deque(maxlen=SLOT_HASHES)

    @property
    def height(self) -> int:
        return len(self._slots) - 1

    @property
    def slot(self) -> int:
        return self._slots[-1]

    @property
    def unix_time(self) -> int:
        return self._times[-1]

    def begin(self, slot: int, unix_time: int) -> None:
        """Close the open block and begin the one of `slot`; its hash may be named by transactions from now on."""
        if slot <= self.slot:
            raise LocalnetError(f"slot {slot} is not after {self.slot}")
        self._valid_until[self.blockhash(self.height)] = self.height + BLOCKHASH_AGE
        self._slot_hashes.appendleft((self.slot, self.bank_hash(self.height)))
        self._slots.append(slot)
        self._times.append(unix_time)
        self._drop_expired()

    def _drop_expired(self) -> None:
        while self._valid_until:
            oldest = next(iter(self._valid_until))
            if self._valid_until[oldest] >= self.height:
                return
            del self._valid_until[oldest]

    def rewind(self, depth: int) -> None:
        """Forget the newest `depth` blocks; those that follow belong to another fork, with other hashes.

        The block then at the end stays as it is; `begin` must follow.
        """
        keep = len(self._slots) - depth
        del self._slots[keep:]
        del self._times[keep:]
        while self._forks[-1][0] >= keep:
            self._forks.pop()
        self._forks.append((keep, self._next_fork))
        self._next_fork += 1
        complete = range(max(0, self.height - SLOT_HASHES), self.height)
        self._slot_hashes.clear()
        self._slot_hashes.extendleft((self._slots[height], self.bank_hash(height)) for height in complete)

    def slot_at(self, height: int) -> int:
        return self._slots[height]

    def time_at(self, height: int) -> int:
        return self._times[height]

    def height_of(self, slot: int) -> int | None:
        """Height of the block in `slot`, None where the slot was skipped or is still to come."""
        index = bisect_left(self._slots, slot)
        return index if index < len(self._slots) and self._slots[index] == slot else None

    def heights_between(self, first_slot: int, last_slot: int) -> range:
        """Heights of the blocks in slots `first_slot` to `last_slot`, both included."""
        return range(bisect_left(self._slots, first_slot), bisect_right(self._slots, last_slot))

    def committed_height(self, commitment: Commitment) -> int:
        """Height of the newest block that has reached `commitment`."""
        lag = {"processed": 0, "confirmed": CONFIRMED_LAG, "finalized": FINALIZED_LAG}[commitment]
        return max(0, self.height - lag)

    def committed_slot(self, commitment: Commitment) -> int:
        return self._slots[self.committed_height(commitment)]

    def blockhash(self, height: int) -> Hash:
        return self._hash(b"block", height)

    def bank_hash(self, height: int) -> Hash:
        """What the SlotHashes sysvar holds for that block."""
        return self._hash(b"bank", height)

    def _hash(self, label: bytes, height: int) -> Hash:
        fork = self._forks[bisect_right(self._forks, height, key=lambda entry: entry[0]) - 1][1]
        text = b"%s %d %d " % (label, fork, self._slots[height])
        return Hash(hashlib.sha256(text + self._seed).digest())

    def latest_blockhash(self, commitment: Commitment = "finalized") -> tuple[Hash, int]:
        """Newest complete block's hash at `commitment`, and the last height at which it may be used."""
        height = min(self.committed_height(commitment), self.height - 1)
        return self.blockhash(height), height + BLOCKHASH_AGE

    def is_blockhash_valid(self, blockhash: Hash) -> bool:
        return self._valid_until.get(blockhash, -1) >= self.height

    def slot_hashes(self) -> list[tuple[int, Hash]]:
        """The SlotHashes sysvar as a program in the open block sees it: newest first, at most 512."""
        return list(self._slot_hashes)

"""What an RPC method works on: the chain, its clock, the faults and the registry of methods."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from solders.signature import Signature
from solders.transaction import VersionedTransaction

from ionet_localnet.chain import LocalChain
from ionet_localnet.clock import WallClock
from ionet_localnet.errors import TransactionRefused
from ionet_localnet.faults import FaultPlan
from ionet_localnet.history import TransactionRecord
from ionet_localnet.rpc.params import Config, Params, RpcError
from ionet_localnet.timeline import Commitment

VERSION = "4.1.2"
CONTEXT_NOT_REACHED = -32016

Method = Callable[["Node", Params], Any]
METHODS: dict[str, Method] = {}
CHEATS: dict[str, Method] = {}


def method(name: str) -> Callable[[Method], Method]:
    """Register a function as the JSON-RPC method `name`."""

    def register(function: Method) -> Method:
        METHODS[name] = function
        return function

    return register


def cheat(name: str) -> Callable[[Method], Method]:
    """Register a method that exists only on chains started with cheats."""

    def register(function: Method) -> Method:
        CHEATS[name] = function
        return function

    return register


class Node:
    """One chain as clients see it."""

    def __init__(self, chain: LocalChain, clock: WallClock, faults: FaultPlan, *, cheats: bool) -> None:
        self.chain = chain
        self.clock = clock
        self.faults = faults
        self.paused = False
        self.methods = METHODS | CHEATS if cheats else METHODS
        # Transactions held back by the fault plan: (height at which they are submitted, transaction).
        self._held: list[tuple[int, VersionedTransaction]] = []

    def tick(self) -> None:
        """Begin the next block, then submit the transactions whose delay is over."""
        self.chain.begin_block(unix_time=max(self.clock.now(), self.chain.unix_time))
        due = [transaction for height, transaction in self._held if height <= self.chain.timeline.height]
        if due:
            self._held = [entry for entry in self._held if entry[0] > self.chain.timeline.height]
        for transaction in due:
            self._submit(transaction)

    def accept(self, transaction: VersionedTransaction, *, verify: bool = True) -> Signature:
        """Take a transaction as a cluster does: the answer promises nothing about whether it lands."""
        for delay in self.faults.deliveries():
            if delay:
                self._held.append((self.chain.timeline.height + delay, transaction))
            else:
                self._submit(transaction, verify=verify)
        return transaction.signatures[0]

    def _submit(self, transaction: VersionedTransaction, *, verify: bool = True) -> None:
        try:
            self.chain.submit(transaction, verify=verify)
        except TransactionRefused:
            # As on a cluster, a transaction that cannot land is dropped without a word.
            return

    def fork(self, depth: int, keep: float, seed: int) -> list[TransactionRecord]:
        """Abandon `depth` blocks; each of their transactions lands again with probability `keep`."""
        draw = random.Random(seed)
        return self.chain.fork(depth, lambda _record: draw.random() < keep)

    def commitment(self, config: Config) -> Commitment:
        """Commitment asked for; refuses when its slot has not reached `minContextSlot`."""
        commitment = config.commitment()
        wanted = config.optional_u64("minContextSlot")
        slot = self.chain.timeline.committed_slot(commitment)
        if wanted is not None and slot < wanted:
            raise RpcError(CONTEXT_NOT_REACHED, "Minimum context slot has not been reached", {"contextSlot": slot})
        return commitment

    def context(self, commitment: Commitment, value: Any) -> dict[str, Any]:
        """`value` with the slot at which it is true."""
        return {"context": context(self.chain.timeline.committed_slot(commitment)), "value": value}


def context(slot: int) -> dict[str, Any]:
    return {"apiVersion": VERSION, "slot": slot}

"""Many instructions that need not land together: packed, sent several at a time, each until it landed or is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from solders.instruction import Instruction

from ionet import budget
from ionet.chain import Chain
from ionet.errors import (
    ChainRefused,
    InstructionFailed,
    IonetError,
    ProgramError,
    RpcError,
    RpcUnreachable,
    TransactionExpired,
)
from ionet.plan import Receipt
from ionet.planner import Batch, Packer, Tables
from ionet.refusals import INVALID_PARAMS
from ionet.rpc import Blockhash
from ionet.wallet import Signer

# How often a transaction is built again after the one before it has certainly expired.
ATTEMPTS = 3
# How long one blockhash is reused, in seconds.
_BLOCK_SECS = 1.0

# Why an instruction at a position is left out, another one in its place, or None when it is not to blame.
Verdict = IonetError | Instruction | None
Judge = Callable[[int, InstructionFailed], Awaitable[Verdict]]
Progress = Callable[[int, int], None]


@dataclass
class Delivery:
    """What became of the instructions. receipts: as they landed. landed: position → its transaction's place among the
    receipts. left_out: position → why."""

    receipts: list[Receipt] = field(default_factory=list)
    landed: dict[int, int] = field(default_factory=dict)
    left_out: dict[int, IonetError] = field(default_factory=dict)


class Stopped(IonetError):
    """the rest was not sent

    cause: why. Nothing is under way any more; `delivery` says what landed before.
    """

    def __init__(self, delivery: Delivery, cause: IonetError) -> None:
        super().__init__(str(cause))
        self.delivery, self.cause = delivery, cause


async def _nobody(_position: int, _error: InstructionFailed) -> Verdict:
    return None


class Bulk:
    """Instructions on their way.

    tables_of: lookup tables for the instruction at a position. judge: asked when one is refused. at_once: transactions
    under way at the same time. progress: called with the number of instructions that are done, and of all.
    """

    def __init__(
        self,
        chain: Chain,
        instructions: Sequence[Instruction],
        *,
        tables_of: Callable[[int], Tables] = lambda _: (),
        judge: Judge = _nobody,
        signers: Sequence[Signer] = (),
        at_once: int = 32,
        progress: Progress | None = None,
    ) -> None:
        self._chain, self.instructions = chain, list(instructions)
        self._tables_of, self._judge, self._signers = tables_of, judge, signers
        self._at_once, self._progress = at_once, progress
        self._delivery = Delivery()
        self._replaced: set[int] = set()
        self._fee = 0
        self._block: Blockhash | None = None
        self._block_at = 0.0

    async def run(self) -> Delivery:
        """Send the first transaction alone, then the others. Raises Stopped for what is wrong with all of them."""
        if not self.instructions:
            return self._delivery
        self._fee = await self._chain.priority_fee(self.instructions[:1])
        batches = self._packer.pack(self.instructions, self._tables_of)
        waiting = iter(batches[1:])
        failed: list[IonetError] = []

        async def work() -> None:
            for batch in waiting:
                if not failed:
                    await settle(batch)

        async def settle(batch: Batch) -> None:
            try:
                await self._settle(batch)
            except IonetError as error:
                failed.append(error)

        await settle(batches[0])
        await asyncio.gather(*(work() for _ in range(self._at_once)))
        if failed:
            raise Stopped(self._delivery, failed[0]) from failed[0]
        return self._delivery

    @property
    def _packer(self) -> Packer:
        return Packer(self._chain.program, self._chain.address, self._fee)

    async def _settle(self, batch: Batch) -> None:
        """Until each instruction of the batch landed or is left out, in their order."""
        waiting = [batch]
        while waiting:
            batch = waiting.pop(0)
            try:
                receipt = await self._send(batch)
            except RpcUnreachable:
                raise
            except (ChainRefused, RpcError) as error:
                waiting = [*await self._without_cause(batch, error), *waiting]
            else:
                self._delivery.landed.update(dict.fromkeys(batch.positions, len(self._delivery.receipts)))
                self._delivery.receipts.append(receipt)
            if self._progress is not None:
                done = len(self._delivery.landed) + len(self._delivery.left_out)
                self._progress(done, len(self.instructions))

    async def _send(self, batch: Batch) -> Receipt:
        instructions = [self.instructions[at] for at in batch.positions]
        for attempt in range(1, ATTEMPTS + 1):
            block = await self._recent_block()
            try:
                return await self._chain.send(
                    instructions, signers=self._signers, tables=batch.tables, priority_fee=self._fee, block=block
                )
            except TransactionExpired:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def _recent_block(self) -> Blockhash:
        """The same blockhash for what is sent within a moment; no two of these transactions are equal."""
        if self._block is None or time.monotonic() - self._block_at > _BLOCK_SECS:
            self._block_at = time.monotonic()
            self._block = await self._chain.rpc.blockhash()
        return self._block

    async def _without_cause(self, batch: Batch, error: ChainRefused | RpcError) -> list[Batch]:
        """What to send instead of a batch that was refused: without the culprit, without lookup tables, or in halves.

        Raises the error when none of that can help.
        """
        if isinstance(error, InstructionFailed):
            at = error.index - budget.instruction_count(self._fee)
            if 0 <= at < len(batch.positions):
                verdict = await self._judge(batch.positions[at], error)
                if verdict is not None:
                    return self._judged(batch, at, verdict, error)
            if isinstance(error, ProgramError):
                raise error
        elif isinstance(error, RpcError) and not (batch.tables and error.code == INVALID_PARAMS):
            raise error
        if batch.tables:
            return self._packer.pack(self.instructions, positions=batch.positions)
        if len(batch.positions) == 1:
            raise error
        half = len(batch.positions) // 2
        return [Batch(batch.positions[:half]), Batch(batch.positions[half:])]

    def _judged(
        self, batch: Batch, at: int, verdict: IonetError | Instruction, error: InstructionFailed
    ) -> list[Batch]:
        position = batch.positions[at]
        if isinstance(verdict, Instruction):
            if position in self._replaced:
                raise error
            self._replaced.add(position)
            self.instructions[position] = verdict
            return [batch]
        self._delivery.left_out[position] = verdict
        rest = batch.positions[:at] + batch.positions[at + 1 :]
        return [Batch(rest, batch.tables)] if rest else []


async def send_all(
    chain: Chain,
    instructions: Sequence[Instruction],
    *,
    signers: Sequence[Signer] = (),
    progress: Progress | None = None,
) -> list[Receipt]:
    """Send many instructions in as few transactions as fit; the first alone, then several at a time.

    The first failure is raised once nothing is under way any more. progress: called with the number of instructions
    that landed, and of all.
    """
    try:
        return (await Bulk(chain, instructions, signers=signers, progress=progress).run()).receipts
    except Stopped as stopped:
        raise stopped.cause from None

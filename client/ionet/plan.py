"""Plans: instructions that are not sent yet. Await one to send it, or take its unsigned bytes to another wallet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet.errors import InvalidInput, NotRecorded
from ionet.events import EventRecord
from ionet.wallet import Signer, Unsigned

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction that landed and succeeded. fee in lamports; events in the order they were recorded."""

    signature: Signature
    slot: int
    fee: int
    compute_units: int
    events: tuple[EventRecord, ...]
    logs: tuple[str, ...]

    def event(self, kind: type[T]) -> T:
        """The first event of this class. Raises NotRecorded when there is none."""
        for record in self.events:
            if isinstance(record.event, kind):
                return record.event
        raise NotRecorded(f"{kind.__name__} in transaction {self.signature}")


class Sender(Protocol):
    """What a plan needs to be used; `ionet.chain.Chain` is one."""

    async def send(self, instructions: Sequence[Instruction], *, signers: Sequence[Signer] = ()) -> Receipt: ...

    async def unsigned(
        self, instructions: Sequence[Instruction], *, signers: Sequence[Signer] = (), payer: Pubkey | None = None
    ) -> Unsigned: ...


class Plan:
    """One transaction to be.

    build: gives the instructions; it runs when the plan is used, so it sees the chain as it is then. signers: keys that
    must sign beside the wallet. accounts: addresses the plan creates, by name, for the caller to keep.
    """

    def __init__(
        self,
        sender: Sender,
        build: Callable[[], Awaitable[Sequence[Instruction]]],
        *,
        signers: Sequence[Signer] = (),
    ) -> None:
        self._sender = sender
        self._build = build
        self.signers = tuple(signers)

    async def instructions(self) -> list[Instruction]:
        try:
            return list(await self._build())
        except OverflowError as error:
            raise InvalidInput(f"a number does not fit: {error}") from None

    async def send(self) -> Receipt:
        """Sign, send, confirm. Raises what the chain refuses as a typed error."""
        return await self._sender.send(await self.instructions(), signers=self.signers)

    async def unsigned(self, payer: Pubkey | None = None) -> Unsigned:
        """The same transaction for a wallet somewhere else, signed by the plan's own signers only.

        payer: whose signature stays out, by default the client's wallet.
        """
        return await self._sender.unsigned(await self.instructions(), signers=self.signers, payer=payer)

    def __await__(self) -> Generator[Any, None, Receipt]:
        return self.send().__await__()

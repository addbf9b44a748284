"""The small interface the pipeline reads from; JSON-RPC implements it, a Geyser stream could."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ionet.errors import IonetError

from ionet_indexer.core.decode import Transaction


class SourceError(IonetError):
    """the node cannot answer now

    The same question may be asked again.
    """

    exit_code = 4


class Heads(NamedTuple):
    """Newest slots of a node at the two commitments the indexer uses."""

    confirmed: int
    finalized: int


class Seen(NamedTuple):
    """A successful transaction that mentions the program, as the chain lists it."""

    signature: str
    slot: int


class Source(Protocol):
    """Reads are whole slots: a slot is listed completely or not at all."""

    async def heads(self) -> Heads:
        """Newest confirmed and finalized slot."""

    async def blockhashes(self, slots: Sequence[int]) -> list[str | None]:
        """Hash of the confirmed block in each slot; None where there is no block.

        A block's hash covers all its ancestors: one equal hash means an equal history up to there.
        """

    async def seen(self, after: int, heads: Heads) -> list[Seen]:
        """All of the program's successful transactions in slots (after, heads.confirmed], oldest slot first."""

    async def transactions(self, seen: Sequence[Seen]) -> list[Transaction]:
        """These transactions with `transaction_index` set, in chain order. SourceError when one has vanished."""


class AccountSource(Protocol):
    """Reads accounts as they are."""

    async def accounts(self, keys: Sequence[str]) -> tuple[int, dict[str, bytes | None]]:
        """Data of accounts (None where there is none), and the oldest slot at which they were read."""

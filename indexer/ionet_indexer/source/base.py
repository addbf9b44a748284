"""The small interface the pipeline reads from; JSON-RPC implements it, a Geyser stream could.

What a node does not have is evidence of nothing. A read ends in something that the node shows, or in SourceError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ionet.errors import IonetError

from ionet_indexer.core.decode import Transaction


class SourceError(IonetError):
    """the node cannot answer now

    The same question may be asked again, after `retry_after` seconds where the node named a time.
    """

    exit_code = 4

    def __init__(self, detail: str = "", retry_after: float = 0.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


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
        """Hash of the confirmed block in each slot; None where the node shows no block."""

    async def holds(self, slot: int, blockhash: str) -> bool:
        """Whether this block is on the chain; if it is, so are all its ancestors.

        False only where the chain shows another block in its place or leads past it, SourceError where that is unclear.
        """

    async def lacks(self, item: Seen) -> bool:
        """Whether the chain shows that a transaction did not happen in its slot. SourceError where that is unclear."""

    async def seen(self, after: int, heads: Heads, anchor: Seen | None = None, *, final: bool = False) -> list[Seen]:
        """All of the program's successful transactions in slots (after, heads.confirmed], oldest slot first.

        anchor: one at or before `after` that the listing has to reach, else SourceError; without it the listing goes
        back to where it ends. final: what the node lists as final, in slots (after, heads.finalized].
        """

    async def history(self, key: str, heads: Heads, *, final: bool = False) -> list[Seen]:
        """All successful transactions that mention an account and that the node lists, oldest slot first.

        final: those that it lists as final.
        """

    async def founded(self) -> bool:
        """Whether the program's network exists: then its history begins with its foundation."""

    async def transactions(self, seen: Sequence[Seen]) -> list[Transaction]:
        """These transactions with `transaction_index` set, in chain order. SourceError when one has vanished."""


class AccountSource(Protocol):
    """Reads accounts as they are."""

    async def accounts(self, keys: Sequence[str]) -> tuple[int, dict[str, bytes | None]]:
        """Data of accounts (None where there is none), and the oldest slot at which they were read."""

    async def owned(self, discriminator: bytes) -> tuple[int, list[str]]:
        """Keys of the program's accounts that begin with these bytes, and the slot at which they were read."""

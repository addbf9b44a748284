"""Transactions recorded from a real chain, and a source that serves them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from indexer.conflicts import ConflictStory, tell_of_conflicts
from indexer.endings import EndingStory, tell_of_endings
from indexer.story import Story, tell
from ionet.program import PROGRAM
from ionet_indexer.core.decode import Transaction
from ionet_indexer.source.base import Heads, Seen, SourceError
from ionet_indexer.source.rpc import RpcSource
from ionet_localnet import Localnet
from ionet_localnet.timeline import FINALIZED_LAG
from market import Market, market

T = TypeVar("T")
PROGRAM_ID = str(PROGRAM.id)
STORIES = ("ordinary", "conflicts", "endings")
"""Of the market, of money and conflicts, of time and trust."""


@dataclass(frozen=True)
class Played:
    """A finished history: its transactions in order, and the accounts it left."""

    raw: list[bytes]
    heads: Heads
    accounts: dict[str, bytes | None]

    @property
    def transactions(self) -> list[Transaction]:
        """Decoded again each time, so that no test can change another's."""
        return [msgspec.json.decode(item, type=Transaction) for item in self.raw]

    @property
    def seen(self) -> list[Seen]:
        return [Seen(item.signature, item.slot) for item in self.transactions]


@dataclass(frozen=True)
class Recording(Played):
    """A market with all its ordinary days."""

    story: Story


@dataclass(frozen=True)
class ConflictRecording(Played):
    """A market with its disputes, cases, co-stakers, currencies and changes of rules."""

    story: ConflictStory


@dataclass(frozen=True)
class EndingRecording(Played):
    """A market with its rejections, early ends, shared income and locks."""

    story: EndingStory


class RecordedSource:
    """Serves a recording; `hidden` transactions are neither listed nor served."""

    def __init__(self, recording: Played) -> None:
        self._by_signature = {item.signature: item for item in recording.transactions}
        self._recording = recording
        self.hidden: set[str] = set()

    async def heads(self) -> Heads:
        return self._recording.heads

    async def blockhashes(self, slots: Sequence[int]) -> list[str | None]:
        return [f"block {slot}" for slot in slots]

    async def holds(self, slot: int, blockhash: str) -> bool:
        return blockhash == f"block {slot}"

    async def lacks(self, item: Seen) -> bool:
        return item not in self._recording.seen

    async def seen(self, after: int, heads: Heads, anchor: Seen | None = None, *, final: bool = False) -> list[Seen]:
        upto = heads.finalized if final else heads.confirmed
        listed = [item for item in self._recording.seen if item.signature not in self.hidden]
        if anchor is not None and anchor not in listed:
            raise SourceError(f"{anchor.signature} is not listed")
        return [item for item in listed if after < item.slot <= upto]

    async def history(self, key: str, heads: Heads, *, final: bool = False) -> list[Seen]:
        upto = heads.finalized if final else heads.confirmed
        named = (item for item in self.transactions_naming(key) if item.slot <= upto)
        return [Seen(item.signature, item.slot) for item in named if item.signature not in self.hidden]

    def transactions_naming(self, key: str) -> list[Transaction]:
        """Those whose accounts include one."""
        return [item for item in self._by_signature.values() if key in _accounts_of(item)]

    async def founded(self) -> bool:
        return True

    async def transactions(self, seen: Sequence[Seen]) -> list[Transaction]:
        return [self._by_signature[item.signature] for item in seen]


def _accounts_of(transaction: Transaction) -> list[str]:
    loaded = transaction.meta.loaded_addresses if transaction.meta is not None else None
    more = [*loaded.writable, *loaded.readonly] if loaded is not None else []
    return [*transaction.transaction.message.account_keys, *more]


async def record() -> Recording:
    """Play the story of a market."""
    played, story = await _play(tell)
    return Recording(played.raw, played.heads, played.accounts, story)


async def record_conflicts() -> ConflictRecording:
    """Play the story of money and conflicts."""
    played, story = await _play(tell_of_conflicts)
    return ConflictRecording(played.raw, played.heads, played.accounts, story)


async def record_endings() -> EndingRecording:
    """Play the story of time and trust."""
    played, story = await _play(tell_of_endings)
    return EndingRecording(played.raw, played.heads, played.accounts, story)


async def _play(play: Callable[[Market], Awaitable[T]]) -> tuple[Played, T]:
    """Play on a local chain and take everything down over RPC."""
    async with market() as found:
        story = await play(found)
        return await take_down(found.net), story


async def take_down(net: Localnet) -> Played:
    """What a chain has of the program, over RPC: transactions and accounts, all of them final from now on."""
    net.chain.begin_blocks(FINALIZED_LAG + 2)
    source = RpcSource(net.rpc_url, PROGRAM_ID)
    try:
        heads = await source.heads()
        transactions = await source.transactions(await source.seen(-1, heads))
    finally:
        await source.close()
    owned = net.chain.get_program_accounts(PROGRAM.id, "finalized")
    accounts: dict[str, bytes | None] = {str(key): bytes(account.data) for key, account in owned.items()}
    return Played([msgspec.json.encode(item) for item in transactions], heads, accounts)

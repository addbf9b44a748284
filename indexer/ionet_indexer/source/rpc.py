"""Transactions over JSON-RPC: getSignaturesForAddress for what happened, getTransaction for the events inside."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import Any

import msgspec
from ionet import base58
from ionet.generated import pdas
from solders.pubkey import Pubkey

from ionet_indexer.core.decode import Transaction
from ionet_indexer.source.base import Heads, Seen, SourceError
from ionet_indexer.source.transport import NoBlock, Transport

_FIRST_PAGE, _PAGE = 100, 1000  # at the head little is new; 1,000 is the most a node returns
_ACCOUNTS = 100  # most a node returns per getMultipleAccounts
_MAX_VERSION = 1  # newest transaction format whose json encoding has the fields that decode.py reads
_NO_HASH = "1" * 32  # what nodes name as the parent's hash when they no longer have the parent


class _SignatureInfo(msgspec.Struct, rename="camel"):
    signature: str
    slot: int
    err: Any = None


class _Block(msgspec.Struct, rename="camel"):
    blockhash: str
    parent_slot: int
    previous_blockhash: str
    signatures: list[str] = []


class _Account(msgspec.Struct):
    owner: str
    data: tuple[str, str]


class _Context(msgspec.Struct):
    slot: int


class _Accounts(msgspec.Struct):
    context: _Context
    value: list[_Account | None]


class _Owned(msgspec.Struct):
    pubkey: str


class _AllOwned(msgspec.Struct):
    context: _Context
    value: list[_Owned]


class RpcSource:
    """One node and one program. `batch` calls travel in one request, `parallel` requests at a time."""

    def __init__(self, url: str, program: str, *, batch: int = 50, parallel: int = 4, timeout: float = 20.0) -> None:
        self.url = url
        self._program = program
        self._transport = Transport(url, batch=batch, parallel=parallel, timeout=timeout)
        self._proven: _SignatureInfo | None = None  # newest of the last list of final ones

    async def close(self) -> None:
        """Drop the connections."""
        await self._transport.close()

    async def genesis(self) -> str:
        """Hash that names the chain."""
        (answer,) = await self._transport.call("getGenesisHash", [[]], str)
        return str(answer)

    async def heads(self) -> Heads:
        """Newest confirmed and finalized slot."""
        calls = [[{"commitment": "confirmed"}], [{"commitment": "finalized"}]]
        confirmed, finalized = await self._transport.call("getSlot", calls, int)
        return Heads(confirmed, min(finalized, confirmed))

    async def blockhashes(self, slots: Sequence[int]) -> list[str | None]:
        """Hash of the confirmed block in each slot; None where the node shows no block."""
        blocks = await asyncio.gather(*(self._block(slot, "none") for slot in slots))
        return [block.blockhash if block is not None else None for block in blocks]

    async def holds(self, slot: int, blockhash: str) -> bool:
        """Whether this block is on the chain; False where another block is there, or the chain leads past it."""
        if (block := await self._block(slot, "none")) is not None:
            return block.blockhash == blockhash
        following = await self._following(slot)
        if following.parent_slot == slot and following.previous_blockhash != _NO_HASH:
            return following.previous_blockhash == blockhash
        return not self._is_skipped(slot, following)

    async def lacks(self, item: Seen) -> bool:
        """Whether the block in the transaction's slot does not list it, or the chain has no block there."""
        if (block := await self._block(item.slot, "signatures")) is not None:
            return item.signature not in block.signatures
        return self._is_skipped(item.slot, await self._following(item.slot))

    async def _following(self, slot: int) -> _Block:
        """The first block after `slot`. Raises SourceError when the node shows none."""
        calls = [[slot + 1, 1, {"commitment": "confirmed"}]]
        (slots,) = await self._transport.call("getBlocksWithLimit", calls, list[int])
        block = await self._block(slots[0], "none") if slots else None
        if block is None:
            raise SourceError(f"the node shows no block in slot {slot} and none after it")
        return block

    def _is_skipped(self, slot: int, following: _Block) -> bool:
        """Whether the chain leads past `slot`. SourceError where the blocks at hand do not say."""
        if following.parent_slot < slot:
            return True
        raise SourceError(f"the node does not show the block of slot {slot}")

    async def _block(self, slot: int, details: str) -> _Block | None:
        options = {"commitment": "confirmed", "transactionDetails": details, "rewards": False}
        calls = [[slot, {**options, "maxSupportedTransactionVersion": _MAX_VERSION}]]
        try:
            (block,) = await self._transport.call("getBlock", calls, _Block | None)
        except NoBlock:
            return None
        return block if isinstance(block, _Block) else None

    async def seen(self, after: int, heads: Heads, anchor: Seen | None = None, *, final: bool = False) -> list[Seen]:
        """The program's successful transactions; proven complete by reaching `anchor`, else back to where they end.

        A quiet program that strangers keep naming in failed transactions has its newest success far behind, so whatever
        was the newest final one of the last complete listing will do as well.
        """
        upto = heads.finalized if final else heads.confirmed
        known = {anchor.signature: anchor.slot} if anchor is not None else {}
        if anchor is not None and self._proven is not None and self._proven.slot <= after:
            known[self._proven.signature] = self._proven.slot
        found = await self._listing(self._program, upto, "finalized" if final else "confirmed", after, known)
        if known and known.keys().isdisjoint(found):
            raise SourceError(
                "the node's list does not reach back to what is stored, "
                + ", ".join(f"{signature} of slot {slot}" for signature, slot in known.items())
            )
        if final and found:
            self._proven = max(found.values(), key=lambda info: info.slot)
        return _inside(found, after, upto)

    async def history(self, key: str, heads: Heads, *, final: bool = False) -> list[Seen]:
        """All successful transactions that mention an account and that the node lists, oldest slot first."""
        upto, commitment = (heads.finalized, "finalized") if final else (heads.confirmed, "confirmed")
        return _inside(await self._listing(key, upto, commitment, -1, {}), -1, upto)

    async def _listing(
        self, key: str, min_slot: int, commitment: str, after: int, known: dict[str, int]
    ) -> dict[str, _SignatureInfo]:
        """Newest first: down to slots at or before `after` and one of `known` (signature → slot), else to its end.

        A page begins with the last signature of the one before it: a node that does not know where to go on, because
        it is on another fork or is not the one that was asked before, answers with nothing, as at the end.
        """
        found: dict[str, _SignatureInfo] = {}
        order: list[str] = []
        page = await self._page(key, None, _FIRST_PAGE, min_slot, commitment)
        while True:
            slots = [info.slot for info in page]
            if slots != sorted(slots, reverse=True):
                raise SourceError(f"the node's list of {key} is not in order")
            fresh = {info.signature: info for info in page if info.signature not in found}
            found |= fresh
            order += fresh
            reached = not known.keys().isdisjoint(found) and slots[-1] <= after
            if not fresh or reached or (known and slots[-1] < min(known.values())):
                return found
            before, last = (order[-2], order[-1]) if len(order) > 1 else (order[-1], None)
            page = await self._page(key, before, _PAGE, min_slot, commitment)
            if last is not None and (not page or page[0].signature != last):
                raise SourceError(f"the node's list of {key} breaks off after {last} of slot {found[last].slot}")

    async def _page(
        self, key: str, before: str | None, limit: int, min_slot: int, commitment: str
    ) -> list[_SignatureInfo]:
        options: dict[str, Any] = {"commitment": commitment, "limit": limit, "minContextSlot": min_slot}
        if before is not None:
            options["before"] = before
        (page,) = await self._transport.call("getSignaturesForAddress", [[key, options]], list[_SignatureInfo] | None)
        return list(page or [])

    async def founded(self) -> bool:
        """Whether the program's network exists: then its history begins with its foundation."""
        network = str(pdas.network(Pubkey.from_string(self._program)))
        _, found = await self.accounts([network])
        return found[network] is not None

    async def transactions(self, seen: Sequence[Seen]) -> list[Transaction]:
        """These transactions with `transaction_index` set, in chain order. SourceError when one has vanished."""
        options = {"commitment": "confirmed", "encoding": "json", "maxSupportedTransactionVersion": _MAX_VERSION}
        calls = [[item.signature, options] for item in seen]
        answers: list[Transaction | None] = await self._transport.call("getTransaction", calls, Transaction | None)
        for item, answer in zip(seen, answers, strict=True):
            if answer is None:
                raise SourceError(f"{item.signature} of slot {item.slot} is listed but not served")
            if answer.meta is None:
                raise SourceError(f"{item.signature} of slot {item.slot}: the node has lost its outcome")
            if answer.signature != item.signature:
                raise SourceError(f"asked for {item.signature}, got {answer.signature}")
        found = [answer for answer in answers if answer is not None]
        await self._place(found)
        return sorted(found, key=lambda item: (item.slot, item.transaction_index))

    async def _place(self, found: list[Transaction]) -> None:
        """Nodes before Agave 4 do not say where in its slot a transaction stood: ask the block."""
        unplaced = [item for item in found if item.transaction_index is None]
        slots = sorted({item.slot for item in unplaced})
        blocks = await asyncio.gather(*(self._block(slot, "signatures") for slot in slots))
        order = {slot: block.signatures for slot, block in zip(slots, blocks, strict=True) if block is not None}
        for item in unplaced:
            try:
                item.transaction_index = order[item.slot].index(item.signature)
            except (KeyError, ValueError):
                raise SourceError(f"slot {item.slot} does not list its transaction {item.signature}") from None

    async def accounts(self, keys: Sequence[str], least: int = 0) -> tuple[int, dict[str, bytes | None]]:
        """The oldest slot at which they were read, and data of the program's accounts; None where there is none.

        least: the node has to have come to this slot. Up to 100 are read at one slot. A closed account may be shown for
        a while as an empty one of the system program.
        """
        slot, found = await self._read(keys, least)
        ours = {key: account is not None and account.owner == self._program for key, account in found.items()}
        return slot, {key: _data(account) if ours[key] else None for key, account in found.items()}

    async def token_data(self, keys: Sequence[str], least: int = 0) -> tuple[int, dict[str, bytes | None]]:
        """Likewise for token accounts and mints."""
        slot, found = await self._read(keys, least)
        return slot, {key: _data(account) for key, account in found.items()}

    async def _read(self, keys: Sequence[str], least: int) -> tuple[int, dict[str, _Account | None]]:
        options = {"commitment": "confirmed", "encoding": "base64", "minContextSlot": least}
        chunks = [list(keys[at : at + _ACCOUNTS]) for at in range(0, len(keys), _ACCOUNTS)]
        answers = await asyncio.gather(
            *(self._transport.call("getMultipleAccounts", [[chunk, options]], _Accounts) for chunk in chunks)
        )
        slots: list[int] = []
        found: dict[str, _Account | None] = {}
        for chunk, (answer,) in zip(chunks, answers, strict=True):
            if len(answer.value) != len(chunk):
                raise SourceError(f"{len(answer.value)} accounts for {len(chunk)} keys")
            slots.append(answer.context.slot)
            found.update(zip(chunk, answer.value, strict=True))
        return min(slots, default=-1), found

    async def owned(self, discriminator: bytes) -> tuple[int, list[str]]:
        """Keys of the program's accounts that begin with these bytes, and the slot at which they were read."""
        options = {
            "commitment": "confirmed",
            "encoding": "base64",
            "dataSlice": {"offset": 0, "length": 0},
            "filters": [{"memcmp": {"offset": 0, "bytes": base58.encode(discriminator)}}],
            "withContext": True,
        }
        (answer,) = await self._transport.call("getProgramAccounts", [[self._program, options]], _AllOwned)
        return answer.context.slot, [item.pubkey for item in answer.value]


def _data(account: _Account | None) -> bytes | None:
    return None if account is None else base64.b64decode(account.data[0])


def _inside(found: dict[str, _SignatureInfo], after: int, upto: int) -> list[Seen]:
    inside = (info for info in found.values() if info.err is None and after < info.slot <= upto)
    return sorted((Seen(info.signature, info.slot) for info in inside), key=lambda item: item.slot)

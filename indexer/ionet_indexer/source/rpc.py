"""Transactions over JSON-RPC: getSignaturesForAddress for what happened, getTransaction for the events inside."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import httpx2
import msgspec
from ionet.patient_http import is_loopback

from ionet_indexer.core.decode import Transaction
from ionet_indexer.source.base import Heads, Seen, SourceError

T = TypeVar("T")
_FIRST_PAGE, _PAGE = 100, 1000  # at the head little is new; 1,000 is the most a node returns
_ACCOUNTS = 100  # most a node returns per getMultipleAccounts
_MAX_VERSION = 1  # newest transaction format whose json encoding has the fields that decode.py reads
_ATTEMPTS = 6
_FIRST_PAUSE = 0.1  # seconds, doubled per attempt
_MIN_CONTEXT_SLOT = -32016  # the node is behind the slot we asked it to know
_RETRY_CODES = {_MIN_CONTEXT_SLOT, -32005, -32014, 429}  # behind, unhealthy, status not there yet, busy
_NO_BLOCK_CODES = {-32004, -32007, -32009}  # not available, skipped, skipped or missing in long-term storage


class _Error(msgspec.Struct):
    code: int
    message: str = ""


class _Reply(msgspec.Struct, Generic[T]):
    id: int
    result: T | None = None
    error: _Error | None = None


class _SignatureInfo(msgspec.Struct, rename="camel"):
    signature: str
    slot: int
    err: Any = None


class _Block(msgspec.Struct):
    blockhash: str
    signatures: list[str] = []


class _Account(msgspec.Struct):
    owner: str
    data: tuple[str, str]


class _Context(msgspec.Struct):
    slot: int


class _Accounts(msgspec.Struct):
    context: _Context
    value: list[_Account | None]


_REPLY_TYPES: dict[str, Any] = {
    "getMultipleAccounts": list[_Reply[_Accounts]],
    "getGenesisHash": list[_Reply[str]],
    "getSlot": list[_Reply[int]],
    "getSignaturesForAddress": list[_Reply[list[_SignatureInfo]]],
    "getTransaction": list[_Reply[Transaction]],
    "getBlock": list[_Reply[_Block]],
}


class _NoBlock(SourceError):
    """the node does not have this block"""


class RpcSource:
    """One node and one program. `batch` calls travel in one request, `parallel` requests at a time."""

    def __init__(self, url: str, program: str, *, batch: int = 50, parallel: int = 4, timeout: float = 20.0) -> None:
        self._program = program
        self._url = url
        self._batch = batch
        self._gate = asyncio.Semaphore(parallel)
        self._http = httpx2.AsyncClient(timeout=timeout, trust_env=not is_loopback(url))
        self._decoders = {method: msgspec.json.Decoder(reply) for method, reply in _REPLY_TYPES.items()}

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()

    async def genesis(self) -> str:
        """Hash that names the chain."""
        (answer,) = await self._call("getGenesisHash", [[]])
        return str(answer)

    async def heads(self) -> Heads:
        """Newest confirmed and finalized slot."""
        answers = await self._call("getSlot", [[{"commitment": "confirmed"}], [{"commitment": "finalized"}]])
        confirmed, finalized = (int(slot) for slot in answers)
        return Heads(confirmed, min(finalized, confirmed))

    async def blockhashes(self, slots: Sequence[int]) -> list[str | None]:
        """Hash of the confirmed block in each slot; None where there is no block."""
        blocks = await asyncio.gather(*(self._block(slot, "none") for slot in slots))
        return [block.blockhash if block is not None else None for block in blocks]

    async def _block(self, slot: int, details: str) -> _Block | None:
        options = {"commitment": "confirmed", "transactionDetails": details, "rewards": False}
        try:
            (block,) = await self._call(
                "getBlock", [[slot, {**options, "maxSupportedTransactionVersion": _MAX_VERSION}]]
            )
        except _NoBlock:
            return None
        return block if isinstance(block, _Block) else None

    async def seen(self, after: int, heads: Heads) -> list[Seen]:
        """All of the program's successful transactions in slots (after, heads.confirmed], oldest slot first."""
        found: dict[str, _SignatureInfo] = {}
        before: str | None = None
        while True:
            limit = _PAGE if before else _FIRST_PAGE
            page = await self._signatures(before, limit, heads.confirmed)
            fresh = [info for info in page if info.signature not in found]
            found.update((info.signature, info) for info in fresh)
            if len(page) < limit or page[-1].slot <= after:
                break
            if not fresh:
                raise SourceError(f"getSignaturesForAddress makes no progress before {before}")
            before = page[-1].signature
        inside = (info for info in found.values() if info.err is None and after < info.slot <= heads.confirmed)
        return sorted((Seen(info.signature, info.slot) for info in inside), key=lambda item: item.slot)

    async def _signatures(self, before: str | None, limit: int, min_slot: int) -> list[_SignatureInfo]:
        options: dict[str, Any] = {"commitment": "confirmed", "limit": limit, "minContextSlot": min_slot}
        if before is not None:
            options["before"] = before
        (page,) = await self._call("getSignaturesForAddress", [[self._program, options]])
        return list(page or [])

    async def transactions(self, seen: Sequence[Seen]) -> list[Transaction]:
        """These transactions with `transaction_index` set, in chain order. SourceError when one has vanished."""
        options = {"commitment": "confirmed", "encoding": "json", "maxSupportedTransactionVersion": _MAX_VERSION}
        calls = [[item.signature, options] for item in seen]
        chunks = [calls[at : at + self._batch] for at in range(0, len(calls), self._batch)]
        answers = await asyncio.gather(*(self._call("getTransaction", chunk) for chunk in chunks))
        found: list[Transaction] = [item for chunk in answers for item in chunk if item is not None]
        if len(found) < len(seen):
            missing = {item.signature for item in seen} - {item.signature for item in found}
            raise SourceError(f"listed but not served: {', '.join(sorted(missing)[:3])}")
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

    async def accounts(self, keys: Sequence[str]) -> tuple[int, dict[str, bytes | None]]:
        """The oldest slot at which they were read, and data of the program's accounts; None where there is none.

        A closed account may be shown for a while as an empty one of the system program.
        """
        options = {"commitment": "confirmed", "encoding": "base64"}
        chunks = [list(keys[at : at + _ACCOUNTS]) for at in range(0, len(keys), _ACCOUNTS)]
        answers = await asyncio.gather(*(self._call("getMultipleAccounts", [[chunk, options]]) for chunk in chunks))
        slots: list[int] = []
        found: dict[str, bytes | None] = {}
        for chunk, (answer,) in zip(chunks, answers, strict=True):
            slots.append(answer.context.slot)
            for key, account in zip(chunk, answer.value, strict=True):
                found[key] = None
                if account is not None and account.owner == self._program:
                    found[key] = base64.b64decode(account.data[0])
        return min(slots, default=-1), found

    async def _call(self, method: str, calls: list[list[Any]]) -> list[Any]:
        """Results of several calls of one method, in order, asked again while the node is behind or busy."""
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params} for number, params in enumerate(calls)
        ]
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
            try:
                async with self._gate:
                    response = await self._http.post(
                        self._url, content=msgspec.json.encode(body), headers={"content-type": "application/json"}
                    )
                if response.status_code != 200:
                    reason = f"HTTP {response.status_code}"
                    continue
                replies = sorted(self._decoders[method].decode(response.content), key=lambda reply: reply.id)
            except (httpx2.HTTPError, msgspec.DecodeError) as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            failed = next((reply.error for reply in replies if reply.error is not None), None)
            if failed is None and len(replies) == len(calls):
                return [reply.result for reply in replies]
            reason = f"{failed.code} {failed.message}" if failed else f"{len(replies)} of {len(calls)} answers"
            if failed is not None and failed.code in _NO_BLOCK_CODES:
                raise _NoBlock(reason)
            if failed is not None and failed.code not in _RETRY_CODES:
                break
        raise SourceError(f"{method}: {reason}")

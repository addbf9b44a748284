"""JSON-RPC calls to a node that limits, refuses and forgets: what it answered is kept, only the rest is asked again."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import msgspec
from ionet.patient_http import is_loopback, status_line, whole_body

from ionet_indexer.source.base import SourceError

log = logging.getLogger(__name__)
_ATTEMPTS = 6  # in a row that bring no answer to any call
_FIRST_PAUSE = 0.1  # seconds, doubled per attempt
_LONGEST_PAUSE = 5.0  # seconds waited inside a call; a node that asks for more ends it
LONGEST_RETRY_AFTER = 60.0  # seconds; what a node asks for beyond it is cut
_TRY_BATCHES_AFTER = 500  # single calls, after which a node that took no batches is offered one again

# Behind the slot we asked it to know, unhealthy or busy, block's status not there yet, busy.
_RETRY_CODES = {-32016, -32005, -32014, -32429, 429}
# Not available, skipped, skipped or missing in long-term storage; some nodes use them to say that they are busy.
_NO_BLOCK_CODES = {-32004, -32007, -32009}
_LIMIT_WORDS = ("limit", "too many", "per second")
_NO_BATCH_CODES = {-32600, -32700}
_BUSY_STATUS = 429
_MOST_BYTES = 256 << 20  # of an answer, unpacked: the keys of a million accounts
_NO_BATCH_STATUS = {400, 405, 413, _BUSY_STATUS}


class _Error(msgspec.Struct):
    code: int
    message: str = ""


class _Reply(msgspec.Struct):
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class NoBlock(SourceError):
    """the node does not have this block"""


class _Refused(Exception):
    """A request that brought nothing, whatever the reason.

    wait: seconds that the node asked for. batch: whether the node may take no batches. busy: it may only be busy.
    """

    def __init__(self, reason: str, *, wait: float = 0.0, batch: bool = False, busy: bool = False) -> None:
        super().__init__(reason)
        self.wait = wait
        self.batch = batch
        self.busy = busy


class Transport:
    """One node. `batch` calls travel in one request, `parallel` requests at a time, `timeout` seconds for each."""

    def __init__(self, url: str, *, batch: int, parallel: int, timeout: float) -> None:
        self._url = url
        self._batch = batch
        self._timeout = timeout
        self._gate = asyncio.Semaphore(parallel)
        self._http = httpx2.AsyncClient(timeout=timeout, trust_env=not is_loopback(url))
        self._replies = msgspec.json.Decoder(list[_Reply])
        self._reply = msgspec.json.Decoder(_Reply)
        self._random = random.Random()
        self._not_before = 0.0  # of the monotonic clock: a node that asked us to wait is left alone until then
        self._singles_left = 0  # calls still sent one by one because the node refused a batch
        self._told = False

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()

    async def call(self, method: str, calls: Sequence[list[Any]], kind: Any) -> list[Any]:
        """Results of several calls of one method, each read as `kind`, in order. Raises SourceError, NoBlock."""
        chunks = [calls[at : at + self._batch] for at in range(0, len(calls), self._batch)]
        found = await asyncio.gather(*(self._chunk(method, chunk, kind) for chunk in chunks))
        return [item for chunk in found for item in chunk]

    async def _chunk(self, method: str, calls: Sequence[list[Any]], kind: Any) -> list[Any]:
        decoder = msgspec.json.Decoder(kind)
        found: dict[int, Any] = {}
        missing = list(range(len(calls)))
        vain, reason, wait = 0, "no answer", 0.0
        while missing:
            if vain == _ATTEMPTS:
                raise SourceError(f"{method}: {reason}", wait)
            await self._pause(vain, wait, f"{method}: {reason}")
            asked = missing[:1] if self._singles_left and len(missing) > 1 else missing
            before, wait = len(found), 0.0
            try:
                for reply in await self._post(method, {number: calls[number] for number in asked}):
                    if reply.error is not None:
                        reason = self._judged(method, reply.error)
                    elif type(reply.id) is int and reply.id in asked:
                        found[reply.id] = self._read(method, decoder, reply.result, calls[reply.id])
                if len(found) == before and reason == "no answer":
                    reason = f"none of {len(asked)} calls was answered"
            except _Refused as refused:
                reason, wait = str(refused), refused.wait
                if refused.batch and len(asked) > 1 and (vain or not refused.busy):
                    self._go_single(reason)
            missing = [number for number in missing if number not in found]
            vain = 0 if len(found) > before and len(asked) == 1 else vain + 1 if len(found) == before else 1
        return [found[number] for number in range(len(calls))]

    def _go_single(self, reason: str) -> None:
        self._singles_left = _TRY_BATCHES_AFTER
        if not self._told:
            log.warning("the node takes no batches: %s", reason, extra={"action": "no_batches"})
        self._told = True

    async def _pause(self, vain: int, asked_for: float, reason: str) -> None:
        """Before an attempt that follows `vain` ones which brought nothing; a little random, so that callers spread."""
        if vain or asked_for:
            wait = max(asked_for, _FIRST_PAUSE * 2 ** max(0, vain - 1))
            self._not_before = max(self._not_before, time.monotonic() + wait * self._random.uniform(1.0, 1.25))
        left = self._not_before - time.monotonic()
        if left > _LONGEST_PAUSE:
            raise SourceError(reason, left)
        if left > 0:
            await asyncio.sleep(left)

    def _judged(self, method: str, error: _Error) -> str:
        """Why a call has to be asked again. Raises SourceError where that is of no use, NoBlock for a missing block."""
        reason = f"{error.code} {error.message}"
        if error.code in _NO_BLOCK_CODES:
            limited = any(word in error.message.lower() for word in _LIMIT_WORDS)
            if method == "getBlock" and not limited:
                raise NoBlock(reason)
            return reason
        if error.code not in _RETRY_CODES:
            raise SourceError(f"{method}: {reason}")
        return reason

    def _read(self, method: str, decoder: msgspec.json.Decoder[Any], result: msgspec.Raw, params: list[Any]) -> Any:
        try:
            return decoder.decode(result)
        except msgspec.DecodeError as error:
            raise SourceError(f"{method} {params[0] if params else ''}: cannot read the answer: {error}") from None

    async def _post(self, method: str, calls: dict[int, list[Any]]) -> list[_Reply]:
        body: Any = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params} for number, params in calls.items()
        ]
        single = len(body) == 1
        if self._singles_left:
            self._singles_left -= 1
        try:
            async with self._gate, asyncio.timeout(2 * self._timeout):
                response, answer = await self._answer(msgspec.json.encode(body[0] if single else body))
        except (httpx2.HTTPError, TimeoutError) as error:
            raise _Refused(f"{type(error).__name__}: {error}") from None
        if response.status_code != 200:
            wait = _retry_after(response.headers.get("retry-after", ""))
            raise _Refused(
                f"{status_line(response.status_code)}{_excerpt(answer)}",
                wait=wait,
                batch=response.status_code in _NO_BATCH_STATUS and not wait,
                busy=response.status_code == _BUSY_STATUS,
            )
        try:
            if answer.lstrip()[:1] == b"[":
                return self._replies.decode(answer)
            reply = self._reply.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _Refused(f"{type(error).__name__}: {error}{_excerpt(answer)}") from None
        if single:
            return [reply]
        # One object for many calls: it is about the request as a whole.
        said = f"{reply.error.code} {reply.error.message}" if reply.error else "one answer to several calls"
        raise _Refused(said, batch=reply.error is None or reply.error.code in _NO_BATCH_CODES)

    async def _answer(self, content: bytes) -> tuple[httpx2.Response, bytes]:
        """The head of an answer, and all of its body, which is not read beyond what any answer needs."""
        headers = {"content-type": "application/json"}
        async with self._http.stream("POST", self._url, content=content, headers=headers) as response:
            too_long = _Refused(f"an answer of more than {_MOST_BYTES} bytes", batch=True)
            return response, await whole_body(response, _MOST_BYTES, too_long)


def _excerpt(answer: bytes) -> str:
    """The beginning of what a refusal says, on one line."""
    text = " ".join(answer[:400].decode(errors="replace").split())
    return f" ({text[:120]})" if text else ""


def _retry_after(text: str) -> float:
    """Seconds that `retry-after` asks for, as a number or as a date; 0 without it."""
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - time.time()), LONGEST_RETRY_AFTER)
    except (TypeError, ValueError):
        return 0.0

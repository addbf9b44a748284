"""What the pages read: the indexer's API, as anybody reads it. An answer has a deadline and a size, and each reader of
the pages a share of what the indexer lets them ask: for it all readers are one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from typing import Any
from urllib.parse import quote
from weakref import WeakValueDictionary

import httpx2
import msgspec
from ionet.buckets import Buckets, whose
from ionet.errors import IonetError
from ionet.patient_http import PatientClient, check_url, status_line, whole_body

ANSWER_SECS = 5.0
ANSWER_BYTES = 4 << 20
FRESH_SECS = 1.0
"""For how long an answer is given again: many people look at the same page."""
SLOW_SECS = 60.0
_KEPT = 256  # answers
_CONNECTIONS = 32
RATE, BURST = 20.0, 100
"""Questions a second that are asked of the indexer for one reader, and at once. It answers an address 50 and 200, and a
page that nobody looked at a moment ago asks at most some 70."""
_AT_ONCE = 8
"""Of the connections, how many serve one reader."""
_TURN_SECS = ANSWER_SECS
"""For how long a question waits for others of its reader."""


class Unavailable(IonetError):
    """the indexer does not answer"""


class Refused(IonetError):
    """the indexer refused the question"""

    status = 400


class NotKnown(Refused):
    """the indexer knows no such thing"""

    status = 404


class AsksTooMuch(IonetError):
    """this address asks too much at once"""

    def __init__(self, secs: float) -> None:
        super().__init__()
        self.secs = secs
        """Until it may ask again."""


class Indexer:
    """One indexer's API, asked by the pages themselves or, after `of`, for one reader."""

    def __init__(self, url: str, client: httpx2.AsyncClient, rate: float = RATE, burst: int = BURST) -> None:
        """rate, burst: questions per second for each reader, and at once."""
        self.url, self._client = url, client
        self._asked: dict[str, tuple[float, asyncio.Task[dict[str, Any]]]] = {}  # until when, and the answer
        self._shares = Buckets(rate, burst)
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._reader: str | None = None

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, rate: float = RATE, burst: int = BURST) -> AsyncIterator[Indexer]:
        """url: of the API. Raises InvalidInput for anything but an http or https address."""
        check_url(url)
        limits = httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        async with PatientClient(url, base_url=url, timeout=ANSWER_SECS, limits=limits) as client:
            yield cls(url.rstrip("/"), client, rate, burst)

    def of(self, address: str) -> Indexer:
        """The same, asked for the reader at this address: what is asked then may raise AsksTooMuch."""
        one = copy(self)
        one._reader = whose(address)
        return one

    async def get(self, *path: str, **query: str | int | None) -> dict[str, Any]:
        """The answer of a path below /v1, of these parts. Raises Unavailable, Refused or NotKnown."""
        return await self._get(path, query, FRESH_SECS)

    async def slow(self, *path: str, **query: str | int | None) -> dict[str, Any]:
        """The same of what changes by the day, such as a score: it is given again for a minute."""
        return await self._get(path, query, SLOW_SECS)

    async def _get(self, path: Sequence[str], query: Mapping[str, str | int | None], fresh: float) -> dict[str, Any]:
        given = {name: str(value) for name, value in query.items() if value not in (None, "")}
        url = httpx2.URL("/v1/" + "/".join(quote(part, safe="") for part in path), params=given)
        async with self._turn():
            return await asyncio.shield(self._task(str(url), fresh))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """A reader's questions wait for each other, before they are asked: what is being asked, others may wait for."""
        if self._reader is None:
            yield
            return
        turns = self._turns.setdefault(self._reader, asyncio.Semaphore(_AT_ONCE))
        try:
            async with asyncio.timeout(_TURN_SECS):
                await turns.acquire()
        except TimeoutError:
            raise AsksTooMuch(_TURN_SECS) from None
        try:
            yield
        finally:
            turns.release()

    def _task(self, url: str, fresh: float) -> asyncio.Task[dict[str, Any]]:
        """What was asked a moment ago is not asked again."""
        now = time.monotonic()
        while self._asked and now >= next(iter(self._asked.values()))[0]:
            del self._asked[next(iter(self._asked))]
        if url in self._asked and now < self._asked[url][0]:
            return self._asked[url][1]
        if self._reader is not None and (wait := self._shares.take(self._reader)):
            raise AsksTooMuch(wait)
        self._asked.pop(url, None)
        if len(self._asked) >= _KEPT:
            del self._asked[next(iter(self._asked))]
        task = asyncio.create_task(self._fetch(url))
        task.add_done_callback(lambda done: self._answered(url, done))
        self._asked[url] = (now + fresh, task)
        return task

    def _answered(self, url: str, task: asyncio.Task[dict[str, Any]]) -> None:
        """That it did not answer is not believed for long. Nobody may be left who waits for it."""
        failed = task.cancelled() or isinstance(task.exception(), Unavailable)
        until, kept = self._asked.get(url, (0.0, None))
        if failed and kept is task:
            self._asked[url] = (min(until, time.monotonic() + FRESH_SECS), task)

    async def _fetch(self, url: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(ANSWER_SECS):
                status, body = await self._asked_again(url)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Unavailable(str(error) or "no answer in time") from None
        if status >= 500 or status == 429:
            raise Unavailable(status_line(status))
        try:
            found = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            raise Unavailable("it answers with something else than JSON") from None
        if status != 200:
            refusal = NotKnown if status == 404 else Refused
            raise refusal(str(found.get("detail", status_line(status))))
        return found

    async def _asked_again(self, url: str) -> tuple[int, bytes]:
        """Status and body. A connection that was kept may have been closed at the other end: it asks once more."""
        try:
            return await self._ask(url)
        except httpx2.RemoteProtocolError:
            return await self._ask(url)

    async def _ask(self, url: str) -> tuple[int, bytes]:
        async with self._client.stream("GET", url) as response:
            return response.status_code, await whole_body(response, ANSWER_BYTES, Unavailable("its answer is too long"))

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[str]]:
        """Lines of the stream of confirmed events, from now on."""
        try:
            async with self._client.stream("GET", "/v1/stream", timeout=httpx2.Timeout(ANSWER_SECS, read=60)) as found:
                if found.status_code != 200:
                    raise Unavailable(status_line(found.status_code))
                yield found.aiter_lines()
        except httpx2.HTTPError as error:
            raise Unavailable(str(error) or "the stream ended") from None

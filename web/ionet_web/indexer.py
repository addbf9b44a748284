"""What the pages read: the indexer's API, as anybody reads it. An answer has a deadline and a size, and each reader of
the pages a share of what the indexer lets them ask: for it all readers are one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
import msgspec
from ionet import distance
from ionet.buckets import Buckets, whose
from ionet.errors import IonetError
from ionet.patient_http import PatientClient, check_url, status_line, whole_body
from ionet.places import Turns
from solders.pubkey import Pubkey

from ionet_web.answers import Answers, AsksTooMuch

ANSWER_SECS = 5.0
ANSWER_BYTES = 4 << 20
FRESH_SECS = 1.0
"""For how long an answer is given again: many people look at the same page."""
LISTED_SECS = 15.0, 60.0
"""The same of long lists and of what is told by the hour: fresh until then, and until then given as one is fetched."""
SLOW_SECS = 60.0, 900.0
"""The same of what changes by the day."""
_KEPT, _LISTED, _SLOW = 256, 64, 512  # answers
_CONNECTIONS = 32
RATE, BURST = 20.0, 100
"""Questions a second that are asked of the indexer for one reader, and at once. It answers an address 50 and 200, and a
page that nobody looked at a moment ago asks at most some 70."""
_AT_ONCE = 8
"""Of the connections, how many serve one reader."""
_TURN_SECS = ANSWER_SECS
"""For how long a question waits for others of its reader."""
Given = str | int | None
T = TypeVar("T")


class Unavailable(IonetError):
    """the indexer does not answer"""


class Refused(IonetError):
    """the indexer refused the question"""

    status = 400


class NotKnown(Refused):
    """the indexer knows no such thing"""

    status = 404


class Indexer:
    """One indexer's API, asked by the pages themselves or, after `of`, for one reader."""

    def __init__(self, url: str, client: httpx2.AsyncClient, rate: float = RATE, burst: int = BURST) -> None:
        """rate, burst: questions per second for each reader, and at once."""
        self.url, self._client = url, client
        self._new = Answers(self._fetch, FRESH_SECS, FRESH_SECS, _KEPT, Unavailable)
        self._lists = Answers(self._fetch, *LISTED_SECS, _LISTED, Unavailable)
        self._slow = Answers(self._fetch, *SLOW_SECS, _SLOW, Unavailable)
        self._away = Answers(self._measured, *SLOW_SECS, _SLOW, Unavailable)
        self._shares = Buckets(rate, burst)
        self._turns = Turns(_AT_ONCE, _TURN_SECS)
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

    async def get(self, *path: str, **query: Given) -> dict[str, Any]:
        """The answer of a path below /v1, of these parts. Raises Unavailable, Refused or NotKnown."""
        return await self._asked(self._new, _address(path, query))

    async def listed(self, *path: str, **query: Given) -> dict[str, Any]:
        """The same of what is long or told by the hour: up to a minute old where others asked for it."""
        return await self._asked(self._lists, _address(path, query))

    async def slow(self, *path: str, **query: Given) -> dict[str, Any]:
        """The same of what changes by the day, such as a score: up to a quarter of an hour old."""
        return await self._asked(self._slow, _address(path, query))

    async def away(self, node: str) -> float | None:
        """Milliseconds there and back from here to a node, see `ionet.distance`; None where nobody knows. Each node is
        asked once a minute at most, however many readers want to know."""
        return await self._asked(self._away, node)

    async def _asked(self, answers: Answers[T], asked: str) -> T:
        """A reader's questions wait for each other before they are asked: what is being asked, others may wait for."""
        if self._reader is None:
            return await answers.get(asked)
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._turns.of(self._reader))
            except TimeoutError:
                raise AsksTooMuch(_TURN_SECS) from None
            return await answers.get(asked, partial(self._shares.take, self._reader))

    async def _measured(self, node: str) -> float | None:
        key = Pubkey.from_string(node)
        return (await distance.measure(self.url, [key])).get(key)

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


def _address(path: Sequence[str], query: Mapping[str, Given]) -> str:
    given = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return str(httpx2.URL("/v1/" + "/".join(quote(part, safe="") for part in path), params=given))

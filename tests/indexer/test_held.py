"""No request computes while it holds a database connection: over every route, with long pages of a large database.

What runs between the queries of a held connection is counted in calls, which are the same on every machine. An export
holds its connection for as long as it lasts, of which there are two: its rows become bytes in a thread.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
import crowd
import httpx2
import postgres
import pytest
from indexer.api_server import TEMPLATE, RecordedAccounts, fill
from indexer.recording import Recording
from indexer.test_leaves_and_trace import upload_of
from indexer.test_plans import addresses
from ionet.leaves import PATH
from ionet.program import PROGRAM
from ionet_indexer.api import stream
from ionet_indexer.api.app import create_app
from ionet_indexer.core.reader import Reader
from ionet_indexer.postgres import EmbeddedPostgres

EVENTS = 20_000
# A log works out of its sums which payments it needs; it is of 200 intervals at most.
MOST_CALLS = {"": 400, "/v1/leases/{key}/intervals": 1_500}
HELD_ON_PURPOSE = "/v1/export/{file}"


class Watched:
    """A pool that counts what Python calls while a connection is out and no query runs."""

    def __init__(self, pool: Any) -> None:
        self._pool, self.calls, self.most = pool, 0, 0

    def _count(self, _frame: object, event: str, _argument: object) -> None:
        self.calls += event in ("call", "c_call")

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection:
            self.calls = 0
            sys.setprofile(self._count)
            try:
                yield _Connection(connection, self)
            finally:
                sys.setprofile(None)
                self.most = max(self.most, self.calls)

    async def fetchrow(self, *asked: Any) -> Any:
        return await self._pool.fetchrow(*asked)

    async def unwatched(self, query: Any, *asked: Any) -> Any:
        sys.setprofile(None)
        try:
            return await query(*asked)
        finally:
            sys.setprofile(self._count)


class _Connection:
    def __init__(self, connection: Any, watched: Watched) -> None:
        self._connection, self._watched = connection, watched

    @asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncIterator[None]:
        opened = self._connection.transaction(**options)
        await self._watched.unwatched(opened.start)
        try:
            yield
        except BaseException:
            await self._watched.unwatched(opened.rollback)
            raise
        await self._watched.unwatched(opened.commit)

    def __getattr__(self, name: str) -> Any:
        query = getattr(self._connection, name)

        async def run(*asked: Any) -> Any:
            return await self._watched.unwatched(query, *asked)

        return run


@asynccontextmanager
async def watching(dsn: str) -> AsyncIterator[tuple[Reader, Watched, httpx2.AsyncClient]]:
    async with Reader.open(dsn) as reader:
        watched = Watched(reader._pool)
        reader._pool = cast(asyncpg.Pool, watched)
        app: Any = create_app(reader, PROGRAM.codec, rate=10_000, burst=10_000)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api", timeout=120) as client:
            yield reader, watched, client
        reader._pool = watched._pool


@pytest.fixture(scope="module")
def large(server: EmbeddedPostgres) -> str:
    async def prepare() -> str:
        found = await postgres.create(server, "held", TEMPLATE)
        await crowd.fill(found, EVENTS)
        return found

    return asyncio.run(prepare())


def asked_of(path: str, what: dict[str, Any], known: dict[str, str]) -> str:
    """A request of a path for what the database has, a page as long as there is."""
    noun = path.removeprefix("/v1/").partition("/")[0].removesuffix("s")
    places = {**known, "key": known.get(noun, known["wallet"]), "result_hash": "ab" * 32}
    filled = re.sub(r"\{(\w+)\}", lambda found: places[found[1]], path)
    parameters = {each["name"]: each for each in what.get("parameters", ()) if each["in"] == "query"}
    query = {name: known[name] for name, each in parameters.items() if each.get("required")}
    if "by" in query:  # the leaders
        query["of"] = "node"
    if "limit" in parameters:
        query["limit"] = parameters["limit"]["schema"]["maximum"]
    return f"{filled}?{'&'.join(f'{name}={value}' for name, value in query.items())}"


async def test_no_route_computes_while_it_holds_a_connection(large: str) -> None:
    known = {
        **await addresses(large),
        "signature": "1" * 64,
        "slot": "1",
        "model": "1",
        "q": "1",
        "by": "served",
        "of": "network",
        "field": "leased",
    }
    held: dict[str, int] = {}
    async with watching(large) as (reader, watched, client):
        document = (await client.get("/openapi.json")).json()["paths"]
        for path, methods in document.items():
            if not path.startswith("/v1") or "get" not in methods or path in (HELD_ON_PURPOSE, "/v1/stream"):
                continue
            for _ in range(2):  # the second time, what is made once is there
                watched.most = 0
                answer = await client.get(asked_of(path, methods["get"], known))
                assert answer.status_code in (200, 404), answer.text
            held[path] = watched.most
        watched.most = 0
        news = await stream._news(reader, PROGRAM.codec, -1, 0, finalized=False)
        assert len(news.messages) > 100
        held["/v1/stream"] = watched.most
    assert {path: calls for path, calls in held.items() if calls > MOST_CALLS.get(path, MOST_CALLS[""])} == {}
    assert sum(calls > 0 for calls in held.values()) > 40


async def test_neither_write_does(recording: Recording, dsn: str) -> None:
    await fill(dsn, recording, RecordedAccounts(recording))
    async with watching(dsn) as (_, watched, client):
        upload = upload_of(recording, 1)
        response = await client.post(PATH, content=upload.leaves, headers=upload.headers)
        assert response.status_code == 201, response.text
        assert 0 < watched.most < MOST_CALLS[""]

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence

import httpx2
import postgres
import pytest
import pytest_asyncio
from indexer.api_server import TEMPLATE, client_over, prepared, served
from indexer.proxy import Proxy, proxy
from indexer.recording import (
    PROGRAM_ID,
    STORIES,
    ConflictRecording,
    EndingRecording,
    Played,
    Recording,
    record,
    record_conflicts,
    record_endings,
)
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Writer
from market import Market


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """One server with a migrated template database."""
    with postgres.server() as running:

        async def prepare() -> None:
            async with Writer.open(await postgres.create(running, TEMPLATE)):
                pass

        asyncio.run(prepare())
        yield running


@pytest_asyncio.fixture
async def dsn(server: EmbeddedPostgres) -> AsyncIterator[str]:
    """A fresh database with the schema."""
    async with postgres.database(server, TEMPLATE) as found:
        yield found


@pytest_asyncio.fixture
async def another(server: EmbeddedPostgres) -> AsyncIterator[str]:
    """A second fresh database, to compare with the first."""
    async with postgres.database(server, TEMPLATE) as found:
        yield found


@pytest_asyncio.fixture
async def writer(dsn: str) -> AsyncIterator[Writer]:
    async with Writer.open(dsn) as opened:
        assert await opened.take_lock()
        yield opened


@pytest.fixture(scope="session")
def recording() -> Recording:
    """The story of a market, played once per session on the real program."""
    return asyncio.run(record())


@pytest.fixture(scope="session")
def conflicts() -> ConflictRecording:
    """The story of money and conflicts, likewise."""
    return asyncio.run(record_conflicts())


@pytest.fixture(scope="session")
def endings() -> EndingRecording:
    """The story of time and trust, likewise."""
    return asyncio.run(record_endings())


@pytest.fixture(scope="session")
def api_dsn(server: EmbeddedPostgres, recording: Recording) -> str:
    """A database with the recording; tests of the API share it and only add leaves."""
    return prepared(server, "api", recording)


@pytest.fixture(scope="session")
def api(api_dsn: str) -> Iterator[httpx2.Client]:
    """A client of the API over the recording."""
    with served(api_dsn) as address, httpx2.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def apis(
    request: pytest.FixtureRequest,
    server: EmbeddedPostgres,
    recording: Recording,
    conflicts: ConflictRecording,
    endings: EndingRecording,
) -> Iterator[dict[str, httpx2.Client]]:
    """A client of the API over each story (STORIES), in databases that the module has for itself."""
    name = request.module.__name__.rpartition(".")[2]
    with contextlib.ExitStack() as clients:
        played: Sequence[Played] = (recording, conflicts, endings)
        yield {
            story: clients.enter_context(client_over(server, f"{name}_{story}", each))
            for story, each in zip(STORIES, played, strict=True)
        }


@pytest_asyncio.fixture(loop_scope="module")
async def node(played: Market) -> AsyncIterator[Proxy]:
    """In front of the chain of `played`, which a module that follows one has."""
    async with proxy(played.net.rpc_url) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def source(node: Proxy) -> AsyncIterator[RpcSource]:
    found = RpcSource(node.url, PROGRAM_ID)
    yield found
    await found.close()

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import postgres
import pytest
import pytest_asyncio
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.store import Writer

sys.path.insert(0, str(Path(__file__).parent))  # this suite's own helpers

from recording import Recording, record

TEMPLATE = "migrated"


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

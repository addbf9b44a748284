from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from importlib.resources import files

import asyncpg
import postgres
import pytest
import pytest_asyncio
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_launcher.store import migrate, open_pool


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    with postgres.server() as running:
        yield running


@pytest_asyncio.fixture
async def pool(server: EmbeddedPostgres) -> AsyncIterator[asyncpg.Pool]:
    """An empty database with the indexer's tables and the launcher's."""
    async with postgres.database(server) as dsn, await open_pool(dsn, 6) as made:
        folder = files("ionet_indexer") / "migrations"
        for entry in sorted(folder.iterdir(), key=lambda item: item.name):
            await made.execute(entry.read_text())
        async with made.acquire() as connection:
            await migrate(connection)
            await migrate(connection)  # a second time changes nothing
        yield made

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import asyncpg
import postgres
import pytest
import pytest_asyncio
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.tables import tables


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    with postgres.server() as running:
        yield running


@pytest_asyncio.fixture
async def pool(server: EmbeddedPostgres) -> AsyncIterator[asyncpg.Pool]:
    """An empty database with the indexer's tables and the launcher's."""
    async with postgres.database(server) as dsn, tables(dsn) as made:
        yield made

"""A database with the indexer's tables and the launcher's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import asyncpg
from ionet_launcher.store import migrate, open_pool


@asynccontextmanager
async def tables(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Makes them in an empty one."""
    async with await open_pool(dsn, 6) as made:
        folder = files("ionet_indexer") / "migrations"
        for entry in sorted(folder.iterdir(), key=lambda item: item.name):
            await made.execute(entry.read_text())
        async with made.acquire() as connection:
            await migrate(connection)
            await migrate(connection)  # a second time changes nothing
        yield made

"""Read access for the API: a pool, and snapshots that know the slot they are true at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from ionet_indexer.core import queries, rows
from ionet_indexer.core.connection import NoDatabase
from ionet_indexer.core.rows import State

S = TypeVar("S", bound=State)
SQL = queries.load("api.sql")


class Snapshot:
    """One consistent state of the database. `slot` is −1 before the first event was read."""

    def __init__(self, connection: asyncpg.Connection, slot: int, finalized_slot: int) -> None:
        self._connection = connection
        self.slot = slot
        self.finalized_slot = finalized_slot

    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Any]:
        """Rows of a query; `numeric` columns come as decimal strings."""
        found: Sequence[Any] = await self._connection.fetch(sql, *arguments)
        return found

    async def rows(self, kind: type[S], condition: str) -> list[S]:
        """Rows of a table of states under a fixed SQL condition."""
        names = ", ".join(rows.columns(kind))
        sql = f"SELECT json_agg(r)::text AS all FROM (SELECT {names} FROM {kind.table} WHERE {condition}) r"
        found = await self._connection.fetchval(sql)
        return rows.decode(kind, found)

    async def one(self, sql: str, *arguments: Any) -> Any | None:
        """First row of a query, None when there is none."""
        return await self._connection.fetchrow(sql, *arguments)


class Reader:
    """A pool of connections. Several processes may have one each, on replicas too (but leaves need the primary)."""

    def __init__(self, pool: asyncpg.Pool, dsn: str) -> None:
        self._pool = pool
        self._dsn = dsn

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, *, size: int = 8) -> AsyncIterator[Reader]:
        """Connect. Raises NoDatabase when the server does not answer."""
        try:
            pool = await asyncpg.create_pool(dsn, min_size=1, max_size=size, init=_prepare, command_timeout=15)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NoDatabase(str(error)) from error
        try:
            yield cls(pool, dsn)
        finally:
            await pool.close()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Everything read inside belongs to one state of the database."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await connection.fetchrow(SQL["slots"])
            yield Snapshot(connection, row["indexed_slot"] if row else -1, row["finalized_slot"] if row else -1)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[asyncpg.Connection]:
        """One transaction that may write; for uploaded leaves only."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection

    async def listen(self, channel: str) -> AsyncIterator[None]:
        """Yields once at the start and then after every notification; ends when the connection does."""
        connection = await asyncpg.connect(self._dsn)
        heard = asyncio.Event()
        heard.set()
        connection.add_termination_listener(lambda _: heard.set())
        try:
            await connection.add_listener(channel, lambda *_: heard.set())
            while not connection.is_closed():
                await heard.wait()
                heard.clear()
                yield
        finally:
            await connection.close(timeout=5)


async def _prepare(connection: asyncpg.Connection) -> None:
    # Amounts leave the API as decimal strings, so they never become floats or lose digits on the way.
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=str, format="text")
    await connection.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=str, format="text")

"""One PostgreSQL server per test session, one fresh database per test; shared by every suite that needs a database."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import asyncpg
from ionet_indexer.postgres import EmbeddedPostgres

_numbers = count(1)


@contextmanager
def server() -> Iterator[EmbeddedPostgres]:
    """A throw-away server. Not under pytest's own temporary folder: as root the server runs as `nobody`."""
    base = Path(tempfile.mkdtemp(prefix="ionet-pg-", dir="/var/tmp"))
    try:
        # Durability is tested in tests/indexer/test_postgres.py with the default settings; here speed matters.
        with EmbeddedPostgres(base, settings={"fsync": "off", "synchronous_commit": "off"}) as postgres:
            yield postgres
    finally:
        shutil.rmtree(base, ignore_errors=True)


async def _admin(postgres: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.dsn_for("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def create(postgres: EmbeddedPostgres, name: str, template: str = "template1") -> str:
    """DSN of a new database copied from `template`; it stays."""
    await _admin(postgres, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    return postgres.dsn_for(name)


@asynccontextmanager
async def database(postgres: EmbeddedPostgres, template: str = "template1") -> AsyncIterator[str]:
    """DSN of a new database copied from `template`; dropped afterwards with whatever is still connected to it."""
    name = f"test_{next(_numbers)}"
    yield await create(postgres, name, template)
    await _admin(postgres, f"DROP DATABASE {name} WITH (FORCE)")

"""Numbered SQL files, applied once each in order under an advisory lock; the files are the only schema source."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import asyncpg
from ionet.errors import IonetError

LOCK = 0x10E7_0001  # arbitrary, ours alone
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationError(IonetError):
    """the database has a schema that this program's migrations did not make"""


def available() -> list[tuple[str, str]]:
    """(name, SQL) of every migration in the package, in order."""
    folder = files("ionet_indexer") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(name, (folder / name).read_text()) for name in names]


async def migrate(connection: asyncpg.Connection) -> list[str]:
    """Bring the schema up to date; returns the names applied now. Safe to run from several processes at once."""
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    try:
        await connection.execute(_LEDGER)
        rows = await connection.fetch("SELECT name, sha256 FROM schema_migrations")
        done = {row["name"]: row["sha256"] for row in rows}
        applied = []
        known = available()
        if unknown := set(done) - {name for name, _ in known}:
            raise MigrationError(f"the database is newer than this program: {', '.join(sorted(unknown))}")
        for name, sql in known:
            digest = hashlib.sha256(sql.encode()).hexdigest()
            if done.get(name, digest) != digest:
                raise MigrationError(f"migration {name} was changed after it was applied")
            if name in done:
                continue
            async with connection.transaction():
                await connection.execute(sql)
                await connection.execute("INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)", name, digest)
            applied.append(name)
        return applied
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)

"""Folding all again is killed, by its process or by the database: the tables are the old or the new ones, whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from indexer.api_server import RecordedAccounts, fill
from indexer.recording import Recording
from indexer.tables_of import tables_of
from indexer.test_rebuild import ask, catalog, schemas
from ionet.program import PROGRAM
from ionet_indexer.core.connection import CONNECTION_ERRORS
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.postgres import EmbeddedPostgres, PostgresError
from ionet_indexer.store import Writer


@pytest_asyncio.fixture
async def filled(dsn: str, recording: Recording) -> str:
    """A database with the story of a market."""
    await fill(dsn, recording, RecordedAccounts(recording))
    return dsn


class Dying:
    """A connection whose server process is ended before or after one of its calls."""

    def __init__(self, connection: asyncpg.Connection, dsn: str, at: int, *, after: bool) -> None:
        self._connection, self._dsn, self._at, self._after = connection, dsn, at, after
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        return self._counted(found) if name in ("execute", "fetch", "fetchval", "fetchrow") else found

    def _counted(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls == self._at and not self._after:
                await self._kill()
            answer = await call(*arguments)
            if self.calls == self._at and self._after:
                await self._kill()
            return answer

        return counted

    async def _kill(self) -> None:
        pid = self._connection.get_server_pid()
        await ask(self._dsn, f"SELECT pg_terminate_backend({pid}, 10000)")


async def killed(dsn: str, at: int, *, after: bool) -> int:
    """Rebuild until the server process dies; returns how many calls were made."""
    async with Writer.open(dsn) as writer:
        assert await writer.take_lock()
        dying = Dying(writer._connection, dsn, at, after=after)
        writer._connection = writer.second._connection = dying
        with contextlib.suppress(*CONNECTION_ERRORS):
            await Pipeline(writer, PROGRAM.codec).rebuild()
        return dying.calls


async def test_killed_at_any_point_the_tables_are_the_old_or_the_new(filled: str) -> None:
    new = await tables_of(filled)
    shape = await catalog(filled)
    calls = await killed(filled, -1, after=False)
    assert await tables_of(filled) == new
    spoil = "UPDATE leases SET price = price + 1"
    await ask(filled, spoil)
    old = await tables_of(filled)
    points = [(at, bool(at % 2)) for at in range(1, calls - 8, 7)]
    points += [(at, after) for at in range(calls - 8, calls + 1) for after in (False, True)]
    seen: list[bool] = []
    for at, after in points:
        assert await killed(filled, at, after=after) >= at
        found = await tables_of(filled)
        assert found in (old, new), (at, after)
        seen.append(found == new)
        async with Writer.open(filled) as writer:
            assert await writer.take_lock()
            assert (await schemas(filled), await catalog(filled)) == (0, shape)
            assert await writer.refold_due() != (found == new)  # begun and not done: the next start does it
        if found == new:
            await ask(filled, spoil)
    assert {*seen} == {False, True}


@pytest.fixture
def durable() -> Iterator[EmbeddedPostgres]:
    """A server of its own, that waits for the disk."""
    base = Path(tempfile.mkdtemp(prefix="ionet-pg-", dir="/var/tmp"))
    with EmbeddedPostgres(base) as running:
        yield running
    shutil.rmtree(base, ignore_errors=True)


async def begun(dsn: str) -> asyncio.subprocess.Process:
    """`ionet indexer rebuild`, at work on the second tables."""
    command = [sys.executable, "-m", "ionet", "indexer", "rebuild", "--dsn", dsn]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    async with asyncio.timeout(60):
        while await schemas(dsn) == 0:
            assert process.returncode is None
            await asyncio.sleep(0.01)
    return process


@pytest.mark.parametrize("dies", ["the process", "the database"])
async def test_killed_from_outside_the_old_tables_are_served_and_the_next_one_makes_new_ones(
    dies: str, durable: EmbeddedPostgres, recording: Recording
) -> None:
    dsn = durable.dsn
    async with Writer.open(dsn):
        pass
    await fill(dsn, recording, RecordedAccounts(recording))
    new = await tables_of(dsn)
    await ask(dsn, "UPDATE leases SET price = price + 1")
    old = await tables_of(dsn)
    blocker = await asyncpg.connect(dsn)
    await blocker.execute("BEGIN; LOCK TABLE generation IN ACCESS SHARE MODE")  # a reader: nothing is swapped
    process = await begun(dsn)
    if dies == "the process":
        process.kill()
    else:
        pid = durable.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        durable.stop()
        async with asyncio.timeout(30):
            while durable.pid is None:
                with contextlib.suppress(PostgresError):  # those of the dead server may still hold its memory
                    durable.start()
                await asyncio.sleep(0.1)
    assert await process.wait() != 0
    blocker.terminate()
    assert await tables_of(dsn) == old
    async with Writer.open(dsn) as writer:
        async with asyncio.timeout(30):
            while not await writer.take_lock():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await schemas(dsn) == 0
        pipeline = Pipeline(writer, PROGRAM.codec)
        assert await pipeline.is_due()
        await pipeline.rebuild()
    assert await tables_of(dsn) == new

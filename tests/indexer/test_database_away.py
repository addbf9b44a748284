"""The database goes away for a while, as when it is restarted: the indexer waits for it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ionet.program import PROGRAM
from ionet_indexer import service
from ionet_indexer.core.connection import NoDatabase
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.store import Writer

NO_CHAIN = "127.0.0.1:9"


@pytest.fixture
def postgres() -> Iterator[EmbeddedPostgres]:
    base = Path(tempfile.mkdtemp(prefix="ionet-pg-", dir="/var/tmp"))
    with EmbeddedPostgres(base) as running:
        yield running
    shutil.rmtree(base, ignore_errors=True)


def run(dsn: str) -> asyncio.Task[None]:
    settings = service.Settings(dsn, f"http://{NO_CHAIN}", f"ws://{NO_CHAIN}")
    return asyncio.create_task(service.run(settings, PROGRAM.codec, None))


async def is_writer_elsewhere(dsn: str) -> bool:
    async with Writer.open(dsn) as writer:
        return not await writer.take_lock()


async def test_it_goes_on_when_the_database_is_back(postgres: EmbeddedPostgres) -> None:
    async with Writer.open(postgres.dsn) as first:
        assert await first.take_lock()
        running = run(postgres.dsn)
        await asyncio.sleep(2)  # it stands by, and asks for the lock every second
        await asyncio.to_thread(postgres.stop)
        await asyncio.sleep(3)
        assert not running.done(), running.exception()
    postgres.start()
    async with asyncio.timeout(20):
        while not await is_writer_elsewhere(postgres.dsn):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_it_ends_when_the_database_was_never_there(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(NoDatabase):
        await run(postgres.dsn + "nowhere")

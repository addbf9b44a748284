"""New tables take the others' place within bounded time, whatever readers do, and hold nobody up for long."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import asyncpg
import httpx2
import pytest
import pytest_asyncio
from indexer.api_server import RecordedAccounts, fill, served
from indexer.recording import Recording
from indexer.test_rebuild import ask, at_the_end, impatient
from ionet.program import PROGRAM
from ionet_indexer import second
from ionet_indexer.core.connection import CONNECTION_ERRORS
from ionet_indexer.core.reader import Reader
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.second import READER_WAIT_MS, Second
from ionet_indexer.store import Writer


@pytest_asyncio.fixture
async def filled(dsn: str, recording: Recording) -> str:
    """A database with the story of a market."""
    await fill(dsn, recording, RecordedAccounts(recording))
    return dsn


class Watched:
    """The writer's connection; notes the attempts to swap, and what the last one had the server do."""

    def __init__(self, writer: Writer) -> None:
        self._connection = writer.second._connection
        self.attempts, self.work = 0, ""
        writer.second._connection = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def execute(self, sql: str, *arguments: Any) -> Any:
        if "LOCK TABLE generation" in sql:
            self.attempts, self.work = self.attempts + 1, sql
        return await self._connection.execute(sql, *arguments)


async def test_readers_wait_for_names_alone(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For those before them only as long as an attempt takes; then for work that does not grow with the tables."""
    files = "SELECT json_object_agg(relname, relfilenode)::text FROM pg_class WHERE relnamespace = '{}'::regnamespace"
    made: dict[str, int] = {}

    async def look() -> None:
        made.update(json.loads(await ask(filled, files.format("ionet_next"))))

    await at_the_end(monkeypatch, look)
    async with Writer.open(filled) as writer:
        watched = Watched(writer)
        await Pipeline(writer, PROGRAM.codec).rebuild()
    assert watched.attempts == 1
    assert f"lock_timeout = {READER_WAIT_MS};" in watched.work
    kinds = {re.sub(r"(?<=TABLE|CTION) .* (?=IN|SET)", " x ", each.strip()) for each in watched.work.split(";")}
    assert {kind for kind in kinds if not kind.startswith("SET LOCAL")} == {
        *("SAVEPOINT swap", "LOCK TABLE x IN ACCESS EXCLUSIVE MODE", "COMMIT"),
        *(f"ALTER {kind} x SET SCHEMA {to}" for kind in ("TABLE", "FUNCTION") for to in ("public", "ionet_last")),
    }
    now = json.loads(await ask(filled, files.format("public")))
    assert len(made) > 50
    assert {name: now[name] for name in made} == made  # no table was written again


async def test_a_reader_that_takes_its_time_is_waited_for_and_holds_up_nobody(filled: str) -> None:
    old = await ask(filled, "SELECT 'nodes'::regclass::oid")
    async with (
        Writer.open(filled) as writer,
        Reader.open(filled) as slow,
        Reader.open(impatient(filled, 1000)) as quick,
    ):
        watched = Watched(writer)
        async with slow.snapshot() as snapshot:
            work = asyncio.create_task(Pipeline(writer, PROGRAM.codec).rebuild())
            while watched.attempts < 4:
                assert not work.done()
                async with quick.snapshot() as other:
                    nodes = await other.fetch("SELECT node FROM nodes")
            assert await snapshot.fetch("SELECT node FROM nodes") == nodes != []
            assert await ask(filled, "SELECT 'nodes'::regclass::oid") == old
        await work
    assert await ask(filled, "SELECT 'nodes'::regclass::oid") != old


async def test_readers_without_end_do_not_keep_the_new_tables_away(
    filled: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two that never let go, and one that never had to do with the swap: a transaction that has looked at a table."""
    monkeypatch.setattr(second, "PATIENCE_SECS", 0.5)
    old = await ask(filled, "SELECT 'nodes'::regclass::oid")
    stranger = await asyncpg.connect(filled)
    async with Writer.open(filled) as writer, Reader.open(filled) as reader:
        for count in range(2):
            watched = Watched(writer)
            work = asyncio.create_task(Pipeline(writer, PROGRAM.codec).rebuild())
            with pytest.raises(CONNECTION_ERRORS):  # noqa: PT012
                async with reader.snapshot(), reader.snapshot() as other:
                    await work
                    assert watched.attempts > 1
                    await other.fetch("SELECT node FROM nodes")
            if not count:
                await stranger.execute("BEGIN; SELECT node FROM nodes")
        with pytest.raises(CONNECTION_ERRORS):
            await stranger.fetch("SELECT node FROM nodes")
        async with reader.snapshot() as snapshot:
            assert await snapshot.fetch("SELECT node FROM nodes")
    assert await ask(filled, "SELECT 'nodes'::regclass::oid") != old
    assert sum("was ended" in line for line in caplog.messages) == 5


async def test_a_reader_that_may_not_be_ended_is_named(
    filled: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, however long it stays."""
    monkeypatch.setattr(second, "PATIENCE_SECS", 0.0)
    plain = await asyncpg.connect(filled)
    await plain.execute("CREATE ROLE plain; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain; SET ROLE plain")
    try:
        async with Reader.open(filled) as reader, reader.snapshot() as snapshot:
            told = Second(plain, ["nodes"])
            caplog.clear()
            for _ in range(2):
                await told._end_readers()
            assert [line for line in caplog.messages if "may not be ended" in line] == [caplog.messages[0]]
            assert "role ionet" in caplog.messages[0]
            assert await snapshot.fetch("SELECT node FROM nodes")
    finally:
        await plain.execute("RESET ROLE; DROP OWNED BY plain")
        await plain.execute("DROP ROLE plain")
        await plain.close()


async def test_readers_that_follow_each_other_do_not_keep_the_new_tables_away(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is there for long, but one always is: attempts get longer than any of them."""
    monkeypatch.setattr(second, "PATIENCE_SECS", 0.0)
    monkeypatch.setattr(Second, "_end_readers", nobody_is_ended)
    async with Writer.open(filled) as writer, Reader.open(filled, size=4) as reader:

        async def read() -> None:
            async with reader.snapshot() as snapshot:
                await snapshot.fetch("SELECT pg_sleep(0.2)")

        readers: set[asyncio.Task[None]] = set()
        work = asyncio.create_task(Pipeline(writer, PROGRAM.codec).rebuild())
        while not work.done():
            readers.add(asyncio.create_task(read()))
            await asyncio.sleep(0.1)
            readers = {each for each in readers if not each.done()}
        await work
        await asyncio.gather(*readers)


async def nobody_is_ended(_: Second) -> None:
    """In place of what ends readers."""


async def test_no_export_begins_while_the_new_tables_wait(filled: str) -> None:
    async with Writer.open(filled) as writer, Reader.open(filled) as reader:
        with served(filled) as address:
            async with httpx2.AsyncClient(base_url=address, timeout=60) as http:
                async with reader.snapshot():
                    watched = Watched(writer)
                    work = asyncio.create_task(Pipeline(writer, PROGRAM.codec).rebuild())
                    while watched.attempts < 2:
                        assert (await http.get("/v1/models?limit=1")).status_code == 200
                    refused = await http.get("/v1/export/models.csv")
                    assert (await http.get("/v1/models?limit=1")).status_code == 200
                await work
                assert (await http.get("/v1/export/models.csv")).status_code == 200
    assert (refused.status_code, refused.json()["type"]) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) > 0

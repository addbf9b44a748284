"""Folding all again: readers have the old tables, then the new ones; whatever is killed, never half of either."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx2
import postgres
import pytest
import pytest_asyncio
from bench.history import record
from indexer.api_server import RecordedAccounts, fill, served
from indexer.recording import Played, Recording
from indexer.tables_of import tables_of
from indexer.test_totals import COUNTED
from ionet.generated import pdas
from ionet.program import PROGRAM
from ionet_indexer import pipeline as pipelines
from ionet_indexer.core.decode import Event, Transaction, decode
from ionet_indexer.core.reader import SQL, Reader
from ionet_indexer.hold import Hold
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.second import NotSwappable, Second
from ionet_indexer.service import _judge
from ionet_indexer.store import KEPT, Checkpoint, Writer

ROUNDS = 12
PATHS = ("/v1/network", "/v1/nodes", "/v1/leases?limit=200", "/v1/clusters", "/v1/payments?limit=200", "/v1/offers")
EVERYTHING = """
    SELECT 'column', c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod) || a.attnotnull
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND a.attnum > 0
    UNION ALL SELECT 'index', pg_get_indexdef(i.indexrelid), i.indisprimary::text
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = quote_ident(current_schema())::regnamespace
    UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = quote_ident(current_schema())::regnamespace
    UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid)
    FROM pg_proc p WHERE p.pronamespace = quote_ident(current_schema())::regnamespace
    UNION ALL SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = current_schema()
    UNION ALL SELECT 'options', relname, concat_ws(' ', relkind, reloptions, (SELECT array_agg(a::text ORDER BY a::text)
                                                                           FROM unnest(relacl) a))
    FROM pg_class WHERE relnamespace = quote_ident(current_schema())::regnamespace
"""


async def ask(dsn: str, sql: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def catalog(dsn: str) -> list[tuple[str, ...]]:
    """All that the schema is made of, as text."""
    connection = await asyncpg.connect(dsn)
    try:
        return sorted(tuple(map(str, row)) for row in await connection.fetch(EVERYTHING))
    finally:
        await connection.close()


async def kept(dsn: str) -> dict[str, list[Any]]:
    """The tables that triggers keep; a sum that came back to nothing may have a row."""
    return {name: [r for r in rows if r.get("value") != 0] for name, rows in (await tables_of(dsn, KEPT)).items()}


async def schemas(dsn: str) -> int:
    return int(await ask(dsn, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ionet%'"))


@pytest.fixture(scope="module")
def busy(server: EmbeddedPostgres) -> str:
    """Name of a database with some thousands of events."""

    async def prepare() -> str:
        history = await record(ROUNDS)
        dsn = await postgres.create(server, "busy", "migrated")
        played = Played(history.raw, history.heads, {})
        async with Writer.open(dsn) as writer:
            await writer.start("recorded", str(PROGRAM.id))
            pipeline, transactions = Pipeline(writer, PROGRAM.codec), played.transactions
            end = Checkpoint(*played.heads)
            await pipeline.commit(transactions, pipeline.decode(transactions), end)
        await ask(dsn, f"INSERT INTO parameters VALUES ('{pdas.network(PROGRAM.id)}', 1, 1000, 50, '{{}}')")
        return "busy"

    return asyncio.run(prepare())


@pytest_asyncio.fixture
async def filled(dsn: str, recording: Recording) -> str:
    """A database with the story of a market."""
    await fill(dsn, recording, RecordedAccounts(recording))
    return dsn


async def hammer(http: httpx2.AsyncClient, expected: dict[str, bytes], done: asyncio.Event) -> int:
    """Ask for everything until it is done; each answer is that of before. Returns the number of answers."""
    count = 0
    while not done.is_set():
        for path, body in expected.items():
            answer = await http.get(path)
            assert (answer.status_code, answer.content) == (200, body), path
            count += 1
    return count


async def add_up(reader: Reader, done: asyncio.Event) -> int:
    """In each state of the database the totals are what counting the tables says."""
    count = 0
    while not done.is_set():
        async with reader.snapshot() as snapshot:
            counted = {(r["name"], r["key"]): r["value"] for r in await snapshot.fetch(COUNTED) if int(r["value"] or 0)}
            told = {(r["name"], r["key"]): r["value"] for r in await snapshot.fetch(SQL["totals"]) if int(r["value"])}
        assert told == counted
        assert told["leases", ""] == str(8 * ROUNDS)
        count += 1
    return count


def impatient(dsn: str, ms: int) -> str:
    """The database itself refuses who waits longer than this for a lock."""
    return f"{dsn}&options=-c%20lock_timeout%3D{ms}"


async def test_readers_go_on_with_whole_answers(
    server: EmbeddedPostgres, busy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "_REBUILD_BATCH", 250)
    async with postgres.database(server, busy) as dsn:
        before, sums = await tables_of(dsn), await kept(dsn)
        old = await ask(dsn, "SELECT 'nodes'::regclass::oid")
        done = asyncio.Event()
        with served(impatient(dsn, 1000)) as address:
            async with (
                httpx2.AsyncClient(base_url=address, timeout=60) as http,
                Reader.open(impatient(dsn, 1000), size=2) as reader,
                Writer.open(dsn) as writer,
            ):
                assert await writer.take_lock()
                expected = {path: (await http.get(path)).content for path in PATHS}
                work = [asyncio.create_task(hammer(http, expected, done)) for _ in range(3)]
                work.append(asyncio.create_task(add_up(reader, done)))
                try:
                    for _ in range(2):
                        assert await Pipeline(writer, PROGRAM.codec).rebuild() == len(before["events"]) > 2_000
                finally:
                    done.set()
                    answers = await asyncio.gather(*work)
        assert min(answers) > 5
        assert await ask(dsn, "SELECT 'nodes'::regclass::oid") != old
        assert (await tables_of(dsn), await kept(dsn)) == (before, sums)


async def test_the_tables_may_be_in_any_schema(server: EmbeddedPostgres, recording: Recording) -> None:
    """In the one that the address names, quotes and all; the one that is called public has nothing of them."""
    async with postgres.database(server) as plain:
        await ask(plain, """CREATE SCHEMA "it's A market" """)
        dsn = f"{plain}&options=-c%20search_path%3D%22it%27s%5C%20A%5C%20market%22"
        assert await ask(dsn, "SELECT current_schema()") == "it's A market"
        await fill(dsn, recording, RecordedAccounts(recording))
        before, old = await tables_of(dsn), await ask(dsn, "SELECT 'nodes'::regclass::oid")
        shape = await catalog(dsn)
        async with Writer.open(dsn) as writer:
            await Pipeline(writer, PROGRAM.codec).rebuild()
        assert await tables_of(dsn) == before
        assert await ask(dsn, "SELECT 'nodes'::regclass::oid") != old
        assert await catalog(dsn) == shape
        assert await schemas(dsn) == 0
        assert await ask(dsn, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0
        assert before["nodes"]


async def test_it_makes_the_same_schema_again(filled: str) -> None:
    """Keys, indexes, triggers, options, grants; views of others over the tables go on with the new ones."""
    await ask(filled, "GRANT SELECT ON leases, node_offers TO pg_monitor")
    await ask(filled, "CREATE VIEW busiest WITH (security_barrier) AS SELECT node, leases_booked FROM nodes")
    await ask(filled, "CREATE VIEW busiest_of_all AS SELECT max(leases_booked) AS most FROM busiest")
    before, most = await catalog(filled), await ask(filled, "SELECT most FROM busiest_of_all")
    async with Writer.open(filled) as writer:
        await Pipeline(writer, PROGRAM.codec).rebuild()
        await ask(filled, "UPDATE nodes SET leases_booked = leases_booked + 1")
        assert await ask(filled, "SELECT most FROM busiest_of_all") == most + 1
        assert await catalog(filled) == before
        assert await schemas(filled) == 0
        await Pipeline(writer, PROGRAM.codec).rebuild()
    assert await catalog(filled) == before


async def test_what_would_be_left_with_the_old_tables_is_refused(filled: str) -> None:
    await ask(filled, "CREATE MATERIALIZED VIEW mine AS SELECT node FROM nodes")
    before = await tables_of(filled)
    async with Writer.open(filled) as writer:
        with pytest.raises(NotSwappable, match="materialized view mine"):
            await Pipeline(writer, PROGRAM.codec).rebuild()
    assert (await tables_of(filled), await schemas(filled)) == (before, 0)


async def at_the_end(monkeypatch: pytest.MonkeyPatch, do: Callable[[], Awaitable[Any]]) -> None:
    """Have something done by others when the second tables are full."""
    analyze = Second.analyze

    async def analyze_then(second: Second) -> None:
        await analyze(second)
        await do()

    monkeypatch.setattr(Second, "analyze", analyze_then)


async def test_parameters_read_meanwhile_count(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hireable = "SELECT coalesce(max(value), 0)::int FROM totals WHERE name = 'nodes_hireable'"
    rentable = "SELECT coalesce(sum(nodes_rentable), 0)::int FROM offers"
    change = "UPDATE parameters SET stake_per_processor = 0, params = '{\"changed\": 1}'"
    await ask(filled, "INSERT INTO online_nodes SELECT node FROM nodes")
    assert await ask(filled, hireable) == await ask(filled, rentable) == 0
    await at_the_end(monkeypatch, lambda: ask(filled, change))
    async with Writer.open(filled) as writer:
        await Pipeline(writer, PROGRAM.codec).rebuild()
    assert await ask(filled, hireable) == await ask(filled, rentable) > 0
    assert await ask(filled, "SELECT params->>'changed' FROM parameters") == "1"


async def test_a_migration_applied_meanwhile_is_not_taken_back(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def migrate() -> None:
        await ask(filled, "ALTER TABLE nodes ADD colour text")
        await ask(filled, "INSERT INTO schema_migrations (name, sha256) VALUES ('9999_colour.sql', '')")

    await at_the_end(monkeypatch, migrate)
    async with Writer.open(filled) as writer:
        with pytest.raises(NotSwappable, match="a migration was applied meanwhile"):
            await Pipeline(writer, PROGRAM.codec).rebuild()
    assert await ask(filled, "SELECT count(*) FROM nodes WHERE colour IS NULL") > 0


async def test_it_says_how_far_it_is(
    filled: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pipelines, "_REBUILD_BATCH", 1)
    told: list[str] = []
    events = await ask(filled, "SELECT count(*) FROM events")

    async def look() -> None:
        told.append(await ask(filled, "SELECT problem FROM status"))

    await at_the_end(monkeypatch, look)
    caplog.set_level(logging.INFO)
    async with Writer.open(filled) as writer:
        await Pipeline(writer, PROGRAM.codec).rebuild()
    assert told == [f"folding all again: {events} of {events} events"]
    assert await ask(filled, "SELECT problem FROM status") is None
    lines = [line for line in caplog.messages if "folding all again" in line]
    assert (len(lines), lines[-1]) == (20, told[0])


async def test_tables_that_wait_to_be_folded_again_are_not_judged(filled: str, recording: Recording) -> None:
    await ask(filled, "UPDATE nodes SET bonded = 1")
    hold, accounts = Hold(), RecordedAccounts(recording)
    async with Reader.open(filled) as reader:
        for due in (True, False):
            await ask(filled, f"UPDATE checkpoint SET refold = {due}")
            await _judge(reader, accounts, PROGRAM.codec, hold, sweep=True)  # type: ignore[arg-type]
            assert (hold.reason is None) == due


async def test_rows_that_are_folded_again_within_a_batch_come_with_it(filled: str, recording: Recording) -> None:
    """A rule that comes late changes what later events brought: nobody sees one without the other."""
    late = next(
        item
        for item in recording.transactions
        if any(type(event.value).__name__ == "ModelRegistered" for event in _events(item))
    )
    expected, sums = await tables_of(filled), await kept(filled)
    old = await ask(filled, "SELECT 'nodes'::regclass::oid")
    of_it = f"IN (SELECT position FROM events WHERE signature = '{late.signature}')"
    await ask(filled, f"DELETE FROM event_entities WHERE position {of_it}")
    await ask(filled, f"DELETE FROM events WHERE position {of_it}")
    await ask(filled, f"DELETE FROM transactions WHERE signature = '{late.signature}'")
    async with Writer.open(filled) as writer:
        pipeline = Pipeline(writer, PROGRAM.codec)
        await pipeline.commit([late], pipeline.decode([late]), Checkpoint(*recording.heads))
    assert (await tables_of(filled), await kept(filled)) == (expected, sums)
    assert await ask(filled, "SELECT 'nodes'::regclass::oid") != old
    assert await schemas(filled) == 0


def _events(transaction: Transaction) -> list[Event]:
    return decode(transaction, PROGRAM.codec)


async def test_who_comes_online_meanwhile_counts(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rentable = "SELECT coalesce(sum(nodes_rentable), 0)::int FROM offers"
    await ask(filled, "UPDATE parameters SET stake_per_processor = 0, params = '{\"changed\": 1}'")
    assert await ask(filled, rentable) == 0
    await at_the_end(monkeypatch, lambda: ask(filled, "INSERT INTO online_nodes SELECT node FROM nodes"))
    async with Writer.open(filled) as writer:
        await Pipeline(writer, PROGRAM.codec).rebuild()
    assert await ask(filled, rentable) > 0

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import asyncpg
import msgspec
import pytest
from ionet.generated.enums import LeaseStatus
from ionet.program import PROGRAM
from ionet.words import words
from ionet_indexer import migrate as migrations
from ionet_indexer.core.connection import StoreError
from ionet_indexer.core.rows import Row
from ionet_indexer.migrate import MigrationError, migrate
from ionet_indexer.store import Checkpoint, Writer, WrongChain
from ionet_indexer.topics import FACTS, HANDLERS, STATES


@pytest.mark.parametrize("kind", [*STATES, *FACTS], ids=lambda kind: kind.table)
async def test_structs_and_tables_have_the_same_columns(kind: type[Row], dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch(
            "SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = $1", kind.table
        )
    finally:
        await connection.close()
    nullable = {row["column_name"]: row["is_nullable"] == "YES" for row in found}
    fields = {field.name: type(None) in getattr(field.type, "__args__", ()) for field in msgspec.structs.fields(kind)}
    assert nullable == fields


def test_every_event_of_the_program_has_a_fold() -> None:
    assert set(HANDLERS) == {item.name for item in PROGRAM.codec.idl.events}


# What was read or uploaded, and what the indexer notes about itself.
KEPT_BY_A_REBUILD = {
    *("checkpoint", "heads", "transactions", "events", "event_entities", "times", "undos"),
    *("generation", "revisions", "status"),
    *("leaf_sets", "leaves", "upload_nonces", "schema_migrations"),
    *("adverts", "advert_changes", "node_minutes", "online_nodes", "advert_clock"),
}


async def test_every_table_is_either_kept_by_a_rebuild_or_made_a_second_time(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    async with Writer.open(dsn) as writer:
        await writer.second.begin()
        again = {part["name"] for part in writer.second._parts if part["is_table"]}
        await writer.second.discard()
    assert {row["tablename"] for row in found} - again == KEPT_BY_A_REBUILD


async def test_migrations_run_once(dsn: str) -> None:
    async with Writer.open(dsn) as writer:
        assert writer.migrated == []


async def test_a_changed_migration_is_refused(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = [(name, sql + "\n-- edited") for name, sql in migrations.available()]
    monkeypatch.setattr(migrations, "available", lambda: changed)
    connection = await asyncpg.connect(dsn)
    try:
        with pytest.raises(MigrationError, match=r"0001_chain\.sql was changed"):
            await migrate(connection)
    finally:
        await connection.close()


async def test_a_newer_database_is_refused(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("INSERT INTO schema_migrations (name, sha256) VALUES ('9999_later.sql', '')")
        with pytest.raises(MigrationError, match=r"9999_later\.sql"):
            await migrate(connection)
    finally:
        await connection.close()


async def test_one_writer_at_a_time(dsn: str) -> None:
    async with Writer.open(dsn) as first, Writer.open(dsn) as second:
        assert await first.take_lock()
        assert not await second.take_lock()


async def test_the_lock_ends_with_the_writer(dsn: str) -> None:
    async with Writer.open(dsn) as first:
        assert await first.take_lock()
    async with Writer.open(dsn) as second:
        assert await second.take_lock()


async def test_another_chain_is_refused(writer: Writer) -> None:
    assert await writer.start("chain", "program") == Checkpoint(-1, -1)
    assert await writer.start("chain", "program") == Checkpoint(-1, -1)
    with pytest.raises(WrongChain, match="use another database"):
        await writer.start("another chain", "program")
    with pytest.raises(WrongChain):
        await writer.start("chain", "another program")


@pytest.mark.parametrize("dsn", ["postgresql://nobody@127.0.0.1:1/none", "postgresql:///x?host=/nowhere", "nonsense"])
async def test_no_database_is_a_typed_error(dsn: str) -> None:
    with pytest.raises(StoreError, match="cannot connect"):
        async with Writer.open(dsn):
            pass


@pytest.mark.parametrize("package", ["ionet_indexer", "ionet_launcher"])
def test_statements_name_statuses_that_leases_have(package: str) -> None:
    """A word in SQL is one of the program's, or `closed`, of which the chain keeps no account."""
    texts = [path.read_text() for path in Path(str(files(package))).rglob("*.sql")]
    compared = [
        part for text in texts for part in re.findall(r"(?<!\w)(?:r\.)?status (?:=|<>|IN) (\([^)]*\)|'\w+')", text)
    ]
    named = {word for part in compared for word in re.findall(r"'(\w+)'", part)}
    assert named
    assert named <= {*words(LeaseStatus), "closed", "open"}

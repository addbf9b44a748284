from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from client.sdk.patient import patient_chain
from indexer.api_server import RecordedAccounts, fill
from indexer.recording import Recording, take_down
from ionet.generated import pdas
from ionet.program import PROGRAM
from ionet_indexer.core.reader import Reader
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.reconcile import reconcile, strangers
from ionet_indexer.store import Checkpoint, Writer


@pytest_asyncio.fixture
async def reader(recording: Recording, writer: Writer, dsn: str) -> AsyncIterator[Reader]:
    await writer.start("chain", "program")
    pipeline = Pipeline(writer, PROGRAM.codec)
    transactions = recording.transactions
    await pipeline.commit(transactions, pipeline.decode(transactions), Checkpoint(recording.heads.confirmed, -1))
    async with Reader.open(dsn) as opened:
        yield opened


async def change(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        assert await connection.execute(sql) == "UPDATE 1"
    finally:
        await connection.close()


async def test_every_row_agrees_with_its_account(recording: Recording, reader: Reader) -> None:
    assert await reconcile(reader, RecordedAccounts(recording), PROGRAM.codec) == []
    async with reader.snapshot() as snapshot:
        stored = await snapshot.one("SELECT stake_per_processor FROM parameters")
    assert stored is not None
    assert stored["stake_per_processor"] == str(200 * 10**8)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("nodes", "bonded", "bonded + 1"),
        ("nodes", "current_lease", "'11111111111111111111111111111112'"),
        ("nodes", "seq", "seq - 1"),
        ("clusters", "locked", "locked - 1"),
        ("leases", "status", "'active'"),
        ("positions", "shares", "shares + 1"),
        ("positions", "tickets", "'[]'"),
        ("iosd", "io_burned", "0"),
        ("models", "multiplier", "multiplier + 1"),
        ("networks", "pause_bits", "31"),
    ],
)
async def test_a_wrong_row_is_found(
    table: str, column: str, value: str, recording: Recording, reader: Reader, dsn: str
) -> None:
    open_rows = {
        "clusters": "status = 'open'",
        "leases": "status <> 'closed'",
        "positions": "tickets::text <> '[]'",
        "nodes": "current_lease IS NOT NULL",
        "models": "code = 1",
    }
    await change(dsn, f"UPDATE {table} SET {column} = {value} WHERE {open_rows.get(table, 'true')}")
    drifts = await reconcile(reader, RecordedAccounts(recording), PROGRAM.codec)
    assert [(drift.table, drift.column) for drift in drifts] == [(table, column)]


async def test_a_row_without_account_is_found(recording: Recording, reader: Reader) -> None:
    accounts = RecordedAccounts(recording)
    del accounts.data[str(recording.story.booked)]
    (drift,) = await reconcile(reader, accounts, PROGRAM.codec)
    assert (drift.table, drift.key, drift.account) == ("leases", str(recording.story.booked), None)


async def test_rows_that_changed_later_wait_for_the_next_time(recording: Recording, reader: Reader) -> None:
    """Accounts read before the last transactions: what those changed is not compared."""
    accounts = RecordedAccounts(recording)
    accounts.slot = 0
    accounts.data.clear()
    assert await reconcile(reader, accounts, PROGRAM.codec) == []


async def test_every_open_account_has_its_row(recording: Recording, reader: Reader, dsn: str) -> None:
    """What no row stands for, or only one that says that it is over."""
    accounts = RecordedAccounts(recording)
    assert await strangers(reader, accounts, PROGRAM.codec) == []
    booked, node = str(recording.story.booked), str(recording.story.machines[2].address)
    await change(dsn, f"UPDATE leases SET status = 'closed' WHERE lease = '{booked}'")
    await change(dsn, f"UPDATE nodes SET node = 'another' WHERE node = '{node}'")
    drifts = await strangers(reader, accounts, PROGRAM.codec)
    found = [(drift.table, drift.key, drift.stored, drift.account) for drift in drifts]
    assert found == [("nodes", node, None, node), ("leases", booked, None, booked)]


async def test_a_network_that_was_only_founded_has_an_account_without_a_row(dsn: str) -> None:
    """The books of IOSD: nothing is missing before their first event, and all of them after it."""
    async with patient_chain() as chain, Reader.open(dsn) as reader:
        assert chain.net is not None
        founded = await take_down(chain.net)
        await fill(dsn, founded, RecordedAccounts(founded))
        iosd = str(pdas.iosd(PROGRAM.id))
        assert founded.accounts[iosd]
        assert await strangers(reader, RecordedAccounts(founded), PROGRAM.codec) == []
        await chain.post_price()
        await chain.client().iosd.refresh()
        unseen = RecordedAccounts(await take_down(chain.net))
        unseen.slot = founded.heads.confirmed  # the tables say that they are there
        drifts = await strangers(reader, unseen, PROGRAM.codec)
        assert [(drift.table, drift.key, drift.stored) for drift in drifts] == [("iosd", iosd, None)]

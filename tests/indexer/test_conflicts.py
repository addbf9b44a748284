"""The story of money and conflicts in the tables: what the events say is what the accounts hold."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import asyncpg
import postgres
import pytest
import pytest_asyncio
from indexer.api_server import TEMPLATE, RecordedAccounts, fill
from indexer.recording import ConflictRecording, EndingRecording, Recording
from indexer.tables_of import FACTS, STATES, tables_of
from ionet.generated.accounts import Cluster, Iosd, Lease, Node
from ionet.program import PROGRAM
from ionet.rules.pool import Pool, counted_stake
from ionet_indexer.core.reader import Reader
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.reconcile import reconcile
from ionet_indexer.store import Checkpoint, Writer
from ionet_indexer.topics.nodes import COUNTED_STAKE

pytestmark = pytest.mark.matrix


@pytest_asyncio.fixture
async def reader(conflicts: ConflictRecording, writer: Writer, dsn: str) -> AsyncIterator[Reader]:
    await writer.start("chain", "program")
    pipeline = Pipeline(writer, PROGRAM.codec)
    transactions = conflicts.transactions
    await pipeline.commit(transactions, pipeline.decode(transactions), Checkpoint(conflicts.heads.confirmed, -1))
    async with Reader.open(dsn) as opened:
        yield opened


async def test_every_row_agrees_with_its_account(conflicts: ConflictRecording, reader: Reader) -> None:
    assert await reconcile(reader, RecordedAccounts(conflicts), PROGRAM.codec) == []


async def test_between_the_stories_every_table_has_rows(
    recording: Recording, conflicts: ConflictRecording, endings: EndingRecording, server: EmbeddedPostgres
) -> None:
    found = []
    for played in (recording, conflicts, endings):
        async with postgres.database(server, TEMPLATE) as dsn:
            await fill(dsn, played, RecordedAccounts(played))
            found.append(await tables_of(dsn, (*STATES, *FACTS)))
    # The stories end before midnight and know all their events: the index and what is held back have their own tests.
    others = [name for name in found[0] if "index" not in name and name != "unfolded"]
    assert [name for name in others if not any(tables[name] for tables in found)] == []


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("nodes", "flags", "flags | 8"),
        ("nodes", "owner_bonded_shares", "owner_bonded_shares + 1"),
        ("nodes", "reward_per_share", "reward_per_share + 1"),
        ("nodes", "owner_rewards", "owner_rewards + 1"),
        ("nodes", "cases", "cases + 1"),
        ("nodes", "earned_io", "earned_io + 1"),
        ("nodes", "refill", "1"),
        ("leases", "disputed_secs", "disputed_secs + 1"),
        ("leases", "dispute_to", "dispute_to + 1"),
        ("leases", "dispute_bond", "0"),
        ("leases", "bond_due", "0"),
        ("leases", "undefended_secs", "1"),
        ("clusters", "session_changed_at", "0"),
        ("iosd", "redeemed", "0"),
        ("iosd", "io_redeemed", "0"),
        ("iosd", "burned", "'{}'"),
        ("models", "enabled", "NOT enabled"),
        ("networks", "pauser", "arbiter"),
        ("networks", "pending_role", "'arbiter'"),
    ],
)
async def test_a_wrong_row_is_found(
    table: str, column: str, value: str, conflicts: ConflictRecording, reader: Reader, dsn: str
) -> None:
    chosen = {
        "nodes": f"node = '{conflicts.story.shared.address}'",
        "leases": f"lease = '{conflicts.story.disputed}'",
        "clusters": "status = 'open' AND currency = 'IO'",
        "models": "code = 2",
    }
    connection = await asyncpg.connect(dsn)
    try:
        sql = f"UPDATE {table} SET {column} = {value} WHERE {chosen.get(table, 'true')}"
        assert await connection.execute(sql) == "UPDATE 1"
    finally:
        await connection.close()
    drifts = await reconcile(reader, RecordedAccounts(conflicts), PROGRAM.codec)
    assert [(drift.table, drift.column) for drift in drifts] == [(table, column)]


async def test_the_facts_add_up_to_what_the_accounts_hold(conflicts: ConflictRecording, reader: Reader) -> None:
    """Books from events: sums of single facts against the accounts, not against folded rows."""
    accounts = {key: PROGRAM.codec.decode_any_account(data) for key, data in conflicts.accounts.items() if data}
    (iosd,) = (each for each in accounts.values() if isinstance(each, Iosd))
    async with reader.snapshot() as snapshot:

        async def total(expression: str, table: str, condition: str = "true") -> int:
            row = await snapshot.one(f"SELECT coalesce(sum({expression}), 0)::text AS n FROM {table} WHERE {condition}")
            assert row is not None
            return int(row["n"])

        assert await total("iosd_minted", "mints") == iosd.minted
        assert await total("iosd_burned", "redemptions") == iosd.redeemed
        assert await total("io_minted", "redemptions") == iosd.io_redeemed
        assert await total("io_burned", "buybacks") + await total("amount", "burns") == (
            iosd.io_other_burned + iosd.fee_burned
        )
        for key, node in ((key, each) for key, each in accounts.items() if isinstance(each, Node)):
            mine = f"node = '{key}'"
            added = await total("amount", "rewards", f"kind = 'added' AND {mine}")
            claimed = await total("amount", "rewards", f"kind = 'claimed' AND {mine}")
            staked = await total("amount", "stake_moves", f"kind = 'stake' AND {mine}")
            withdrawn = await total("amount", "stake_moves", f"kind = 'withdraw' AND {mine}")
            slashed = await total("amount", "slashes", mine)
            # Closing the vault burns what belongs to nobody: roundings, and no unit more than there are claims.
            crumbs = staked - withdrawn - slashed - node.bonded.amount - node.unbonding.amount
            assert 0 <= crumbs <= (key == str(conflicts.story.shared.address)) * 5
            assert 0 <= added - claimed - node.owner_rewards - node.co_rewards <= 5
        for key, cluster in ((key, each) for key, each in accounts.items() if isinstance(each, Cluster)):
            assert await total("supplier_amount + bond", "payments", f"cluster = '{key}'") == cluster.paid
        for key, lease in ((key, each) for key, each in accounts.items() if isinstance(each, Lease)):
            assert await total("amount", "payments", f"lease = '{key}'") == lease.paid
            defended = await total("bond_part", "defences", f"lease = '{key}'")
            assert defended - await total("bond", "payments", f"lease = '{key}'") == lease.bond_due


async def test_the_launcher_sees_what_is_in_dispute(conflicts: ConflictRecording, reader: Reader) -> None:
    story = conflicts.story
    async with reader.snapshot() as snapshot:
        rows = await snapshot.fetch("SELECT lease, dispute_from, dispute_to, defend_by FROM lease_work")
        ends = await snapshot.one("SELECT defend_by FROM disputes WHERE lease = $1", str(story.disputed))
    found = {row["lease"]: (row["dispute_from"], row["dispute_to"], row["defend_by"]) for row in rows}
    assert ends is not None
    assert found[str(story.disputed)] == (1, 2, ends["defend_by"])  # the last of two intervals is defended
    assert {found[str(lease)] for lease in (story.paid_in_io, story.refunded, story.left)} == {(None, None, None)}


async def test_tables_older_than_the_schema_are_folded_again(
    conflicts: ConflictRecording, writer: Writer, reader: Reader, dsn: str
) -> None:
    """What a database looks like after the migration: the old columns filled, the new ones at their defaults."""
    right = await tables_of(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("UPDATE checkpoint SET refold = true")
        await connection.execute("UPDATE nodes SET owner_bonded_shares = 0, earned_io = 0")
        await connection.execute("TRUNCATE prices, network_changes")
    finally:
        await connection.close()
    assert await writer.refold_due()
    await Pipeline(writer, PROGRAM.codec).rebuild()
    assert not await writer.refold_due()
    assert await tables_of(dsn) == right
    assert await reconcile(reader, RecordedAccounts(conflicts), PROGRAM.codec) == []


async def test_stake_is_counted_as_the_program_counts_it(dsn: str) -> None:
    """The rule of state/stake/rewards.rs in SQL and in `ionet.rules`, over pools of every shape."""
    draw = random.Random(4)
    sizes = (0, 1, 999, 10**6, 10**11, 10**15)
    cases = [(7, 7_000, 3_500, 50), (100, 100_000, 30_000, 50), (100, 100_000, 100_000, 0), (5, 0, 0, 50)]
    for _ in range(300):
        shares = draw.choice(sizes) * draw.randint(1, 2_000)
        cases.append((draw.choice(sizes), shares, draw.randint(0, shares), draw.randint(0, 50)))
    sql = f"""
        SELECT {COUNTED_STAKE}::text FROM unnest($1::numeric[], $2::numeric[], $3::numeric[], $4::integer[])
        WITH ORDINALITY AS x(bonded, bonded_shares, owner_bonded_shares, most, place),
        LATERAL (SELECT x.bonded, x.bonded_shares, x.owner_bonded_shares) t,
        LATERAL (SELECT x.most AS co_stake_max_percent) p ORDER BY place
    """
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(sql, *(list(column) for column in zip(*cases, strict=True)))
    finally:
        await connection.close()
    assert [int(row[0]) for row in rows] == [counted(*case) for case in cases]
    assert counted(100, 100_000, 30_000, 50) == 2 * 30  # of 70 co-staked only as much as the owner has


def counted(bonded: int, shares: int, owned: int, most: int) -> int:
    return counted_stake(Pool(bonded, shares), owned, most)

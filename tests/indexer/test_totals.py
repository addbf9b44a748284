"""The totals of the network are kept in rows; they are what counting everything would say, whatever happened."""

from __future__ import annotations

import random
from decimal import Decimal

import asyncpg
import httpx2
import pytest
from indexer.api_server import RecordedAccounts, fill, served
from indexer.recording import ConflictRecording, EndingRecording, Played, Recording
from ionet.generated.enums import PERCENT, VIRTUAL_ASSETS, VIRTUAL_SHARES
from ionet.program import PROGRAM
from ionet_indexer.core.reader import SQL, Reader
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.reconcile import reconcile
from ionet_indexer.store import Checkpoint, Writer

# Written down independently of the triggers: what each total is the sum of.
COUNTED = """
    SELECT 'nodes' AS name, '' AS key, count(*)::numeric AS value FROM nodes
    UNION ALL SELECT 'nodes_of_model', model::text, count(*) FROM nodes GROUP BY model
    UNION ALL SELECT 'processors', '', sum(processors) FROM nodes
    UNION ALL SELECT 'bonded', '', sum(bonded) FROM nodes
    UNION ALL SELECT 'unbonding', '', sum(unbonding) FROM nodes
    UNION ALL SELECT 'slashed', '', sum(slashed) FROM nodes
    UNION ALL SELECT 'rewards_unclaimed', '', sum(owner_rewards + co_rewards) FROM nodes
    UNION ALL SELECT 'served_secs', '', sum(served_secs) FROM nodes
    UNION ALL SELECT 'cases_open', '', count(*) FROM nodes WHERE open_case IS NOT NULL
    UNION ALL SELECT 'nodes_listed', '', count(*) FROM nodes WHERE flags & 2 = 0
    UNION ALL SELECT 'processors_listed', '', sum(processors) FROM nodes WHERE flags & 2 = 0
    UNION ALL SELECT 'nodes_hired', '', count(*) FROM nodes WHERE current_lease IS NOT NULL
    UNION ALL SELECT 'processors_hired', '', sum(processors) FROM nodes WHERE current_lease IS NOT NULL
    UNION ALL SELECT 'income_unclaimed', x.currency, sum(x.unclaimed)
        FROM nodes n, json_to_recordset(n.income) AS x(currency text, unclaimed numeric) GROUP BY x.currency
    UNION ALL SELECT h.name, '', sum(h.value)
        FROM nodes n JOIN models m ON m.code = n.model CROSS JOIN current_parameters p,
             LATERAL (VALUES ('nodes_hireable', 1), ('processors_hireable', n.processors)) h (name, value)
        WHERE n.flags = 0 AND n.current_lease IS NULL AND m.enabled
        AND counted_stake(n.owner_bonded_shares, n.bonded_shares, n.bonded, p.co_stake_max_percent)
            >= required_stake(p.stake_per_processor, m.multiplier, n.processors)
        GROUP BY h.name
    UNION ALL SELECT 'clusters', currency, count(*) FROM clusters GROUP BY currency
    UNION ALL SELECT 'clusters_open', '', count(*) FROM clusters WHERE status = 'open'
    UNION ALL SELECT 'deposit', currency, sum(deposit) FROM clusters GROUP BY currency
    UNION ALL SELECT 'escrow', currency, sum(deposit - paid - fees - refunded) FROM clusters WHERE status = 'open'
        GROUP BY currency
    UNION ALL SELECT 'locked', currency, sum(locked) FROM clusters GROUP BY currency
    UNION ALL SELECT 'paid', currency, sum(paid) FROM clusters GROUP BY currency
    UNION ALL SELECT 'fees', currency, sum(fees - burned) FROM clusters GROUP BY currency
    UNION ALL SELECT 'burned', currency, sum(burned) FROM clusters GROUP BY currency
    UNION ALL SELECT 'refunded', currency, sum(refunded) FROM clusters GROUP BY currency
    UNION ALL SELECT 'leases', '', count(*) FROM leases
    UNION ALL SELECT 'leases_active', '', count(*) FROM leases WHERE status = 'active'
    UNION ALL SELECT 'disputes_open', '', count(*) FROM leases WHERE dispute_to IS NOT NULL
    UNION ALL SELECT 'proofs', '', count(*) FROM proofs
    UNION ALL SELECT 'owed', o.currency, sum(o.amount) FROM owed o
        WHERE o.kind = 'owed' AND NOT EXISTS (
            SELECT FROM owed c
            WHERE c.kind = 'claimed' AND c.owner = o.owner AND c.currency = o.currency AND c.position > o.position
        ) GROUP BY o.currency
"""


async def both(dsn: str) -> tuple[dict[tuple[str, str], Decimal], dict[tuple[str, str], Decimal]]:
    """The totals as they are kept, and as they are counted; zeros are left out."""
    connection = await asyncpg.connect(dsn)
    try:
        kept, counted = [
            {(row["name"], row["key"]): row["value"] for row in await connection.fetch(sql) if row["value"]}
            for sql in (SQL["totals"], COUNTED)
        ]
        return kept, counted
    finally:
        await connection.close()


@pytest.fixture(params=["market", "conflicts", "endings"])
def played(
    request: pytest.FixtureRequest, recording: Recording, conflicts: ConflictRecording, endings: EndingRecording
) -> Played:
    found: Played = {"market": recording, "conflicts": conflicts, "endings": endings}[request.param]
    return found


async def test_totals_are_what_counting_would_say(played: Played, dsn: str, writer: Writer) -> None:
    """Batch by batch, with parameters read in between, back over forks, and after a rebuild."""
    draw, pipeline = random.Random(5), Pipeline(writer, PROGRAM.codec)
    await writer.start("chain", "program")
    transactions = played.transactions
    slots = sorted({item.slot for item in transactions})
    left = list(transactions)
    while left:
        size = draw.randint(1, 40)
        chosen, left = left[:size], left[size:]
        await pipeline.commit(chosen, pipeline.decode(chosen), Checkpoint(chosen[-1].slot, -1))
        kept, counted = await both(dsn)
        assert kept == counted
    async with Reader.open(dsn) as reader:
        await pipeline.commit([], [], Checkpoint(played.heads.confirmed, -1))
        assert await reconcile(reader, RecordedAccounts(played), PROGRAM.codec) == []
    whole, counted = await both(dsn)
    assert whole == counted
    assert whole["nodes", ""] > 0
    for back in draw.sample(slots[:-1], 3):
        again = [item for item in transactions if item.slot > back]
        await pipeline.commit([], [], Checkpoint(slots[-1], -1), undo_after=back)
        kept, counted = await both(dsn)
        assert kept == counted
        await pipeline.commit(again, pipeline.decode(again), Checkpoint(slots[-1], -1))
        assert (await both(dsn))[0] == whole
    await pipeline.rebuild()
    assert (await both(dsn))[0] == whole


async def test_a_change_of_the_rules_counts_who_can_be_hired_again(conflicts: ConflictRecording, dsn: str) -> None:
    await fill(dsn, conflicts, RecordedAccounts(conflicts))
    connection = await asyncpg.connect(dsn)
    try:
        for change in (
            "UPDATE parameters SET stake_per_processor = 1, params = '{}'",
            "UPDATE networks SET params = NULL",
            "UPDATE nodes SET flags = 0, current_lease = NULL",
            "UPDATE models SET enabled = false",
            "UPDATE models SET enabled = true",
            "UPDATE models SET multiplier = multiplier * 1000000000",
        ):
            await connection.execute(change)
            kept, counted = await both(dsn)
            assert kept == counted, change
    finally:
        await connection.close()


async def test_the_network_is_answered_without_reading_a_table_of_nodes_or_leases(
    recording: Recording, dsn: str
) -> None:
    """The totals come from their rows: the tables may be gone."""
    await fill(dsn, recording, RecordedAccounts(recording))
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=30) as client:
        before = client.get("/v1/network").json()
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("ALTER TABLE leases RENAME TO gone; ALTER TABLE nodes RENAME TO gone_too")
        await connection.execute("ALTER TABLE clusters RENAME TO gone_three; ALTER TABLE proofs RENAME TO gone_four")
    finally:
        await connection.close()
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=30) as client:
        assert client.get("/v1/network").json() == before


async def test_the_numbers_of_the_programs_arithmetic_are_the_programs(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        worth = await connection.fetchval("SELECT worth(3, 7, 1000000)")
        assert worth == 3 * (1_000_000 + VIRTUAL_ASSETS) // (7 + VIRTUAL_SHARES)
        assert await connection.fetchval("SELECT worth(10, 0, 5)") == min(10 * 6 // VIRTUAL_SHARES, 5)
        assert await connection.fetchval("SELECT owner_stake(7, 7, 123)") == 123
        # Half of the whole may be co-stake: the owner's 400 and as much again, of which there are 600.
        shares = 400 * VIRTUAL_SHARES * 2
        owner = shares * (1_000 + VIRTUAL_ASSETS) // (shares * 2 + VIRTUAL_SHARES)
        counted = await connection.fetchval("SELECT counted_stake($1, $2, 1000, 50)", shares, shares * 2)
        assert counted == owner + min(1_000 - owner, owner * 50 // (PERCENT - 50))
        assert await connection.fetchval("SELECT required_stake(200, 50, 3)") == 200 * 3
        assert await connection.fetchval("SELECT required_stake(201, 150, 3)") == -(-201 * 150 * 3 // PERCENT)
    finally:
        await connection.close()

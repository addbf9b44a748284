"""The log of a lease comes from sums: the same as going through all of it, at a cost that is bound for any length."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import asyncpg
import crowd
import msgspec
import pytest
from indexer.bounded import CountingReader
from indexer.test_bounded import MOST_BUFFERS, MOST_ROWS
from ionet.rules.reputation import counted
from ionet_indexer.api import lease_log, reputation
from ionet_indexer.api.lease_books import LeaseBooks
from ionet_indexer.api.lease_days import lease_days
from ionet_indexer.api.reputation import node_reputation
from ionet_indexer.core.paging import encode_cursor
from ionet_indexer.core.reader import Reader

LEASE, NODE = "L" * 40, "n" * 40
SECS = 7_200
DAY, _TEN_MINUTES = 86_400, 600
START = crowd.START
LEASE_SQL = f"""
    UPDATE leases SET lease = '{LEASE}', started_at = $1::bigint, ends_at = $1 + $2::bigint * {SECS} - $5,
           interval_secs = {SECS}, price = 1000003, processors = 3, burned_secs = $3,
           approved_through = $4, last_interval = $2 - 1, status = 'active'
    WHERE lease = (SELECT min(lease) FROM leases)
"""

# Written down independently of the sums: what of a lease counts for its node's reputation.
COUNTED = """
    SELECT g.ends_at / 86400 AS day,
           sum(CASE WHEN g.kept AND g.challenge IS DISTINCT FROM 'undefended' AND g.payment IS NOT NULL THEN g.secs
                    ELSE 0 END) AS kept,
           sum(CASE WHEN g.kept IS TRUE AND g.challenge IS DISTINCT FROM 'undefended' THEN 0
                    ELSE g.ends_at - g.starts_at END) AS unkept
    FROM lease_log($1) g JOIN leases r ON r.lease = $1
    WHERE g.ends_at >= $2::bigint * 86400
    AND g.challenge IS DISTINCT FROM 'disputed' AND g.challenge IS DISTINCT FROM 'unchallenged'
    AND (r.status = 'closed' OR g.ends_at + 2 * r.interval_secs <= (
        SELECT block_time FROM events ORDER BY position DESC LIMIT 1
    ))
    GROUP BY 1 ORDER BY 1
"""


async def lease(
    connection: asyncpg.Connection, intervals: int, burned: int = 0, approved: int = 0, short: int = 0
) -> None:
    """A lease of the crowd with nothing in it yet, whose last interval is the newest event's."""
    for table in ("proofs", "payments", "disputes", "defences", "dispute_ends", "events"):
        await connection.execute(f"DELETE FROM {table}")
    await connection.execute(LEASE_SQL, START, intervals, burned, approved, short)


async def add(connection: asyncpg.Connection, table: str, position: int, **values: Any) -> None:
    """A row, and an event for it; what is not given is a filler."""
    columns = await connection.fetch(
        "SELECT column_name AS name, data_type AS kind FROM information_schema.columns WHERE table_name = $1", table
    )
    fill = {"text": "'x'", "boolean": "false"}
    parts = {
        row["name"]: repr(values[row["name"]]) if row["name"] in values else fill.get(row["kind"], "0")
        for row in columns
        if row["name"] != "position"
    }
    parts |= {"lease": f"'{LEASE}'", "position": str(position)}
    await connection.execute(
        f"INSERT INTO events VALUES ({position}, 's{position}', 0, 0, {START}, 'x', '')"
        " ON CONFLICT (position) DO NOTHING"
    )
    await connection.execute(f"INSERT INTO {table} ({', '.join(parts)}) VALUES ({', '.join(parts.values())})")


async def story(connection: asyncpg.Connection, chance: random.Random) -> int:
    """A lease with missed and late proofs, disputes that ended and one that did not, and settlements; its length."""
    length = chance.randrange(3, 150)
    served: dict[int, int] = {}
    proofs: list[tuple[int, int, int, int]] = []  # position, interval, before, secs
    for number in range(length):
        if chance.random() < 0.85:
            secs = chance.randrange(1, SECS + 1)
            served[number] = secs
            proofs.append((10 * number + 1, number, 0, secs))
            if chance.random() < 0.2 and secs < SECS:
                served[number] = chance.randrange(secs + 1, SECS + 1)
                proofs.append((10 * number + 15, number, secs, served[number]))
    plain = chance.random() < 0.3  # nothing challenged, all paid for
    left = sorted(served)[-2:] if not plain and chance.random() < 0.3 else []
    challenged, defended = set(left), list[tuple[int, int]]()
    disputes, number = [], 0
    while not plain and number < length - 20:
        number += chance.randrange(1, 25)
        until = number + chance.randrange(1, 6)
        is_open = until > length - 25 and chance.random() < 0.5
        disputes.append((number, until, is_open))
        challenged |= set(range(number, until))
        kept = {each for each in range(number, until) if chance.random() < 0.5 and each in served}
        defended += [(10 * until + 20 + at, each) for at, each in enumerate(sorted(kept))]
        number = until + 8
    await lease(
        connection, length, sum(served[each] for each in left), chance.choice([0, length // 2]), chance.choice([0, 100])
    )
    for position, number, before, secs in proofs:
        flags = {"kept": 2 * secs >= SECS, "kept_first": 2 * secs >= SECS > 2 * before}
        await add(connection, "proofs", position, interval=number, served_before=before, served_secs=secs, **flags)
    for start, until, is_open in disputes:
        position = 10 * until + 19
        await add(
            connection, "disputes", position, from_interval=start, to_interval=until, outcome="open", currency="IOSD"
        )
        if not is_open:
            await add(connection, "dispute_ends", position + 12, undefended_secs=chance.choice([0, 5]))
    for position, number in defended:
        await add(connection, "defences", position, interval=number, defended=True, served_secs=served[number])
    for paid in range(chance.randrange(0, 9), length - 8, chance.randrange(1, 9)):
        position = 10 * (paid + 8) + 9
        ordinary = sum(secs for number, secs in served.items() if number <= paid and number not in challenged)
        on_top = sum(served[number] for at, number in defended if at <= position and number not in left)
        await add(connection, "payments", position, payable_secs=ordinary + on_top, currency="IOSD")
    if plain:
        total = sum(served.values())
        await add(connection, "payments", 10 * length + 99, payable_secs=total, currency="IOSD")
        await connection.execute("UPDATE leases SET disputes = 0, payable_secs = $1 WHERE lease = $2", total, LEASE)
    else:
        await connection.execute("UPDATE leases SET disputes = 1, payable_secs = 0 WHERE lease = $1", LEASE)
    now = START + length * SECS - chance.randrange(-3 * SECS, 3 * SECS)
    await connection.execute(f"INSERT INTO events VALUES ({1 << 40}, 'end', 0, 0, {now}, 'x', '')")
    return length


async def test_any_part_of_a_log_is_what_going_through_all_of_it_says(dsn: str) -> None:
    await crowd.fill(dsn, 100)
    connection = await asyncpg.connect(dsn)
    seen: set[str | None] = set()
    paid = unpaid = days = 0
    try:
        for seed in range(40):
            chance = random.Random(seed)
            async with connection.transaction():
                await connection.execute(
                    "DELETE FROM leases WHERE lease <> (SELECT min(lease) FROM leases)" if seed == 0 else "SELECT 1"
                )
                await story(connection, chance)
            rows = await connection.fetch("SELECT * FROM lease_log($1) ORDER BY interval", LEASE)
            wanted = [tuple(row) for row in rows]
            async with Reader.open(dsn, size=1) as reader, reader.snapshot() as snapshot:
                found, total = [], 0
                step = chance.randrange(1, 60)
                for first in range(0, len(wanted) + 1, step):
                    books = await LeaseBooks.of(snapshot, LEASE)
                    assert books is not None
                    total = await books.paid()
                    for each in await books.log(first, first + step):
                        place = (each.number, each.starts_at, each.ends_at, each.proof, each.kept)
                        found.append((*place, each.challenge, each.secs, each.amount, each.payment))
                assert found == wanted, seed
                assert total == sum(row["amount"] for row in rows if row["payment"] is not None), seed
                first = START // DAY + chance.randrange(0, 4)
                now = await connection.fetchval("SELECT block_time FROM events ORDER BY position DESC LIMIT 1")
                counted = [tuple(map(int, row)) for row in await connection.fetch(COUNTED, LEASE, first)]
                counted = [each for each in counted if any(each[1:])]
                fresh = await LeaseBooks.of(snapshot, LEASE)
                assert fresh is not None
                assert await lease_days(fresh, first, now) == counted, seed
            await connection.execute("UPDATE leases SET status = 'closed' WHERE lease = $1", LEASE)
            closed = await connection.fetch(
                "SELECT day, kept, unkept FROM reputation_days WHERE lease = $1 ORDER BY day", LEASE
            )
            assert list(map(tuple, closed)) == [
                tuple(map(int, row)) for row in await connection.fetch(COUNTED, LEASE, 0)
            ]
            days += len(counted)
            seen |= {row["challenge"] for row in rows}
            paid += sum(row["payment"] is not None for row in rows)
            unpaid += sum(row["payment"] is None and row["secs"] > 0 for row in rows)
    finally:
        await connection.close()
    assert seen == {None, "approved", "disputed", "defended", "undefended", "unchallenged"}
    assert min(paid, unpaid, days) > 100


async def test_an_interval_counts_in_the_database_as_by_the_public_rule(dsn: str) -> None:
    """Every case there is."""
    challenges = [None, "approved", "disputed", "defended", "undefended", "unchallenged"]
    cases = list(product([600], [0, 1, 400, 600], [True, False, None], challenges, [True, False]))
    connection = await asyncpg.connect(dsn)
    try:
        for length, secs, kept, challenge, paid in cases:
            sql = "SELECT good, bad FROM interval_counts($1, $2, $3, $4, $5)"
            row = await connection.fetchrow(sql, length, secs, kept, challenge, paid)
            wanted = counted(length, secs, kept=bool(kept), challenge=challenge, paid=paid)
            assert (tuple(row) if row is not None else (0, 0)) == wanted
        asking = await connection.fetch("SELECT proname FROM pg_proc WHERE prosrc LIKE '%interval_counts(%'")
    finally:
        await connection.close()
    assert {row["proname"] for row in asking} == {"lease_reputation", "make_reputation_days"}


async def _long(connection: asyncpg.Connection, intervals: int) -> None:
    """All served, a settlement every six intervals, a dispute of four every five hundred."""
    await lease(connection, intervals)
    await connection.execute(
        f"""
        UPDATE leases SET interval_secs = {_TEN_MINUTES}, ends_at = started_at + {intervals * _TEN_MINUTES}
        WHERE lease = '{LEASE}';
        UPDATE parameters SET network = (SELECT network FROM networks),
            params = '{{"renter_fee_bps": 100, "supplier_fee_bps": 100, "usdc_fee_bps": 50}}';
        INSERT INTO events
            SELECT (i::bigint << 30) + k, 's' || i || '-' || k, 0, 0, {START} + (i + 1) * {_TEN_MINUTES}, 'x', ''
            FROM generate_series(0, {intervals} - 1) i, generate_series(0, 1) k;
        INSERT INTO proofs
            SELECT i::bigint << 30, '{LEASE}', '{NODE}', {START}, i, 0, {_TEN_MINUTES}, 0, 'x', 'x', i, true, true,
                   {_TEN_MINUTES}, 0, 0
            FROM generate_series(0, {intervals} - 1) i;
        INSERT INTO payments
            SELECT (i::bigint << 30) + 1, '{LEASE}', '{NODE}', 'c', 'IOSD', {START}, (i - 12) * {_TEN_MINUTES},
                   0, 0, 0, 0, 0, 0, 'x', 0, 0, false
            FROM generate_series(18, {intervals} - 1, 6) i;
        INSERT INTO disputes SELECT (i::bigint << 30) + 2, '{LEASE}', '{NODE}', 'c', 'IOSD', 0, i, i + 4, 0, 0, 0, 'x',
            'undefended' FROM generate_series(100, {intervals} - 100, 500) i;
        """
    )
    await connection.execute("ANALYZE")


async def _costs(dsn: str) -> dict[str, tuple[int, int]]:
    """Buffers and rows of a request, by what it asks for."""
    connection = await asyncpg.connect(dsn)
    try:
        node, length = await connection.fetchrow("SELECT node, last_interval + 1 FROM leases WHERE lease = $1", LEASE)
    finally:
        await connection.close()
    log: Any = lease_log.lease_intervals.fn
    ask: Any = node_reputation.fn
    costs = {}
    async with Reader.open(dsn) as reader:
        counting = CountingReader(reader)
        for name, place in (("start", 0), ("middle", length // 2), ("end", length - 60)):
            counting.reset()
            page = await log(counting, LEASE, cursor=encode_cursor("intervals", [str(place)]), limit=50)
            assert [each.interval for each in page.items] == list(range(place + 1, place + 51))
            costs[name] = counting.buffers, counting.rows
        counting.reset()
        answer = await ask(counting, node)
        assert len(answer.item.records) >= min(length * _TEN_MINUTES // DAY, 180)
        costs["reputation"] = counting.buffers, counting.rows
    return costs


# The second is a year of ten minutes: a lease cannot be longer. Going through all of it is 160,000 buffers.
@pytest.mark.parametrize("intervals", [2_000, 52_704])
async def test_a_request_costs_no_more_in_a_long_lease(intervals: int, dsn: str) -> None:
    """Pages of its log, and the reputation of its node while it is open and once it is closed."""
    await crowd.fill(dsn, 100)
    connection = await asyncpg.connect(dsn)
    try:
        await _long(connection, intervals)
        still = await _costs(dsn)
        await connection.execute("UPDATE leases SET status = 'closed' WHERE lease = $1", LEASE)
        closed = await _costs(dsn)
        plan = await connection.fetchval(
            "EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) SELECT * FROM lease_log($1)", LEASE
        )
    finally:
        await connection.close()
    counts = msgspec.json.decode(plan)[0]["Plan"]
    whole = counts["Shared Hit Blocks"] + counts["Shared Read Blocks"]
    for costs in (still, closed):
        for name, (buffers, rows) in costs.items():
            assert buffers < MOST_BUFFERS, name
            assert rows < MOST_ROWS, name
    assert closed["reputation"][0] < 1_000
    assert intervals == 2_000 or whole > 10 * max(buffers for buffers, _ in still.values())


class AskedReader(CountingReader):
    """Counts queries."""

    asked = 0

    def count(self, plan: dict[str, Any]) -> None:
        self.asked += 1
        super().count(plan)


async def test_leases_that_nobody_closes_cost_no_query_each(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 of them, one after the other, with what was kept, missed, paid and not; and one that runs."""
    await crowd.fill(dsn, 100)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("DELETE FROM leases WHERE lease <> (SELECT min(lease) FROM leases)")
        await _long(connection, 700)
        await connection.execute(
            f"""
            UPDATE leases SET started_at = ends_at - {_TEN_MINUTES * 5}, booked_at = started_at, burned = 0,
                end_reason = NULL;
            DELETE FROM disputes; DELETE FROM payments; DELETE FROM proofs;
            CREATE TEMP TABLE one AS SELECT * FROM leases;
            CREATE TEMP TABLE many AS
                SELECT i, 'M' || i AS key, {START} + i * {_TEN_MINUTES * 2} AS start FROM generate_series(1, 300) i;
            """
        )
        columns = [
            row["name"]
            for row in await connection.fetch(
                "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'leases' "
                "AND table_schema = 'public' ORDER BY ordinal_position"
            )
        ]
        new = {
            "lease": "m.key",
            "number": "m.i",
            "started_at": "m.start",
            "booked_at": "m.start",
            "ends_at": f"m.start + {_TEN_MINUTES} + 100",
            "last_interval": "1",
            "status": "'ended'",
            "seq": "m.i",
        }
        await connection.execute(
            f"""
            INSERT INTO leases SELECT {", ".join(new.get(name, f"o.{name}") for name in columns)} FROM one o, many m;
            INSERT INTO proofs
                SELECT 1000000 + i, key, '{NODE}', start, 0, 0, {_TEN_MINUTES}, 0, 'x', 'x', 1, true, true,
                       {_TEN_MINUTES}, 0, 0
                FROM many WHERE i % 3 > 0;
            INSERT INTO events SELECT 1000000 + i, 'p' || i, 0, 0, {START}, 'x', '' FROM many;
            INSERT INTO payments
                SELECT 2000000 + i, key, '{NODE}', 'c', 'IOSD', start, {_TEN_MINUTES}, 0, 0, 0, 0, 0, 0, 'x', 0, 0,
                       false
                FROM many WHERE i % 2 > 0;
            ANALYZE;
            """
        )
        node = await connection.fetchval("SELECT node FROM leases LIMIT 1")
    finally:
        await connection.close()
    ask: Any = node_reputation.fn
    async with Reader.open(dsn) as reader:
        counting = AskedReader(reader)
        answer = (await ask(counting, node)).item
        assert counting.asked < 40
        monkeypatch.setattr(reputation, "MOST_BY_SUMS", 1_000)
        counting.asked = 0
        wanted = (await ask(counting, node)).item
        assert counting.asked > 300
    assert answer == wanted
    assert sum(int(each.kept) > 0 for each in answer.records) > 3
    assert sum(int(each.unkept) > 0 for each in answer.records) > 3

"""One cluster of thousands of nodes: booked with lookup tables, indexed, planned by the launcher."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import fleet
import postgres
from bench.database import durable_server
from bench.figures import Figures, count, timed
from bench.machine import COMPUTING
from ionet.booking import Booking
from ionet.generated import pdas
from ionet.generated.accounts import Lease
from ionet.generated.events import ClusterOpened
from ionet.lookup_tables import Table
from ionet.program import PROGRAM
from ionet_indexer.postgres import EmbeddedPostgres
from launcher.stack import SESSION, stack
from market import IO, USD, Market, key, market
from solders.pubkey import Pubkey

NODES, TARGET_SECS = 6_000, 60
# Of the shipped models one that needs the least stake, so much for a node of one processor.
T4, STAKE = 36, 200 * IO
SLOT_MS, LEASE_SECS, HOUR = 400, 3_600, 3_600
# More blocks than tables are made: each table's address is made of a finalized one.
BLOCKS = 80
# Nothing listens there: what is measured ends before an agent is asked to start.
NO_AGENT = "https://127.0.0.1:9"


@dataclass(frozen=True)
class Run:
    """What one run came to. Seconds since the booking began; rent in lamports, of a lease and of all tables."""

    booking: Booking
    tables: list[Table]
    table_transactions: int
    bytes_sent: int
    lease_rent: int
    table_rent: int
    tables_secs: float
    booked: float
    indexed: float
    planned: float


def measure(nodes: int = NODES) -> Figures:
    with durable_server() as server:
        run = asyncio.run(book(server, nodes))
    return figures(run)


def figures(run: Run) -> Figures:
    receipts, many = run.booking.receipts, len(run.booking.leases)
    units, fees = sum(item.compute_units for item in receipts), sum(item.fee for item in receipts)
    note = (
        f"{many:,} nodes in {len(receipts)} transactions with {len(run.tables)} lookup tables, slots of {SLOT_MS} ms; "
        "from the first read of a node"
    )
    return {
        "big.transactions": count("big", len(receipts), "transactions"),
        "big.transactions_for_tables": count("big", run.table_transactions, "transactions"),
        "big.nodes_per_transaction": count("big", max(len(item.events) for item in receipts), "nodes", higher=True),
        "big.cu_per_node": count("big", round(units / many), "CU/node", target=15_000),
        "big.bytes_per_node": count("big", round(run.bytes_sent / many), "bytes"),
        "big.fee_per_node": count("big", round(fees / many), "lamports"),
        "big.rent_per_node": count("big", run.lease_rent, "lamports"),
        "big.table_rent_per_node": count("big", round(run.table_rent / many), "lamports"),
        "big.tables": timed(
            "big", [run.tables_secs], "s", bound_by=COMPUTING, note="before the booking, once for any number of them"
        ),
        "big.booked": timed("big", [run.booked], "s", bound_by=COMPUTING, note=note + " to the last confirmed lease"),
        "big.indexed": timed(
            "big", [run.indexed], "s", bound_by=COMPUTING, note=note + " to the last row of lease_work"
        ),
        "big.planned": timed(
            "big",
            [run.planned],
            "s",
            bound_by=COMPUTING,
            target=TARGET_SECS,
            note=note + " to the launcher's decision about all leases",
        ),
    }


async def book(server: EmbeddedPostgres, nodes: int) -> Run:
    """Book `nodes` nodes for one cluster, with indexer and launcher as processes of their own."""
    dsn = await postgres.create(server, "big")
    with tempfile.TemporaryDirectory(prefix="ionet-bench-") as folder:
        async with market(slot_ms=SLOT_MS) as played, stack(played, dsn, Path(folder), 0) as made:
            keys = await _fleet(played, nodes)
            (Path(folder) / "agents.json").write_text(json.dumps({str(node): NO_AGENT for node in keys}))
            await made.launcher.restart()
            async with asyncpg.create_pool(dsn, min_size=1) as pool:
                await _until(pool, "SELECT count(*) FROM nodes WHERE bonded > 0", nodes)
                return await _measured(played, keys, pool)


async def _fleet(played: Market, nodes: int) -> list[Pubkey]:
    """Hireable nodes of one supplier."""
    await played.treasury.tokens.transfer(pdas.io_mint(PROGRAM.id), played.admin.address, nodes * STAKE)
    terms = played.terms()
    made = fleet.register(played.net.chain, key("admin"), fleet.devices(nodes), model=T4, terms=terms, stake=STAKE)
    played.net.chain.begin_blocks(BLOCKS)
    return made


async def _measured(played: Market, nodes: list[Pubkey], pool: asyncpg.Pool) -> Run:
    renter, chain = played.renter, played.net.chain
    expires = await renter.rpc.unix_time() + 10 * HOUR
    opened = await renter.cluster.open(100_000 * USD, session_key=SESSION.pubkey(), session_expires_at=expires)
    cluster = opened.event(ClusterOpened).cluster
    before, started = chain.history.next_number, time.monotonic()
    tables = await renter.cluster.tables_for(cluster, nodes, make=True)
    for_tables, tables_secs = chain.history.next_number - before, time.monotonic() - started

    begun = time.monotonic()
    watching = asyncio.create_task(_watch(pool, cluster, len(nodes), begun))
    booking = await renter.cluster.add_leases(cluster, nodes, duration=LEASE_SECS, tables=tables)
    booked = time.monotonic() - begun
    assert booking.left_out == {}
    indexed, planned = await watching
    sent = [chain.history.get(receipt.signature) for receipt in booking.receipts]
    size = PROGRAM.codec.account_size(Lease)
    assert size is not None
    accounts = await renter.rpc.accounts([table.key for table in tables])
    return Run(
        booking=booking,
        tables=tables,
        table_transactions=for_tables,
        bytes_sent=sum(len(bytes(record.transaction)) for record in sent if record is not None),
        lease_rent=await renter.rpc.rent(size),
        table_rent=sum(account.lamports for account in accounts if account is not None),
        tables_secs=tables_secs,
        booked=booked,
        indexed=indexed,
        planned=planned,
    )


async def _watch(pool: asyncpg.Pool, cluster: Pubkey, nodes: int, begun: float) -> tuple[float, float]:
    """Seconds since `begun` until every lease is in the indexer's table, and until the launcher decided about all."""
    await _until(pool, "SELECT count(*) FROM lease_work WHERE cluster = $1", nodes, str(cluster))
    indexed = time.monotonic() - begun
    decided = "SELECT live FROM launcher.cluster WHERE cluster = $1 AND decided_at IS NOT NULL"
    await _until(pool, decided, nodes, str(cluster))
    return indexed, time.monotonic() - begun


async def _until(pool: asyncpg.Pool, query: str, wanted: int, *values: str) -> None:
    async with asyncio.timeout(300):
        while (await pool.fetchval(query, *values) or 0) < wanted:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.05)

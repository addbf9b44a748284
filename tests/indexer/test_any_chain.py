"""The indexer against a chain behind an RPC url: a local one, or the validator that IONET_TEST_RPC_URL names."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
from client.sdk.conftest import Chain, chain, network
from client.sdk.parties import IO, IOSD, Party, book, hireable_node, open_cluster, party, wait_until
from indexer.tables_of import tables_of
from ionet.generated.events import ClusterClosed, LeaseStarted
from ionet.program import PROGRAM
from ionet_indexer.core.reader import Reader
from ionet_indexer.ingest import Ingest
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.reconcile import Drift, reconcile
from ionet_indexer.source.live import Wakeups
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Writer
from solders.pubkey import Pubkey

__all__ = ["chain", "network"]

pytestmark = pytest.mark.asyncio(loop_scope="session")

INTERVAL, INTERVALS = 3, 2
ROOT = bytes(range(32))


async def live(network: Chain) -> tuple[Party, Pubkey, Pubkey]:
    """A lease from booking to closing, every second proven. Returns the renter, the lease and its open cluster."""
    supplier, renter = await party(network, 1_000 * IO), await party(network, 100 * IO)
    machine = await hireable_node(supplier)
    cluster = await open_cluster(renter, 2 * IOSD)
    lease = (await book(renter, cluster, machine, INTERVAL * INTERVALS)).lease
    await supplier.client.lease.mark_ready(lease, machine.device, ROOT)
    started = (await renter.client.lease.accept_ready(lease)).event(LeaseStarted).at
    for interval in range(INTERVALS):
        await wait_until(renter.client, started + INTERVAL * (interval + 1))
        await supplier.client.lease.append_proof(
            lease, machine.device, node=machine.node, interval=interval, served_secs=INTERVAL, root=ROOT, gpu_ms=1
        )
    found = await renter.client.lease.get(lease)
    over = found.ends_at + found.grace_intervals * INTERVAL + found.dispute_window_secs
    await wait_until(renter.client, over + 1)
    await renter.client.lease.settle(lease)
    await renter.client.lease.close(lease)
    return renter, lease, cluster


@contextlib.asynccontextmanager
async def ingesting(url: str, dsn: str, batch: int) -> AsyncIterator[Ingest]:
    source = RpcSource(url, str(PROGRAM.id))
    try:
        async with Writer.open(dsn) as writer:
            checkpoint = await writer.start(await source.genesis(), str(PROGRAM.id))
            yield Ingest(source, writer, Pipeline(writer, PROGRAM.codec), checkpoint, batch=batch)
    finally:
        await source.close()


async def final(dsn: str, table: str, column: str, key: Pubkey) -> None:
    """Wait until a row is closed, and everything that is stored can no longer be undone."""
    query = f"""
        SELECT 1 FROM {table}, checkpoint WHERE {column} = $1 AND status = 'closed'
        AND finalized_slot >= (SELECT max(slot) FROM transactions)
    """
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(120):
            while await connection.fetchval(query, str(key)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        await connection.close()


async def drift(url: str, dsn: str) -> list[Drift]:
    source = RpcSource(url, str(PROGRAM.id))
    try:
        async with Reader.open(dsn, size=2) as reader:
            return await reconcile(reader, source, PROGRAM.codec)
    finally:
        await source.close()


async def test_a_lease_on_any_chain(network: Chain, dsn: str, another: str) -> None:
    renter, lease, cluster = await live(network)
    async with ingesting(network.url, dsn, batch=3) as ingest:
        following = asyncio.create_task(ingest.run(asyncio.Event(), 0.2))
        try:
            await final(dsn, "leases", "lease", lease)
            assert await drift(network.url, dsn) == []
            closed = (await renter.client.cluster.close(cluster)).event(ClusterClosed)
            await final(dsn, "clusters", "cluster", cluster)
            assert await drift(network.url, dsn) == []
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    tables = await tables_of(dsn)
    [row] = [row for row in tables["clusters"] if row["cluster"] == str(cluster)]
    assert (row["paid"], row["fees"], row["refunded"]) == (closed.paid, closed.fees, closed.refunded)
    proofs = [row for row in tables["proofs"] if row["lease"] == str(lease)]
    assert {row["interval"]: row["served_secs"] for row in proofs} == dict.fromkeys(range(INTERVALS), INTERVAL)
    assert {row["root"] for row in proofs} == {ROOT.hex()}
    async with ingesting(network.url, another, batch=500) as ingest:
        await ingest.run_once()
    assert await tables_of(another) == tables


async def test_the_websocket_wakes(network: Chain) -> None:
    host, _, port = network.url.replace("http", "ws", 1).rpartition(":")
    woken = asyncio.Event()
    listening = asyncio.create_task(Wakeups(f"{host}:{int(port) + 1}", str(PROGRAM.id), woken).run())
    try:
        async with asyncio.timeout(30):
            await woken.wait()  # it is connected
            woken.clear()
            await hireable_node(await party(network, 1_000 * IO))
            await woken.wait()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

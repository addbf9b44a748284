"""Every part of a running network is killed again and again: nothing is lost, nothing happens twice.

IONET_CHAOS_SEEDS, e.g. `1,2,3`, runs other seeds than the first.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import struct
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import postgres
import pytest
from chaos.monkey import Monkey, RayWatch
from chaos.network import Network, network
from indexer.tables_of import tables_of
from ionet.agent_api import AgentClient
from ionet.agent_delegation import delegate
from ionet.errors import RpcUnreachable
from ionet.generated import pdas
from ionet.generated.accounts import Lease
from ionet.generated.enums import LeaseStatus
from ionet.generated.events import ClusterClosed, ClusterOpened, LeaseBooked
from ionet.program import PROGRAM
from ionet_indexer.ingest import Ingest
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Writer
from ionet_stack.demo import books, story
from ionet_stack.demo.story import Block
from launcher.stack import until
from leftovers import left_after
from solders.pubkey import Pubkey

SEEDS = [int(seed) for seed in os.environ.get("IONET_CHAOS_SEEDS", "1").split(",")]
NODES, FEE_BPS = 3, 25
# Seconds; in real time four times as long.
DURATION = 18


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Not pytest's own, which keeps the logs: as root the database runs as `nobody`, who must get in."""
    made = Path(tempfile.mkdtemp(prefix="ionet-chaos-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    for log in made.glob("*.log"):
        shutil.copy(log, tmp_path)
    assert left_after(made, 5) == {}
    shutil.rmtree(made)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.drill
async def test_whatever_dies_every_second_is_served_proven_and_paid_once(folder: Path, seed: int) -> None:
    async with network(folder, NODES) as running:
        monkey, watch = Monkey(running, seed), RayWatch(running)
        async with watch.watching():
            cluster, booked = await book(running)
            leases = [lease.lease for lease in booked]
            async with monkey.at_work():
                await until(partial(have_status, running, leases, LeaseStatus.ACTIVE), 400, "every meter runs")
            started = [len(seen) for seen in watch.starts]
            blocks = await run_job(running)
            async with monkey.at_work():
                await until(partial(nothing_runs, running), 400, "Ray has stopped at the end")
            assert [len(seen) for seen in watch.starts] == started, "what ran was taken over, never started again"
        assert watch.most_at_once == 1
        print("kills: " + ", ".join(f"{name} {number}" for name, number in monkey.kills.items()))
        assert all(monkey.kills.values()), monkey.kills
        await running.pass_time(30)
        closed, _ = await story.closed(running.cast, cluster, leases, lambda _: None)
        await check_money(running, cluster, booked, closed)
        await until(partial(caught_up, running, await running.cast.renter.client.rpc.slot()), 30, "indexed")
        await until(partial(launcher_is_done, running), 60, "the launcher has seen the end")
        await check_history(running, booked)
        await check_results(running, blocks)
        await check_rebuild(running)


async def book(running: Network) -> tuple[Pubkey, list[LeaseBooked]]:
    await story.mint(running.cast)
    renter, expires = running.cast.renter.client, int(time.time()) + 3_600
    opened = await renter.cluster.open(5 * 10**6, session_key=running.session.pubkey(), session_expires_at=expires)
    cluster = opened.event(ClusterOpened).cluster
    receipt = await renter.cluster.add_lease(cluster, *running.nodes, duration=DURATION)
    return cluster, [record.event for record in receipt.events if isinstance(record.event, LeaseBooked)]


async def have_status(running: Network, leases: list[Pubkey], status: LeaseStatus) -> bool:
    try:
        found = await running.cast.renter.client.fetch_many(Lease, leases)
    except RpcUnreachable:
        return False
    return all(lease is not None and lease.status == status for lease in found)


async def nothing_runs(running: Network) -> bool:
    return not any((running.base(number) / "ray.json").exists() for number in range(NODES))


async def run_job(running: Network) -> list[Block]:
    renter = running.cast.renter
    [(address, cluster)] = await renter.client.cluster.all(renter=renter.address)
    node = (await renter.client.lease.get(cluster.head_lease)).node
    head = running.agents[running.nodes.index(node)]
    device = (await renter.client.node.get(node)).device_key
    return await story.run_job(AgentClient(head.about["api"], device, delegate(renter.key, address, time.time())))


async def caught_up(running: Network, slot: int) -> bool:
    [row] = await running.fetch("SELECT finalized_slot FROM checkpoint")
    return bool(row["finalized_slot"] >= slot)


async def check_money(running: Network, cluster: Pubkey, booked: list[LeaseBooked], closed: ClusterClosed) -> None:
    """Every booked second was paid, to the unit, and nothing is left on the way."""
    earned = [lease.price * lease.processors * lease.duration // 3600 for lease in booked]
    fees = [-(-amount * FEE_BPS // 10_000) for amount in earned]
    holdings = await running.cast.holdings()
    paid = [holdings[supplier.name].iosd for supplier in running.cast.suppliers]
    assert paid == [amount - fee for amount, fee in zip(earned, fees, strict=True)]
    assert closed.fees == 2 * sum(fees)
    assert closed.deposit == closed.paid + closed.fees + closed.refunded
    iosd = await running.cast.authority.client.iosd.books()
    assert sum(each.iosd for each in holdings.values()) + iosd.fee_burned == iosd.minted
    await take_stakes_home(running)
    await books.nothing_left(running.cast, cluster, running.nodes)
    held = sum(each.io for each in (await running.cast.holdings()).values())
    network = await running.cast.authority.client.network.get()
    assert (held + iosd.io_burned, iosd.io_other_burned) == (network.io_genesis, 0), "nobody was slashed"


async def take_stakes_home(running: Network) -> None:
    for supplier, node in zip(running.cast.suppliers, running.nodes, strict=True):
        await supplier.client.node.retire(node)
    await running.pass_time(30)
    await until(partial(no_stake_is_left, running), 90, "the keeper has brought the stakes home")


async def no_stake_is_left(running: Network) -> bool:
    vaults = [pdas.stake_vault(PROGRAM.id, node) for node in running.nodes]
    return await running.cast.renter.client.rpc.accounts(vaults) == [None] * len(vaults)


async def launcher_is_done(running: Network) -> bool:
    rows = await running.fetch("SELECT phase FROM launcher.cluster")
    return all(row["phase"] == "stopped" for row in rows)


async def check_history(running: Network, booked: list[LeaseBooked]) -> None:
    """One start per lease, every proof once, in an unbroken chain of hashes; one cluster."""
    assert await running.fetch("SELECT entity FROM event_entities GROUP BY entity HAVING max(seq) <> count(*)") == []
    starts = await running.fetch("SELECT count(*) AS n FROM events WHERE name = 'LeaseStarted'")
    assert [row["n"] for row in starts] == [NODES]
    clusters = await running.fetch("SELECT phase, reason, detail, next_at - now() AS again FROM launcher.cluster")
    assert [row["phase"] for row in clusters] == ["stopped"], clusters
    for lease in booked:
        [row] = await running.fetch("SELECT * FROM leases WHERE lease = $1", str(lease.lease))
        proofs = await running.fetch("SELECT * FROM proofs WHERE lease = $1 ORDER BY position", str(lease.lease))
        assert [proof["proof_count"] for proof in proofs] == list(range(1, row["proof_count"] + 1))
        assert len({(proof["interval"], proof["served_secs"], proof["root"]) for proof in proofs}) == len(proofs)
        served = {proof["interval"]: proof["served_secs"] for proof in proofs}
        assert sum(served.values()) == lease.duration == row["served_secs"]
        head = bytes(32)
        for proof in proofs:
            said = struct.pack("<IIQ", proof["interval"], proof["served_secs"], int(proof["gpu_ms"]))
            head = hashlib.sha256(head + said + bytes.fromhex(proof["root"])).digest()
        assert row["proof_head"] == head.hex()


async def check_results(running: Network, blocks: list[Block]) -> None:
    """Every block of the job is found, once, with a path to a root on the chain."""
    assert len({block.node for block in blocks}) == NODES
    for block in blocks:
        await story.trace(running.cast.renter, running.api, block.result)


async def check_rebuild(running: Network) -> None:
    """Tables made again from the stored events, and those of an indexer that nobody disturbed, are identical."""
    assert await running.run("indexer", "check", "--dsn", running.dsn) == {"drift": []}
    await running.launcher.end(signal.SIGTERM)
    await running.indexer.end(signal.SIGTERM)
    with EmbeddedPostgres(running.data) as server:
        found = await tables_of(server.dsn)
        assert (await running.run("indexer", "rebuild", "--dsn", server.dsn))["events"] == len(found["events"])
        assert await tables_of(server.dsn) == found
        undisturbed = await postgres.create(server, "undisturbed")
        await index_at_once(running.url, undisturbed)
        assert await tables_of(undisturbed) == found


async def index_at_once(url: str, dsn: str) -> None:
    source = RpcSource(url, str(PROGRAM.id))
    async with Writer.open(dsn) as writer:
        checkpoint = await writer.start(await source.genesis(), str(PROGRAM.id))
        await Ingest(source, writer, Pipeline(writer, PROGRAM.codec), checkpoint).run_once()
    await source.close()

"""The indexer as a process, killed at random moments while the chain is busy: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator

import asyncpg
from indexer.conflicts import call
from indexer.recording import PROGRAM_ID
from indexer.tables_of import tables_of
from ionet import addresses
from ionet.generated import pdas
from ionet.generated.enums import LeaseStatus
from ionet.program import PROGRAM
from ionet_indexer.ingest import Ingest
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Writer
from market import IO, PRICE, Market, market

ROUNDS = 5


async def start(played: Market, dsn: str) -> asyncio.subprocess.Process:
    """`ionet indexer run`; returns once it says where it works."""
    command = [sys.executable, "-m", "ionet", "--url", played.net.rpc_url, "indexer", "run"]
    options = ["--dsn", dsn, "--ws-url", played.net.ws_url, "--no-api", "--poll", "0.05", "--json"]
    process = await asyncio.create_subprocess_exec(*command, *options, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert b"database" in await process.stdout.readline()
    return process


@contextlib.asynccontextmanager
async def busy(played: Market) -> AsyncIterator[None]:
    """Nodes change their terms, leases are booked, rewards are given and models switched all the time."""

    async def work() -> None:
        machines = [await played.add_machine(name) for name in "abcd"]
        for machine in machines:
            await played.admin.stake.add(machine.address, 10_000 * IO)  # broken promises are slashed
        for number in range(100_000):
            if number % 10 == 0:
                await played.book(await played.open_cluster(50_000), machines[number // 10 % 3])
            if number % 10 == 9:
                played.pass_time(200)
                for key, lease in await played.admin.lease.all():
                    if lease.status == LeaseStatus.BOOKED:
                        await played.stranger.lease.cancel(key)
                        await played.stranger.lease.close(key)
                        await played.admin.node.come_back(lease.node)
            await played.admin.node.update(machines[3].address, played.terms(PRICE + number))
            if number % 3 == 0:
                rewards = {"payer": played.renter.address, "node": machines[2].address}
                rewards["from"] = addresses.token_account(played.renter.address, pdas.io_mint(PROGRAM.id))
                await call(played.renter, "fund_rewards", rewards, amount=IO)
                switched = {"authority": played.admin.address, "model": pdas.model(PROGRAM.id, 2)}
                await call(played.admin, "set_model", switched, enabled=number % 2 == 0)

    task = asyncio.create_task(work())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def reached(dsn: str, slot: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(30):
            while (await connection.fetchval("SELECT max(finalized_slot) FROM checkpoint") or -1) < slot:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def test_killed_again_and_again_the_tables_are_those_of_an_undisturbed_run(dsn: str, another: str) -> None:
    draw = random.Random(11)
    async with market() as played:
        async with busy(played):
            for number in range(ROUNDS):
                process = await start(played, dsn)
                await asyncio.sleep(draw.uniform(0.05, 1.2))
                if number == ROUNDS // 2:
                    await _drop_connections(dsn)
                    await asyncio.sleep(1.5)
                    assert process.returncode is None
                process.kill()
                await process.wait()
        played.finalize()
        target = played.net.chain.timeline.committed_slot("finalized")
        process = await start(played, dsn)
        await reached(dsn, target)
        process.terminate()
        assert await process.wait() == 0
        found = await tables_of(dsn)
        source = RpcSource(played.net.rpc_url, PROGRAM_ID)
        async with Writer.open(another) as writer:
            checkpoint = await writer.start(await source.genesis(), PROGRAM_ID)
            await Ingest(source, writer, Pipeline(writer, PROGRAM.codec), checkpoint).run_once()
        await source.close()
    assert len(found["events"]) > 100
    assert await tables_of(another) == found


async def _drop_connections(dsn: str) -> None:
    """The database restarts, as far as a client can tell."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()

"""A lying node, a killed indexer, a database that falls over: in the end the tables are those of the chain.

Five seeds here; by hand `IONET_LYING_SEEDS=50 scripts/test tests/indexer/test_lying_node.py -s`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import postgres
import pytest
import pytest_asyncio
from indexer.followed import truth
from indexer.lying_node import LyingNode
from indexer.proxy import proxy
from indexer.tables_of import tables_of
from indexer.test_refill import reached
from ionet_indexer.postgres import EmbeddedPostgres
from market import IO, PRICE, Market, market

pytestmark = [pytest.mark.matrix, pytest.mark.asyncio(loop_scope="module")]
SEEDS = range(int(os.environ.get("IONET_LYING_SEEDS", "5")))
ROUNDS, LIES = 1, 10
HEALED_SECS = 240.0  # it may rest for 15 s between two attempts, and the machine may have much else to do
told: Counter[str] = Counter()


@pytest.fixture(scope="module")
def fallible() -> Iterator[EmbeddedPostgres]:
    """A database server of our own, which may be killed."""
    base = Path(tempfile.mkdtemp(prefix="ionet-pg-", dir="/var/tmp"))
    with EmbeddedPostgres(base, settings={"fsync": "off"}) as running:
        yield running
    shutil.rmtree(base, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played() -> AsyncIterator[Market]:
    async with market(slot_ms=50) as found:
        for name in "abcdefgh":
            await found.add_machine(name)
        found.finalize()
        yield found
    print("\nlies:", ", ".join(f"{kind} {count}" for kind, count in told.most_common()))


async def business(played: Market, draw: random.Random, seed: int) -> None:
    """Things happen without end, most of them the last of their entity, some of them on forks that are abandoned."""
    for number in range(10_000):
        machine = draw.choice(played.machines)
        match draw.randrange(3):
            case 0:
                await played.admin.node.update(machine.address, played.terms(PRICE + draw.randrange(10**6)))
            case 1:
                await played.admin.stake.add(machine.address, draw.randrange(1, 5) * IO)
            case _ if number < 10:
                known = len(played.machines)
                await played.add_machine(f"{seed} {number}")
                del played.machines[known:]  # nothing else happens to it
            case _:
                await asyncio.sleep(0.2)
        if draw.random() < 0.1:
            played.net.node.fork(draw.randint(1, 12), draw.random(), seed=number)
            played.net.chain.begin_blocks(draw.randint(2, 6))


async def start(url: str, played: Market, dsn: str, *, check_url: str | None = None) -> asyncio.subprocess.Process:
    """`ionet indexer run` on the lying node."""
    command = [sys.executable, "-m", "ionet", "--url", url, "indexer", "run", "--dsn", dsn, "--no-api", "--json"]
    options = ["--ws-url", played.net.ws_url, "--poll", "0.05", "--timeout", "1"]
    more = ["--check-url", check_url] if check_url else []
    quiet = None if os.environ.get("IONET_LYING_LOG") else asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, *options, *more, stdout=asyncio.subprocess.PIPE, stderr=quiet
    )
    assert process.stdout is not None
    assert b"database" in await process.stdout.readline()
    return process


async def listened(lies: LyingNode, lists: int) -> None:
    """Wait until the indexer has asked for as many lists; one that rests for long is not waited for."""
    enough = lies.lists + lists
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3):
            while lies.lists < enough:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def lied_to(lies: LyingNode) -> None:
    """Wait until it was lied to often enough, however slow the machine is."""
    async with asyncio.timeout(HEALED_SECS):
        while lies.lies.total() <= LIES:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def hurt(draw: random.Random, server: EmbeddedPostgres, dsn: str) -> None:
    """The database's connections end, or all of it falls over and comes back."""
    match draw.randrange(3):
        case 0:
            connection = await asyncpg.connect(dsn)
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await connection.close()
        case 1:
            pid = server.pid
            assert pid is not None
            os.kill(pid, signal.SIGQUIT)  # PostgreSQL's immediate shutdown, as in a crash
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
        case _:
            return
    await asyncio.sleep(draw.uniform(0.2, 1.5))


@pytest.mark.parametrize("seed", SEEDS)
async def test_in_the_end_the_tables_are_those_of_the_chain(
    seed: int, played: Market, fallible: EmbeddedPostgres
) -> None:
    draw = random.Random(seed)
    lies = LyingNode(seed)
    dsn = await postgres.create(fallible, f"lied_to_{seed}")
    if seed % 4 != 3:  # the others also read for the first time from a liar
        await truth(played, dsn)
    second = played.net.rpc_url if seed % 3 == 2 else None  # some have an honest node to compare with
    async with proxy(played.net.rpc_url, lies) as node:
        at_work = asyncio.create_task(business(played, draw, seed))
        try:
            for _ in range(ROUNDS):
                process = await start(node.url, played, dsn, check_url=second)
                try:
                    await listened(lies, draw.randint(3, 15))
                    await hurt(draw, fallible, dsn)
                    assert process.returncode is None, "it ended by itself"
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
            process = await start(node.url, played, dsn, check_url=second)
            await listened(lies, 15)
            await lied_to(lies)
            assert not at_work.done(), at_work.exception()
            at_work.cancel()
            await asyncio.gather(at_work, return_exceptions=True)
            for machine in played.machines:  # nothing follows that would show that one of these is missing
                await played.admin.node.update(machine.address, played.terms(PRICE + draw.randrange(10**6)))
            await listened(lies, 20)
        finally:
            at_work.cancel()
            await asyncio.gather(at_work, return_exceptions=True)
        try:
            lies.behave()
            played.finalize()
            await reached(dsn, played.net.chain.timeline.committed_slot("finalized"), HEALED_SECS)
            expected = await truth(played, await postgres.create(fallible, f"truth_{seed}"))
            with contextlib.suppress(TimeoutError):  # a difference that reconcile has to find takes a moment longer
                async with asyncio.timeout(HEALED_SECS):
                    while await tables_of(dsn) != expected:  # noqa: ASYNC110
                        await asyncio.sleep(0.2)
        finally:
            process.terminate()
            await process.wait()
    told.update(lies.lies)
    assert await tables_of(dsn) == expected
    assert len(expected["events"]) > 20
    assert lies.lies.total() > LIES

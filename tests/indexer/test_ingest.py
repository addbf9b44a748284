"""The ingest loop over a recorded chain, and over a live one that forks and fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from indexer.recording import PROGRAM_ID, RecordedSource, Recording
from indexer.tables_of import tables_of
from ionet.program import PROGRAM
from ionet_indexer.ingest import Ingest, whole_slots
from ionet_indexer.pipeline import Pipeline, SeqHole
from ionet_indexer.source.base import Heads, Seen, SourceError
from ionet_indexer.source.live import Wakeups
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Checkpoint, Writer
from ionet_localnet import FaultConfig
from ionet_localnet.faults import FaultPlan
from market import PRICE, Market, market


async def ingest_of(source: RecordedSource | RpcSource, writer: Writer, *, batch: int = 500) -> Ingest:
    genesis = await source.genesis() if isinstance(source, RpcSource) else "recorded"
    return Ingest(source, writer, Pipeline(writer, PROGRAM.codec), await writer.start(genesis, PROGRAM_ID), batch=batch)


async def eventually(check: Callable[[], Awaitable[bool]], patience: float = 60.0) -> None:
    async with asyncio.timeout(patience):
        while not await check():  # noqa: ASYNC110 - the database is the only thing to ask
            await asyncio.sleep(0.02)


def test_batches_are_whole_slots() -> None:
    seen = [Seen(str(number), slot) for number, slot in enumerate([1, 1, 2, 3, 3, 3, 3, 4])]
    batches = [[item.slot for item in batch] for batch in whole_slots(seen, 3)]
    assert batches == [[1, 1], [2, 3, 3, 3, 3], [4]]
    assert list(whole_slots([], 3)) == []


def test_the_first_batches_are_smaller() -> None:
    seen = [Seen(str(number), number) for number in range(100)]
    assert [len(batch) for batch in whole_slots(seen, 32)] == [4, 8, 16, 32, 32, 8]


async def test_a_pass_reads_everything_and_the_next_finds_nothing(
    recording: Recording, writer: Writer, dsn: str
) -> None:
    ingest = await ingest_of(RecordedSource(recording), writer, batch=7)
    assert await ingest.run_once() == len((await tables_of(dsn))["events"]) > 0
    assert ingest.checkpoint == Checkpoint(recording.heads.confirmed, recording.heads.finalized)
    assert await ingest.run_once() == 0


async def test_a_lost_transaction_stops_the_tables_and_is_fetched_again(
    recording: Recording, writer: Writer, dsn: str
) -> None:
    source = RecordedSource(recording)
    transactions = recording.transactions
    names = [[type(e.value).__name__ for e in Pipeline(writer, PROGRAM.codec).decode([t])] for t in transactions]
    lost = transactions[names.index(["LeaseExtended"])]
    source.hidden = {lost.signature}
    ingest = await ingest_of(source, writer, batch=5)
    for _ in range(2):
        with pytest.raises(SeqHole):
            await ingest.run_once()
    assert ingest.checkpoint.indexed < recording.heads.confirmed
    source.hidden = set()
    await ingest.run_once()
    undisturbed = await tables_of(dsn)
    assert ingest.checkpoint.indexed == recording.heads.confirmed
    await Pipeline(writer, PROGRAM.codec).rebuild()
    assert await tables_of(dsn) == undisturbed
    assert len(undisturbed["transactions"]) == len(transactions)


async def test_a_node_that_fell_behind_is_not_believed(recording: Recording, writer: Writer) -> None:
    source = RecordedSource(recording)
    ingest = await ingest_of(source, writer)
    await ingest.run_once()

    async def behind() -> Heads:
        return Heads(3, 1)

    source.heads = behind  # type: ignore[method-assign]
    with pytest.raises(SourceError, match="behind"):
        await ingest.run_once()
    assert ingest.checkpoint.indexed == recording.heads.confirmed


@pytest_asyncio.fixture
async def played() -> AsyncIterator[Market]:
    async with market() as found:
        yield found


@pytest_asyncio.fixture
async def unhurried() -> AsyncIterator[Market]:
    """A chain whose slots are long enough for a slow machine to do three things within the 31 that a fork can undo."""
    async with market(slot_ms=200) as found:
        yield found


@pytest_asyncio.fixture
async def source(played: Market) -> AsyncIterator[RpcSource]:
    found = RpcSource(played.net.rpc_url, PROGRAM_ID)
    yield found
    await found.close()


async def test_pushes_wake_it_long_before_the_next_poll(
    played: Market, source: RpcSource, writer: Writer, dsn: str
) -> None:
    """The latency itself is measured in tests/bench."""
    ingest = await ingest_of(source, writer)
    await ingest.run_once()
    wake = asyncio.Event()
    pushes = Wakeups(played.net.ws_url, PROGRAM_ID, wake)
    tasks = [asyncio.create_task(pushes.run()), asyncio.create_task(ingest.run(wake, poll=60.0))]
    try:
        await eventually(lambda: _true(pushes.connects > 0))
        for name in ("x", "y", "z"):
            machine = await played.add_machine(name)

            async def known(key: str = str(machine.address)) -> bool:
                rows = (await tables_of(dsn, ("nodes",)))["nodes"]
                return any(row["node"] == key and row["bonded"] for row in rows)

            await eventually(known)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _true(value: bool) -> bool:
    return value


async def undisturbed(source: RpcSource, fresh: str) -> dict[str, list[object]]:
    """The tables of an indexer that reads the chain for the first time now."""
    async with Writer.open(fresh) as writer:
        await (await ingest_of(source, writer)).run_once()
    return await tables_of(fresh)


def without_finality(tables: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Two indexers that looked at different times may differ in this alone."""
    work = [{**row, "finalized": None} for row in tables["lease_work"]]
    return {**tables, "lease_work": work}


@pytest.mark.parametrize(("keep", "left"), [(0.0, 0), (0.5, None), (1.0, 3)])
async def test_a_fork_is_undone_and_replaced(
    keep: float, left: int | None, unhurried: Market, writer: Writer, dsn: str, another: str
) -> None:
    """Blocks vanish; their transactions land again in other slots, all, some or none: the tables follow."""
    played, source = unhurried, RpcSource(unhurried.net.rpc_url, PROGRAM_ID)
    ingest = await ingest_of(source, writer)
    machines = [await played.add_machine(name) for name in "abc"]
    cluster = await played.open_cluster()
    played.finalize()
    await ingest.run_once()
    for machine in machines:
        await played.book(cluster, machine)
        await ingest.run_once()
    before = await tables_of(dsn)
    assert len(before["leases"]) == len(before["lease_work"]) == 3
    first = min(row["slot"] for row in before["lease_work"])
    timeline = played.net.chain.timeline
    played.net.node.fork(len(timeline.heights_between(first, timeline.slot)), keep, seed=1)
    played.net.chain.begin_blocks(4)
    await ingest.run_once()
    after = await tables_of(dsn)
    assert left is None or len(after["leases"]) == len(after["lease_work"]) == left
    assert after["leases"] != before["leases"]
    assert all(row["slot"] > first for row in after["lease_work"])
    assert without_finality(await undisturbed(source, another)) == without_finality(after)
    # Life goes on after the fork.
    await played.add_machine("d")
    assert await ingest.run_once() == 2
    await source.close()


async def test_survives_forks_and_lost_notifications_at_random(
    played: Market, source: RpcSource, writer: Writer, dsn: str, another: str
) -> None:
    """A chain that forks all the time under load; at the end both indexers agree."""
    played.net.node.faults = FaultPlan(FaultConfig(drop_notification=0.5, seed=3))
    wake = asyncio.Event()
    ingest = await ingest_of(source, writer, batch=3)
    running = asyncio.create_task(ingest.run(wake, poll=0.05))
    machines = [await played.add_machine(name) for name in "ab"]
    played.finalize()
    draw = random.Random(5)
    for number in range(12):
        for machine in machines:
            terms = played.terms(PRICE + 100 * number + draw.randrange(50))
            await played.admin.node.update(machine.address, terms)
        if draw.random() < 0.7:
            played.net.node.fork(draw.randint(1, 12), draw.random(), seed=number)
            played.net.chain.begin_blocks(draw.randint(2, 14))
    played.finalize()
    target = played.net.chain.timeline.committed_slot("confirmed")

    async def arrived() -> bool:
        return ingest.checkpoint.indexed >= target

    await eventually(arrived)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await undisturbed(source, another) == await tables_of(dsn)


async def test_a_node_that_does_not_answer_is_asked_again(played: Market, writer: Writer, dsn: str) -> None:
    """The loop waits while the node is away and goes on when it is back; nobody has to restart it."""
    source = RpcSource(played.net.rpc_url, PROGRAM_ID)
    ingest = await ingest_of(source, writer)
    await source.close()
    with pytest.raises(SourceError):
        await RpcSource("http://127.0.0.1:1", PROGRAM_ID).heads()
    away = RpcSource("http://127.0.0.1:1", PROGRAM_ID)
    ingest._source = away
    running = asyncio.create_task(ingest.run(asyncio.Event(), poll=0.05))

    async def complains() -> bool:
        rows = (await tables_of(dsn, ("status",)))["status"]
        return bool(rows) and "getSlot" in (rows[0]["problem"] or "")

    async def recovered() -> bool:
        rows = (await tables_of(dsn, ("status",)))["status"]
        return rows[0]["problem"] is None

    await eventually(complains)
    back = RpcSource(played.net.rpc_url, PROGRAM_ID)
    ingest._source = back
    await eventually(recovered)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await away.close()
    await back.close()

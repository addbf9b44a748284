"""How fast the indexer works through stored transactions, and through its own stored events; and in how much memory."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import postgres
from bench.database import durable_server
from bench.figures import Figure, Figures, timed
from bench.history import History, record
from bench.machine import COMPUTING
from bench.repeat import Repeated
from ionet.program import PROGRAM
from ionet_indexer.core.decode import Transaction
from ionet_indexer.core.reader import Reader
from ionet_indexer.ingest import Ingest
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.source.base import Heads, Seen
from ionet_indexer.store import Writer

ROUNDS, REPEATS = 48, 3
TIMES = 4  # the recorded history, again and again under other keys
LONG = int(os.environ.get("IONET_BENCH_EVENTS", "200000"))  # events whose reading may not take more memory
MOST_GROWTH = 32  # MiB
AT_ONCE = 50  # transactions in one answer
TARGET = 20_000
MOST_WAIT = 100  # milliseconds, of a reader while all tables are made again and change places
WAIT_NOTE = "the slowest of many reads, one after the other, while the rebuild of the row above was under way"
CPU_NOTE = "CPU of the indexer and of its database connection together: what other load on the machine does not change"


class Stored:
    """A source that serves a history from memory; each transaction is decoded from its JSON when it is asked for."""

    def __init__(self, history: History) -> None:
        self._heads = Heads(-1, -1)
        self._decoder = msgspec.json.Decoder(Transaction)
        self._seen: list[Seen] = []
        self._raw: dict[str, bytes] = {}
        self.go_on(history.raw, history.heads)

    def go_on(self, raw: Sequence[bytes], heads: Heads) -> None:
        """The chain went on: these transactions happened. What was final before is forgotten."""
        final = self._heads.finalized
        kept = [item for item in self._seen if item.slot >= self._last_slot(final)]
        decoded = [self._decoder.decode(item) for item in raw]
        self._raw = {item.signature: each for item, each in zip(decoded, raw, strict=True)}
        self._seen = [*kept, *(Seen(item.signature, item.slot) for item in decoded)]
        self._heads = heads

    def _last_slot(self, until: int) -> int:
        """The newest slot up to one in which anything happened: a list has to reach that far."""
        return max((item.slot for item in self._seen if item.slot <= until), default=until)

    async def heads(self) -> Heads:
        return self._heads

    async def blockhashes(self, slots: Sequence[int]) -> list[str | None]:
        return [f"block {slot}" for slot in slots]

    async def holds(self, slot: int, blockhash: str) -> bool:
        return blockhash == f"block {slot}"

    async def lacks(self, item: Seen) -> bool:
        return item not in self._seen

    async def seen(self, after: int, heads: Heads, anchor: Seen | None = None, *, final: bool = False) -> list[Seen]:
        upto = heads.finalized if final else heads.confirmed
        assert anchor is None or anchor in self._seen
        return [item for item in self._seen if after < item.slot <= upto]

    async def history(self, key: str, heads: Heads, *, final: bool = False) -> list[Seen]:
        upto = heads.finalized if final else heads.confirmed
        return [item for item in self._seen if key and item.slot <= upto]

    async def founded(self) -> bool:
        return True

    async def transactions(self, seen: Sequence[Seen]) -> list[Transaction]:
        found: list[Transaction] = []
        for at in range(0, len(seen), AT_ONCE):
            found += [self._decoder.decode(self._raw[item.signature]) for item in seen[at : at + AT_ONCE]]
            await asyncio.sleep(0)  # as between the answers of a node
        return found


def measure() -> Figures:
    return asyncio.run(_measure())


async def _measure() -> Figures:
    repeated = Repeated(await record(ROUNDS))
    replayed, worked, rebuilt, waited = [], [], [], []
    with durable_server() as server:
        grown = await _grown(server, repeated)  # first: what was freed before would hide it
    with durable_server() as server:  # without the checkpoints of the one before
        history = repeated.history(TIMES)
        for _ in range(REPEATS):
            async with postgres.database(server) as dsn, _writer(dsn) as writer:
                pipeline = Pipeline(writer, PROGRAM.codec)
                checkpoint = await writer.start("bench", str(PROGRAM.id))
                ingest = Ingest(Stored(history), writer, pipeline, checkpoint)
                began, cpu = time.perf_counter(), _cpu(writer)
                count = await ingest.run_once()
                replayed.append(count / (time.perf_counter() - began))
                worked.append(count / (_cpu(writer) - cpu))
                async with _reading(dsn) as waits:
                    began = time.perf_counter()
                    assert await pipeline.rebuild() == count
                    rebuilt.append(count / (time.perf_counter() - began))
                waited.append(1_000 * max(waits))
        transactions = len(history.raw)
    note = f"{count:,} events in {transactions:,} transactions, PostgreSQL durable on the same machine"
    return {
        "indexer.replay": timed(
            "replay", replayed, "events/s", bound_by=COMPUTING, target=TARGET, higher=True, note=note
        ),
        "indexer.replay_per_cpu": timed(
            "replay", worked, "events per CPU second", bound_by=COMPUTING, higher=True, note=CPU_NOTE
        ),
        "indexer.rebuild": timed("replay", rebuilt, "events/s", bound_by=COMPUTING, higher=True, note=note),
        "indexer.swap_wait": timed("replay", waited, "ms", bound_by=(), target=MOST_WAIT, note=WAIT_NOTE),
        "indexer.replay_memory": grown,
    }


async def _grown(server: EmbeddedPostgres, repeated: Repeated) -> Figure:
    """MiB by which the indexer grows while it follows a chain, from a tenth of the events to all of them."""
    first = repeated.events[0]
    async with postgres.database(server) as dsn, _writer(dsn) as writer:
        source = Stored(History(repeated.raw(0), repeated.heads(1)))
        checkpoint = await writer.start("bench", str(PROGRAM.id))
        ingest = Ingest(source, writer, Pipeline(writer, PROGRAM.codec), checkpoint)
        count, number, sizes = await ingest.run_once(), 0, []
        assert count == first
        while count < LONG:
            number += 1
            source.go_on(repeated.raw(number), repeated.heads(number + 1))
            count += await ingest.run_once()
            if count >= LONG // 10:
                sizes.append(_resident())
    note = f"{count:,} events, {first:,} in a pass; {sizes[0]:.0f} MiB after a tenth of them, at most {max(sizes):.0f}"
    return timed("replay", [sizes[-1] - sizes[0]], "MiB", bound_by=(), target=MOST_GROWTH, note=note)


@asynccontextmanager
async def _reading(dsn: str) -> AsyncIterator[list[float]]:
    """Somebody else reads all the while; seconds that each reading took, at the end."""
    ends = threading.Event()
    waits: list[float] = []

    async def read() -> None:
        async with Reader.open(dsn, size=1) as reader:
            while not ends.is_set():
                began = time.perf_counter()
                async with reader.snapshot() as snapshot:
                    await snapshot.fetch("SELECT node FROM nodes LIMIT 1")
                waits.append(time.perf_counter() - began)

    thread = asyncio.create_task(asyncio.to_thread(asyncio.run, read()))
    try:
        yield waits
    finally:
        ends.set()
        await thread


def _resident() -> float:
    """MiB of memory that this process takes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@asynccontextmanager
async def _writer(dsn: str) -> AsyncIterator[Writer]:
    async with Writer.open(dsn) as writer:
        assert await writer.take_lock()
        yield writer


def _cpu(writer: Writer) -> float:
    """CPU seconds of this process and of the server process behind the writer's connection."""
    pid = writer._connection.get_server_pid()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

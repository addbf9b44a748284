"""How long the API's lists take over a million events, and how many times a second it tells the network's totals."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import asyncpg
import crowd
import msgspec
import postgres
from bench.database import durable_server
from bench.figures import Figures, percentile, timed
from bench.machine import COMPUTING
from ionet.listening import listen
from ionet.program import PROGRAM
from ionet_indexer.core.lists import Listing
from ionet_indexer.migrate import migrate
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.service import serve
from ionet_indexer.topics import LISTS

EVENTS, CONNECTIONS, PER_SECOND = 1_000_000, 32, 100
SECS_PER_ROUTE, TOTALS_SECS = 3, 5
MOST_MS, LEAST_TOTALS = 50, 1_000
READY_SECS = 60.0


class Connection:
    """HTTP/1.1 over one connection, kept open; costs the machine far less than what it measures."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))

    async def get(self, path: str, *more: str) -> bytes:
        """The body. more: further lines of the head. Raises AssertionError for any status but 200."""
        asked = "\r\n".join((f"GET {path} HTTP/1.1", "host: bench", *more))
        self._writer.write(f"{asked}\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), (path, head[:200])
        lines = head.lower().split(b"\r\n")
        length = next(line for line in lines if line.startswith(b"content-length:")).partition(b":")[2]
        return await self._reader.readexactly(int(length))

    def close(self) -> None:
        self._writer.close()


class Load:
    """Requests over a fixed number of connections."""

    def __init__(self, connections: list[Connection]) -> None:
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        self.size = len(connections)
        for connection in connections:
            self._free.put_nowait(connection)

    async def get(self, path: str) -> tuple[float, bytes]:
        """Milliseconds from when it was due until the whole answer was there, and the answer."""
        began = time.perf_counter()
        connection = await self._free.get()
        body = await connection.get(path)
        self._free.put_nowait(connection)
        return (time.perf_counter() - began) * 1_000, body

    async def paced(self, paths: Sequence[str], per_second: int, secs: float) -> list[float]:
        """Milliseconds of each request, sent at a steady pace however long answers take."""
        began, tasks = time.perf_counter(), []
        for number in range(int(per_second * secs)):
            await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            tasks.append(asyncio.create_task(self.get(paths[number % len(paths)])))
        return [took for took, _ in await asyncio.gather(*tasks)]

    async def flat_out(self, path: str, secs: float) -> float:
        """Answers a second when every connection asks again at once."""
        until, count = time.perf_counter() + secs, 0

        async def ask() -> None:
            nonlocal count
            while time.perf_counter() < until:
                await self.get(path)
                count += 1

        await asyncio.gather(*(ask() for _ in range(self.size)))
        return count / secs


def measure() -> Figures:
    slowest, totals = asyncio.run(_measure())
    route, worst = max(slowest.items(), key=lambda item: item[1])
    pace = f"{PER_SECOND} requests/s in all over {CONNECTIONS} connections"
    note = f"{EVENTS:,} events, {pace}, every filter of {len(slowest)} lists"
    each = list(slowest.values())
    return {
        "api.list_p99_worst": timed("api", [worst], "ms", bound_by=COMPUTING, target=MOST_MS, note=f"{route}; {note}"),
        "api.list_p99_median": timed("api", each, "ms", bound_by=COMPUTING, target=MOST_MS, note=note),
        "api.totals": timed(
            "api",
            [totals],
            "requests/s",
            bound_by=COMPUTING,
            target=LEAST_TOTALS,
            higher=True,
            note="/v1/network, nothing new meanwhile",
        ),
    }


async def _measure() -> tuple[dict[str, float], float]:
    with durable_server() as server:
        dsn = await filled(server, EVENTS)
        async with process("bench.api", dsn) as port, _load(port) as load:
            return await _lists(load), await load.flat_out("/v1/network", TOTALS_SECS)


async def filled(server: EmbeddedPostgres, events: int, begun: int = crowd.START, prepare: str | None = None) -> str:
    """DSN of a database as `crowd` fills it. prepare: SQL that is run at the end."""
    dsn = await postgres.create(server, "bench")
    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection)
        await crowd.fill(dsn, events, begun)
        if prepare:
            await connection.execute(prepare)
        await connection.execute("CHECKPOINT")  # else the first lists pay for the filling
    finally:
        await connection.close()
    return dsn


@asynccontextmanager
async def process(module: str, asked: str) -> AsyncIterator[int]:
    """A server of its own, as `python -m module asked FD`; its port, which answers once the server is there."""
    with listen("127.0.0.1", 0, "--port") as listener:
        command = [sys.executable, "-m", module, asked, str(listener.fileno())]
        running = await asyncio.create_subprocess_exec(*command, pass_fds=(listener.fileno(),))
        try:
            yield listener.getsockname()[1]
        finally:
            running.terminate()
            await running.wait()


@asynccontextmanager
async def _load(port: int) -> AsyncIterator[Load]:
    async with asyncio.timeout(READY_SECS):
        connections = [await Connection.open(port) for _ in range(CONNECTIONS)]
        for connection in connections:
            await connection.get("/v1/network")  # waits on the socket until the API is there
    try:
        yield Load(connections)
    finally:
        for connection in connections:
            connection.close()


async def _lists(load: Load) -> dict[str, float]:
    """The 99th percentile of each list, milliseconds."""
    found = {}
    await load.paced([f"/v1{LISTS[0].route}"], PER_SECOND, 1)  # opens the API's connections to the database
    for listing in LISTS:
        paths = [path async for path in _paths(load, listing)]
        found[listing.route] = percentile(await load.paced(paths, PER_SECOND, SECS_PER_ROUTE), 99)
    return found


async def _paths(load: Load, listing: Listing) -> AsyncIterator[str]:
    """A list by itself and with each value of each filter, each with its next page."""
    asked: list[dict[str, Any]] = [{}]
    asked += [{name: value} for name in listing.filters for value in crowd.values_of(listing, name, EVENTS)]
    for filters in asked:
        words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in filters.items()}
        path = f"/v1{listing.route}?{urlencode(words)}"
        yield path
        _, body = await load.get(path)
        if (following := msgspec.json.decode(body)["next"]) is not None:
            yield f"/v1{listing.route}?{urlencode({**words, 'cursor': following})}"


if __name__ == "__main__":
    import socket

    asyncio.run(serve(sys.argv[1], PROGRAM.codec, socket.socket(fileno=int(sys.argv[2])), rate=1e6, burst=10**6))

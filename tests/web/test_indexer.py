"""How the pages ask: again where a kept connection was closed, and not again for what was asked a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from ionet_web.indexer import Indexer, Unavailable


class Counted:
    """An indexer that closes every connection after a number of answers, without a word."""

    def __init__(self, answers: int) -> None:
        self.answers, self.asked = answers, 0
        self.serving: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.ensure_future(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for left in range(self.answers, -1, -1):
            while line := (await reader.readline()).strip():
                if line.startswith(b"GET"):
                    self.asked += 1
            if left and not reader.at_eof():
                writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"slot":1}')
                await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def asking(answers: int) -> AsyncIterator[tuple[Counted, Indexer]]:
    counted = Counted(answers)
    async with await asyncio.start_server(counted.accept, "127.0.0.1", 0) as server:
        async with Indexer.at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as indexer:
            yield counted, indexer
        await asyncio.gather(*counted.serving)


async def test_a_kept_connection_that_was_closed_is_no_failure() -> None:
    async with asking(1) as (counted, indexer):
        assert (await indexer.get("nodes"))["slot"] == 1
        assert (await indexer.get("leases"))["slot"] == 1
        assert counted.asked == 3  # the second was asked twice


async def test_who_never_answers_is_away() -> None:
    async with asking(0) as (counted, indexer):
        with pytest.raises(Unavailable):
            await indexer.get("nodes")
        assert counted.asked == 2


async def test_what_was_asked_a_moment_ago_is_not_asked_again() -> None:
    async with asking(9) as (counted, indexer):
        await asyncio.gather(*(indexer.get("nodes", limit=1) for _ in range(5)))
        await indexer.slow("nodes", "x", "reputation")
        await indexer.slow("nodes", "x", "reputation")
        assert counted.asked == 2

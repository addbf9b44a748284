"""When things become visible to somebody outside: transactions on the node's websocket, rows in the database."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from ionet.program import PROGRAM
from websockets.asyncio.client import ClientConnection, connect


class Watch:
    """Notes when each transaction of the program was shown as confirmed. Moments in unix seconds."""

    def __init__(self) -> None:
        self._confirmed: dict[str, float] = {}
        self._news = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, ws_url: str) -> AsyncIterator[Watch]:
        watch = cls()
        async with connect(ws_url) as socket:
            mentions = [{"mentions": [str(PROGRAM.id)]}, {"commitment": "confirmed"}]
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "logsSubscribe", "params": mentions}))
            await socket.recv()
            task = asyncio.create_task(watch._read(socket))
            yield watch
            task.cancel()

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            at = time.time()
            found = json.loads(message)["params"]["result"]["value"]["signature"]
            self._confirmed.setdefault(found, at)
            self._news.set()

    async def confirmed(self, signature: str) -> float:
        """When this transaction was first shown as confirmed."""
        async with asyncio.timeout(30):
            while signature not in self._confirmed:
                self._news.clear()
                await self._news.wait()
        return self._confirmed[signature]


class Tables:
    """Notes when the indexer's tables reached each slot."""

    def __init__(self) -> None:
        self._reached: list[tuple[int, float]] = []
        self._news = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> AsyncIterator[Tables]:
        tables = cls()
        connection = await asyncpg.connect(dsn)
        try:
            await connection.add_listener("ionet_events", tables._heard)
            yield tables
        finally:
            await connection.close()

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._reached.append((int(str(payload)), time.time()))
        self._news.set()

    async def reached(self, slot: int) -> float:
        """When everything up to this slot was in the tables."""
        async with asyncio.timeout(30):
            while not self._reached or self._reached[-1][0] < slot:
                self._news.clear()
                await self._news.wait()
        return next(at for reached, at in self._reached if reached >= slot)

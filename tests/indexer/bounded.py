"""A reader that counts what its queries read, so that tests can bound the work of a request instead of its time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from ionet_indexer.core.reader import Reader, Snapshot


class CountingReader:
    """Hands out snapshots like a Reader; `buffers` and `rows` add up over every query since they were last reset."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.buffers = 0  # pages of 8 KiB, from memory or disk
        self.rows = 0  # that a table or an index gave, those that a filter removed among them

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        async with self._reader.snapshot() as snapshot:
            yield _Counting(snapshot, self)

    def reset(self) -> None:
        self.buffers = self.rows = 0

    def count(self, plan: dict[str, Any]) -> None:
        self.buffers += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        self._count_rows(plan)

    def _count_rows(self, plan: dict[str, Any]) -> None:
        if "Relation Name" in plan:
            self.rows += round((plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"])
        for part in plan.get("Plans", []):
            self._count_rows(part)


class _Counting(Snapshot):
    def __init__(self, inner: Snapshot, counts: CountingReader) -> None:
        super().__init__(inner._connection, inner.state)
        self._counts = counts

    async def _explain(self, sql: str, arguments: Sequence[Any]) -> None:
        text = await self._connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) {sql}", *arguments)
        self._counts.count(msgspec.json.decode(text)[0]["Plan"])

    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Any]:
        await self._explain(sql, arguments)
        return await super().fetch(sql, *arguments)

    async def one(self, sql: str, *arguments: Any) -> Any | None:
        await self._explain(sql, arguments)
        return await super().one(sql, *arguments)

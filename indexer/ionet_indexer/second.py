"""The derived tables a second time: filled in another schema while readers go on, then put in the others' place.

The catalog says how a table is made: its columns, keys, indexes, triggers and grants, and the views over it. Functions
stay where they are and find the tables by the search path. So a migration has nothing to do for it.

A reader sees one state of the rows, but always the newest names of tables. So readers hold the table `generation` while
they answer, and tables change places only while nobody does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

import asyncpg

from ionet_indexer import migrate
from ionet_indexer.core import queries
from ionet_indexer.core.connection import SWAP_LOCK, StoreError

log = logging.getLogger(__name__)
SQL = queries.load("second.sql")
READER_WAIT_MS = 20
"""Most milliseconds that readers are kept waiting by an attempt to swap before it gives way."""
PATIENCE_SECS = 60.0
"""For this long readers are waited for in this way. From then on the older ones are ended, and attempts get longer."""
LAST_WAIT_MS = 5_000
_FIRST_PAUSE, _LAST_PAUSE = 0.05, 1.0  # seconds between two attempts, doubled each time
_PARAMETERS = "parameters"  # not derived, but triggers count by them: both generations have them


class NotSwappable(StoreError):
    """the tables cannot be made a second time"""


class Second:
    """The second schema, over the writer's connection. One at a time: whoever uses it is the writer."""

    def __init__(self, connection: asyncpg.Connection, tables: Sequence[str]) -> None:
        self._connection = connection
        self._names = [*tables, _PARAMETERS]
        self._parts: list[asyncpg.Record] = []
        self._home = ""  # the schema of the first
        self._version: str | None = None
        self._told: set[str] = set()  # roles of which the log has said that they hold up the swap

    async def discard(self) -> None:
        """Throw away what a swap left, or a writer that was killed."""
        if await self._connection.fetchval(SQL["is_left"]):
            await self._connection.execute(SQL["end"])

    async def begin(self) -> None:
        """Make the tables, empty. Raises NotSwappable."""
        connection = self._connection
        async with connection.transaction():
            self._home = await connection.fetchval(SQL["home"])
            self._version = await connection.fetchval(SQL["version"])
            self._parts = await connection.fetch(SQL["parts"], self._names)
            oids = [part["oid"] for part in self._parts]
            if strangers := await connection.fetch(SQL["strangers"], oids):
                raise NotSwappable(f"{', '.join(row['name'] for row in strangers)} would go on with the old ones")
            statements = await connection.fetch(SQL["statements"], oids)
            await connection.execute(SQL["begin"])
            await connection.execute(SQL["use"])
            await connection.execute(";\n".join(row["statement"] for row in statements))
            await connection.execute("SET LOCAL search_path = DEFAULT")

    async def use(self) -> None:
        """Up to the end of the transaction, names mean the second tables."""
        await self._connection.execute(SQL["use"])

    async def analyze(self) -> None:
        """Tell the planner what is in them."""
        await self._connection.execute(f"ANALYZE {', '.join(self._tables('ionet_next'))}")

    async def keep_parameters(self) -> None:
        """Nobody writes parameters, or which nodes are online, up to the end of the transaction."""
        await self._connection.execute(SQL["keep_parameters"])

    async def load_parameters(self) -> None:
        """Count by the parameters as they are."""
        await self._connection.execute(SQL["parameters"].format(home=self._home))

    async def swap(self) -> None:
        """Put them in the place of the others and commit: the end of a transaction, in which parameters were kept.

        No reader waits longer than READER_WAIT_MS for those before it, and then for the renaming of the tables, unless
        PATIENCE_SECS were not enough. No export begins meanwhile, so this ends. Raises NotSwappable when the schema
        was changed since the beginning.
        """
        connection = self._connection
        await connection.execute(SQL["keep_migrations"], migrate.LOCK)
        if await connection.fetchval(SQL["version"]) != self._version:
            raise NotSwappable("a migration was applied meanwhile")
        await self.load_parameters()
        # Nodes came and went online since the rows were made; from here on nobody says so.
        await self.use()
        await connection.execute(SQL["count_offers"])
        await connection.execute(SQL["swapped"])
        # ANALYZE by the server itself may be at work on the new ones; nobody else waits for them.
        await connection.execute(f"LOCK TABLE {', '.join(self._tables('ionet_next'))} IN ACCESS EXCLUSIVE MODE")
        await connection.execute(SQL["waits"], SWAP_LOCK)
        wait, pause, attempts, began = READER_WAIT_MS, _FIRST_PAUSE, 0, time.monotonic()
        while True:
            try:
                await connection.execute(self._work(wait))
            except asyncpg.LockNotAvailableError:
                await connection.execute("ROLLBACK TO swap")
            else:
                return
            attempts += 1
            if attempts % 30 == 0:
                log.info("the new tables wait for readers to finish", extra={"action": "swap_waits"})
            if time.monotonic() - began >= PATIENCE_SECS:
                await self._end_readers()
                wait = min(2 * wait, LAST_WAIT_MS)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)

    async def _end_readers(self) -> None:
        """Those that are there since the swap began to wait, or longer; whoever else comes is there for seconds."""
        oids = [part["oid"] for part in self._parts]
        for each in await self._connection.fetch(SQL["end_readers"], oids, PATIENCE_SECS):
            what = f"a reader (role {each['role']}) holds up the new tables"
            if each["ended"]:
                log.warning("%s for %d s: it was ended", what, each["secs"], extra={"action": "swap_ends_reader"})
            elif each["role"] not in self._told:
                self._told.add(each["role"])
                log.warning("%s, and may not be ended from here", what, extra={"action": "swap_held_up"})

    def _work(self, wait: int) -> str:
        """Locks, renaming and commit as one message to the server: readers wait for nothing on the way to it.

        wait: milliseconds. Whose transaction it is commits once more, of which the server says that there is nothing to
        commit.
        """
        last = [f"ALTER {kind} {self._home}.{name} SET SCHEMA ionet_last" for kind, name in self._named()]
        next_ = [f"ALTER {kind} ionet_next.{name} SET SCHEMA {self._home}" for kind, name in self._named()]
        return ";\n".join(
            (
                # What is lost with the server before it is on disk is the swap as a whole.
                "SAVEPOINT swap",
                "SET LOCAL synchronous_commit = off",
                f"SET LOCAL lock_timeout = {wait}",
                "LOCK TABLE generation IN ACCESS EXCLUSIVE MODE",
                f"SET LOCAL lock_timeout = {wait // 2}",
                f"LOCK TABLE {', '.join(self._tables(self._home))} IN ACCESS EXCLUSIVE MODE",
                *last,
                *next_,
                "COMMIT",
            )
        )

    def _named(self) -> list[tuple[str, str]]:
        return [("FUNCTION" if "(" in part["name"] else "TABLE", part["name"]) for part in self._parts]

    def _tables(self, schema: str) -> list[str]:
        return [f"{schema}.{part['name']}" for part in self._parts if part["is_table"]]

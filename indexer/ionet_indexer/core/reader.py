"""Read access for the API: a pool, and snapshots that know the slot they are true at."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import asyncpg
from ionet import resolve

from ionet_indexer.core import queries, rows
from ionet_indexer.core.connection import NoDatabase
from ionet_indexer.core.refusals import ApiError, BadValue, NotFound

S = TypeVar("S", bound=rows.State)
SQL = queries.load("api.sql")
# A plan for any value may scan what the plan for this value finds by an index. What a request reads is in memory.
SETTINGS = {"plan_cache_mode": "force_custom_plan", "random_page_cost": "1.1", "jit": "off"}


class State(NamedTuple):
    """What a state of the database is known by: newest event, newest undo, and a count of other changes.

    `slot` and `finalized_slot` are −1 before the first event was read.
    """

    slot: int
    finalized_slot: int
    position: int
    undo: int
    changes: int

    @property
    def version(self) -> tuple[int, int, int]:
        """Differs between two states whose rows differ; slots pass without changing any."""
        return self.position, self.undo, self.changes


class UnknownModel(NotFound):
    """No device model is called so. `Reader` looks for those that are spelled like it once the connection is free.

    names: by code.
    """

    def __init__(self, model: str, names: Mapping[int, str], slot: int) -> None:
        super().__init__(f"device model {model} is not known at slot {slot}")
        self._model, self._names, self._filter = model, names, ""

    def in_filter(self, name: str) -> UnknownModel:
        """The same, as what a parameter of this name has."""
        self._filter = name
        return self

    def told(self) -> ApiError:
        """NotFound, or BadValue of a filter, which names those that are spelled like it."""
        like = resolve.models_like(self._model, self._names)
        if _is_number(self._model):
            like = [name for name in like if _has(self._model, name)]
        hint = f"; like it: {', '.join(like)}" if like else ""
        detail = self.detail + hint
        return BadValue(f"{self._filter}: {detail}") if self._filter else NotFound(detail)


def _is_number(model: str) -> bool:
    return model.isascii() and model.isdecimal()


def _has(number: str, name: str) -> bool:
    return number in re.findall("[0-9]+", name)


class Snapshot:
    """One consistent state of the database. `slot` is −1 before the first event was read."""

    def __init__(self, connection: asyncpg.Connection, state: State) -> None:
        self._connection = connection
        self.state = state
        self.slot = state.slot
        self.finalized_slot = state.finalized_slot

    async def fetch(self, sql: str, *arguments: Any) -> Sequence[Any]:
        """Rows of a query; `numeric` columns come as decimal strings."""
        found: Sequence[Any] = await self._connection.fetch(sql, *arguments)
        return found

    async def rows(self, kind: type[S], condition: str) -> list[S]:
        """Rows of a table of states under a fixed SQL condition."""
        names = ", ".join(rows.columns(kind))
        sql = f"SELECT json_agg(r)::text AS all FROM (SELECT {names} FROM {kind.table} WHERE {condition}) r"
        found = await self._connection.fetchval(sql)
        return rows.decode(kind, found)

    async def code_of(self, model: str) -> int:
        """The code of a device model, by its code or by what people call it: `36`, `H100`, `rtx4090`, `4090`.

        A number that names nothing is taken for a code that is not known yet. Raises UnknownModel.
        """
        names = {row["code"]: row["name"] for row in await self.fetch(SQL["model_names"])}
        if (code := resolve.exact_model(model, names)) is not None:
            return code
        if _is_number(model) and int(model) < 1 << 16 and not any(_has(model, name) for name in names.values()):
            return int(model)
        raise UnknownModel(model, names, self.slot)

    async def one(self, sql: str, *arguments: Any) -> Any | None:
        """First row of a query, None when there is none."""
        return await self._connection.fetchrow(sql, *arguments)


class Reader:
    """A pool of connections. Several processes may have one each, on replicas too (but leaves need the primary)."""

    def __init__(self, pool: asyncpg.Pool, dsn: str) -> None:
        self._pool = pool
        self._dsn = dsn
        self._reading: asyncio.Task[State] | None = None
        self._following: asyncio.Task[State] | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, *, size: int = 8) -> AsyncIterator[Reader]:
        """Connect. Raises NoDatabase when the server does not answer."""
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=size,
                init=_prepare,
                reset=_nothing,
                command_timeout=15,
                server_settings=SETTINGS,
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NoDatabase(str(error)) from error
        try:
            yield cls(pool, dsn)
        finally:
            await pool.close()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Everything read inside belongs to one state of the database. What is computed has its place after it.

        Where UnknownModel is raised inside, raises NotFound or BadValue.
        """
        try:
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                await connection.execute(SQL["hold"])  # before the first query fixes the state
                yield Snapshot(connection, _state(await connection.fetchrow(SQL["state"])))
        except UnknownModel as error:
            raise error.told() from None

    async def state(self) -> State:
        """What the database is at now. All who ask while it is read share the reading after that, on one connection."""
        if self._following is None:
            self._following = asyncio.create_task(self._read_after(self._reading))
            self._following.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._following)

    async def _read_after(self, before: asyncio.Task[State] | None) -> State:
        if before is not None:
            await asyncio.wait([before])
        # From here on it may be older than a question.
        self._reading, self._following = self._following, None
        return _state(await self._pool.fetchrow(SQL["state"]))

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[asyncpg.Connection]:
        """One transaction that may write; for uploaded leaves only."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection

    async def listen(self, channel: str) -> AsyncIterator[None]:
        """Yields once at the start and then after every notification; ends when the connection does."""
        connection = await asyncpg.connect(self._dsn)
        heard = asyncio.Event()
        heard.set()
        connection.add_termination_listener(lambda _: heard.set())
        try:
            await connection.add_listener(channel, lambda *_: heard.set())
            while not connection.is_closed():
                await heard.wait()
                heard.clear()
                yield
        finally:
            await connection.close(timeout=5)


def _state(row: Any) -> State:
    slot, finalized = row["indexed_slot"], row["finalized_slot"]
    known = slot is not None
    return State(slot if known else -1, finalized if known else -1, row["position"], row["undo"], row["changes"])


async def _nothing(_: asyncpg.Connection) -> None:
    """Every use of a connection ends its own transaction and sets nothing beyond it."""


async def _prepare(connection: asyncpg.Connection) -> None:
    # Amounts leave the API as decimal strings, so they never become floats or lose digits on the way.
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=str, format="text")
    await connection.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=str, format="text")

"""The only file of the launcher that talks to PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from importlib.resources import files

import asyncpg
import msgspec
from ionet.sql import blocks

from ionet_launcher.phases import ClusterPhase, Reason

CHANNEL = "lease_work"
_LOCK = 0x10E7_1001  # arbitrary, and none of the indexer's
_SQL = blocks("ionet_launcher", "store.sql")


class Row(msgspec.Struct, frozen=True):
    """A cluster that is due. `age`: seconds since it entered its phase."""

    cluster: str
    phase: ClusterPhase
    reason: Reason
    age: float


class Move(msgspec.Struct, frozen=True):
    """What a step decided: the phase, why, and after how many seconds to look again."""

    phase: ClusterPhase
    again_secs: float = 0.0
    reason: Reason = Reason.NONE
    detail: str = ""


class Overview(msgspec.Struct, frozen=True):
    """One cluster as `ionet launcher status` shows it."""

    cluster: str
    phase: str
    reason: str
    detail: str
    live: int
    members: int
    entered_at: datetime
    decided_at: datetime | None
    joined_at: datetime | None
    running_at: datetime | None


class Work:
    """One cluster, held by this process until the block that took it ends.

    live: leases whose node has to be up, once the step has read them from the chain.
    """

    def __init__(self, connection: asyncpg.Connection, launcher: str, row: Row) -> None:
        self._connection, self._launcher, self.row = connection, launcher, row
        self.live: int | None = None

    async def leases(self) -> list[str]:
        """Addresses of the cluster's leases that are not closed, as the indexer has them."""
        rows = await self._connection.fetch(_SQL["leases"], self.row.cluster)
        return [row["lease"] for row in rows]

    async def leaf_zeros(self, leases: Sequence[str]) -> dict[str, dict[int, set[bytes]]]:
        """lease → interval → result hashes that agents published as its leaf 0, under roots that the chain holds."""
        rows = await self._connection.fetch(_SQL["leaf_zeros"], leases)
        found: dict[str, dict[int, set[bytes]]] = {}
        for row in rows:
            found.setdefault(row["lease"], {}).setdefault(row["interval"], set()).add(bytes(row["result_hash"]))
        return found

    async def members(self) -> dict[str, str]:
        """lease → node of the members that were asked to start."""
        rows = await self._connection.fetch(_SQL["members"], self._launcher, self.row.cluster)
        return {row["lease"]: row["node"] for row in rows}

    async def add_members(self, nodes: Mapping[str, str]) -> None:
        """Note that these members (lease → node) are asked to start."""
        names, addresses = list(nodes.keys()), list(nodes.values())
        await self._connection.execute(_SQL["add_members"], self._launcher, self.row.cluster, names, addresses)

    async def remove_members(self, leases: Sequence[str]) -> None:
        """Forget members that are known to have stopped."""
        await self._connection.execute(_SQL["remove_members"], self._launcher, leases)

    async def move(self, to: Move) -> None:
        """Record what the step decided, and for how many live leases."""
        decision = (to.phase, to.reason, to.detail[:500], to.again_secs)
        await self._connection.execute(_SQL["move"], self._launcher, self.row.cluster, *decision, self.live)


class Store:
    """The launcher's tables, and lease_work read only. `launcher` is the session key it acts with."""

    def __init__(self, pool: asyncpg.Pool, launcher: str) -> None:
        self._pool, self._launcher = pool, launcher

    async def plan(self) -> int:
        """Take up clusters that are new or changed in lease_work. Returns how many."""
        return int((await self._pool.execute(_SQL["plan"], self._launcher)).split()[-1])

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[Work | None]:
        """Hold the cluster that waits longest, None when none is due. A process that dies lets go of it.

        What the block writes is committed when it ends, rolled back when it raises.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_SQL["take"], self._launcher)
            if row is None:
                yield None
            else:
                held = Row(row["cluster"], ClusterPhase(row["phase"]), Reason(row["reason"]), row["age"])
                yield Work(connection, self._launcher, held)

    async def overview(self) -> list[Overview]:
        rows = await self._pool.fetch(_SQL["overview"], self._launcher)
        return [Overview(**dict(row)) for row in rows]

    @contextlib.asynccontextmanager
    async def listening(self, wake: Callable[[], None], lost: Callable[[], None]) -> AsyncIterator[None]:
        """Within the block every change of lease_work calls `wake`; `lost` is called if the connection ends."""
        async with self._pool.acquire() as connection:
            connection.add_termination_listener(lambda _: lost())

            def notified(*_: object) -> None:
                wake()

            await connection.add_listener(CHANNEL, notified)
            try:
                yield
            finally:
                with contextlib.suppress(asyncpg.InterfaceError):  # the connection is gone
                    await connection.remove_listener(CHANNEL, notified)


async def migrate(connection: asyncpg.Connection) -> None:
    """Create or update the launcher's schema. Safe from several processes at once."""
    folder = files("ionet_launcher") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    async with connection.transaction():
        await connection.execute(_SQL["lock"], _LOCK)
        await connection.execute(_SQL["schema"])
        done = {row["name"] for row in await connection.fetch(_SQL["migrations"])}
        for name in names:
            if name not in done:
                await connection.execute((folder / name).read_text())
                await connection.execute(_SQL["migrated"], name)

"""The only file of the launcher that talks to PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from importlib.resources import files

import asyncpg
import msgspec

from ionet_launcher.phases import ClusterPhase, Reason

CHANNEL = "lease_work"
_LOCK = 0x10E7_1001  # arbitrary, and none of the indexer's
_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS launcher;
CREATE TABLE IF NOT EXISTS launcher.migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())
"""
_LIVE = "'booked', 'ready', 'active'"

# Clusters with live leases that are new, changed, or booked again after they stopped; all others stay as they are.
_PLAN = f"""
WITH work AS (
    SELECT cluster, max(slot) AS seen, coalesce(max(slot) FILTER (WHERE status = 'booked'), 0) AS booked,
        bool_or(status IN ({_LIVE})) AS live
    FROM lease_work GROUP BY cluster
)
INSERT INTO launcher.cluster AS c (launcher, cluster, seen_slot, booked_slot)
SELECT $1, cluster, seen, booked FROM work
WHERE live OR EXISTS (
    SELECT 1 FROM launcher.cluster k WHERE k.launcher = $1 AND k.cluster = work.cluster AND k.seen_slot < work.seen
)
ON CONFLICT (launcher, cluster) DO UPDATE SET
    seen_slot = excluded.seen_slot,
    booked_slot = excluded.booked_slot,
    next_at = now(),
    phase = CASE WHEN c.phase IN ('stopped', 'failed') THEN 'planned' ELSE c.phase END,
    entered_at = CASE WHEN c.phase IN ('stopped', 'failed') THEN now() ELSE c.entered_at END,
    planned_at = CASE WHEN c.phase IN ('stopped', 'failed') THEN now() ELSE c.planned_at END,
    joined_at = CASE WHEN c.phase NOT IN ('stopped', 'failed') THEN c.joined_at END,
    running_at = CASE WHEN c.phase NOT IN ('stopped', 'failed') THEN c.running_at END
WHERE CASE WHEN c.phase IN ('stopped', 'failed') THEN c.booked_slot < excluded.booked_slot
    ELSE c.seen_slot < excluded.seen_slot END
"""
_TAKE = """
SELECT cluster, phase, reason, extract(epoch FROM now() - entered_at)::float8 AS age FROM launcher.cluster
WHERE launcher = $1 AND phase NOT IN ('stopped', 'failed') AND next_at <= now()
ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_MOVE = """
UPDATE launcher.cluster SET
    phase = $3, reason = $4, detail = $5, next_at = now() + make_interval(secs => $6),
    live = coalesce($7, live),
    entered_at = CASE WHEN phase = $3 THEN entered_at ELSE now() END,
    decided_at = CASE WHEN $3 = 'starting' AND phase = 'planned' THEN now() ELSE decided_at END,
    joined_at = CASE WHEN $3 IN ('ready', 'running') AND joined_at IS NULL THEN now() ELSE joined_at END,
    running_at = CASE WHEN $3 = 'running' AND running_at IS NULL THEN now() ELSE running_at END
WHERE launcher = $1 AND cluster = $2
"""


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
        rows = await self._connection.fetch(
            "SELECT lease FROM lease_work WHERE cluster = $1 AND status <> 'closed' ORDER BY lease", self.row.cluster
        )
        return [row["lease"] for row in rows]

    async def leaf_zeros(self, leases: Sequence[str]) -> dict[str, dict[int, set[bytes]]]:
        """lease → interval → result hashes that agents published as its leaf 0, under roots that the chain holds."""
        rows = await self._connection.fetch(
            "SELECT lease, interval, result_hash FROM leaves WHERE lease = ANY($1) AND index = 0", leases
        )
        found: dict[str, dict[int, set[bytes]]] = {}
        for row in rows:
            found.setdefault(row["lease"], {}).setdefault(row["interval"], set()).add(bytes(row["result_hash"]))
        return found

    async def members(self) -> dict[str, str]:
        """lease → node of the members that were asked to start."""
        rows = await self._connection.fetch(
            "SELECT lease, node FROM launcher.member WHERE launcher = $1 AND cluster = $2",
            self._launcher,
            self.row.cluster,
        )
        return {row["lease"]: row["node"] for row in rows}

    async def add_members(self, nodes: Mapping[str, str]) -> None:
        """Note that these members (lease → node) are asked to start."""
        await self._connection.execute(
            "INSERT INTO launcher.member (launcher, cluster, lease, node)"
            " SELECT $1, $2, lease, node FROM unnest($3::text[], $4::text[]) AS m (lease, node) ON CONFLICT DO NOTHING",
            self._launcher,
            self.row.cluster,
            list(nodes.keys()),
            list(nodes.values()),
        )

    async def remove_members(self, leases: Sequence[str]) -> None:
        """Forget members that are known to have stopped."""
        await self._connection.execute(
            "DELETE FROM launcher.member WHERE launcher = $1 AND lease = ANY($2)", self._launcher, leases
        )

    async def move(self, to: Move) -> None:
        """Record what the step decided, and for how many live leases."""
        await self._connection.execute(
            _MOVE, self._launcher, self.row.cluster, to.phase, to.reason, to.detail[:500], to.again_secs, self.live
        )


class Store:
    """The launcher's tables, and lease_work read only. `launcher` is the session key it acts with."""

    def __init__(self, pool: asyncpg.Pool, launcher: str) -> None:
        self._pool, self._launcher = pool, launcher

    async def plan(self) -> int:
        """Take up clusters that are new or changed in lease_work. Returns how many."""
        return int((await self._pool.execute(_PLAN, self._launcher)).split()[-1])

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[Work | None]:
        """Hold the cluster that waits longest, None when none is due. A process that dies lets go of it.

        What the block writes is committed when it ends, rolled back when it raises.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_TAKE, self._launcher)
            if row is None:
                yield None
            else:
                held = Row(row["cluster"], ClusterPhase(row["phase"]), Reason(row["reason"]), row["age"])
                yield Work(connection, self._launcher, held)

    async def overview(self) -> list[Overview]:
        rows = await self._pool.fetch(
            "SELECT cluster, phase, reason, detail, live, entered_at, decided_at, joined_at, running_at,"
            " (SELECT count(*) FROM launcher.member m WHERE (m.launcher, m.cluster) = (c.launcher, c.cluster))"
            " AS members FROM launcher.cluster c WHERE launcher = $1 ORDER BY planned_at",
            self._launcher,
        )
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
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_SCHEMA)
        done = {row["name"] for row in await connection.fetch("SELECT name FROM launcher.migration")}
        for name in names:
            if name not in done:
                await connection.execute((folder / name).read_text())
                await connection.execute("INSERT INTO launcher.migration (name) VALUES ($1)", name)

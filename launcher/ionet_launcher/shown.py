"""What everybody may read of what a launcher noted: from its tables, or from whatever else it keeps."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

import asyncpg
import msgspec
from ionet.agent_errors import one_line
from ionet.launcher_api import (
    MEMBERS_AT_ONCE,
    MOVES_KEPT,
    Check,
    ClusterStatus,
    Event,
    Launcher,
    Member,
    Successor,
    Trouble,
)
from ionet.sql import blocks

from ionet_launcher.inspection import Finding
from ionet_launcher.phases import DRAIN_SECS, Reason

QUERY_SECS = 5.0
GONE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
# What may name an address with a password or a key in it. Whoever runs the launcher has it in the log.
_PRIVATE = (Reason.CHAIN_UNREACHABLE, Reason.INTERNAL_ERROR)
_SQL = blocks("ionet_launcher", "api.sql")


class Shown(Protocol):
    """What the API answers with. Whoever keeps it elsewhere than here raises one of `GONE` when it cannot be had."""

    async def launcher(self) -> Launcher:
        """Who it is; that it says whatever else cannot be had."""

    async def cluster(self, cluster: str, after: str) -> ClusterStatus | None:
        """The cluster with the members behind this lease; None where it is not known."""

    async def events(self, cluster: str) -> list[Event]:
        """The last moves, the newest first; none where it is not known."""


class Tables:
    """From the tables of the launcher with this session key."""

    def __init__(self, pool: asyncpg.Pool, launcher: str) -> None:
        self._pool, self._launcher = pool, launcher

    async def launcher(self) -> Launcher:
        row = None
        with contextlib.suppress(*GONE, TimeoutError):
            async with self._snapshot() as connection:
                row = await connection.fetchrow(_SQL["launcher"], self._launcher)
        if row is None:
            return Launcher(self._launcher)
        lamports = None if row["lamports"] is None else int(row["lamports"])
        return Launcher(self._launcher, lamports, row["warning"], row["body"], row["signature"])

    async def cluster(self, cluster: str, after: str) -> ClusterStatus | None:
        async with self._snapshot() as connection:
            row = await connection.fetchrow(_SQL["cluster"], self._launcher, cluster, int(DRAIN_SECS))
            if row is None:
                return None
            rows = await connection.fetch(_SQL["members"], self._launcher, cluster, after, MEMBERS_AT_ONCE + 1)
        members = [_member(row) for row in rows[:MEMBERS_AT_ONCE]]
        more = members[-1].lease if len(rows) > MEMBERS_AT_ONCE else None
        fields = {**row, "detail": public(row["reason"], row["detail"])}
        return ClusterStatus(session_key=self._launcher, members=members, next=more, **fields)

    async def events(self, cluster: str) -> list[Event]:
        async with self._snapshot() as connection:
            rows = await connection.fetch(_SQL["moves"], self._launcher, cluster, MOVES_KEPT)
        return [Event(**{**row, "detail": public(row["reason"], row["detail"])}) for row in rows]

    @contextlib.asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[asyncpg.Connection]:
        async with (
            self._pool.acquire(timeout=QUERY_SECS) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection


def _member(row: asyncpg.Record) -> Member:
    trouble = replaced = None
    if row["trouble"] is not None:
        trouble = Trouble(row["trouble"], public(row["trouble"], row["detail"]), row["since"])
    if row["next_lease"]:
        replaced = Successor(row["next_node"], row["next_lease"], row["arrived"])
    names = ("lease", "node", "role", "status", "until", "phase", "asked_at")
    check = check_of(row["finding"], row["problem"])
    return Member(**{name: row[name] for name in names}, trouble=trouble, check=check, replaced_by=replaced)


def check_of(finding: str | None, problem: str | None) -> Check | None:
    """Devices by their names alone: who owns a node need not tell the world which cards they have."""
    if finding is None:
        return None if problem is None else Check(problem)
    try:
        found = msgspec.json.decode(finding, type=Finding)
    except msgspec.DecodeError:  # of an older launcher
        return Check(problem)
    return Check(
        problem,
        found.backend,
        [one_line(device.name) for device in found.devices],
        found.fill_secs,
        found.read_secs,
        found.bytes_per_sec,
        found.timed,
    )


def public(reason: str, detail: str) -> str:
    """What everybody may know of a reason."""
    return "see the launcher's log" if detail and reason in _PRIVATE else detail

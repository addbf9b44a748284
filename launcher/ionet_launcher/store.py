"""What the launcher keeps in PostgreSQL; only its API reads it beside this."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib.resources import files

import asyncpg
import msgspec
from ionet.launcher_advert import Signed
from ionet.sql import blocks

from ionet_launcher.keeping import Booked, Move, Overview, Replacement, Row
from ionet_launcher.phases import Reason

CHANNEL = "lease_work"
_CONNECT_SECS = 10.0
CLAIM_SECS = 5.0
"""How long a cluster is a process's own without its saying so again."""
_LOCK = 0x10E7_1001  # arbitrary, and none of the indexer's
_SQL = blocks("ionet_launcher", "store.sql")


class Work:
    """One cluster, claimed by this process until it moves, is released, or is not renewed for CLAIM_SECS.

    No connection is held meanwhile. live: leases whose node has to be up, once the step has read them from the chain.
    """

    def __init__(self, pool: asyncpg.Pool, launcher: str, process: str, row: Row) -> None:
        self._pool, self._launcher, self._process, self.row = pool, launcher, process, row
        self.live: int | None = None

    async def leaf_zeros(self, leases: Sequence[str]) -> dict[str, dict[int, set[bytes]]]:
        """lease → interval → result hashes that agents published as its leaf 0, under roots that the chain holds."""
        rows = await self._pool.fetch(_SQL["leaf_zeros"], leases)
        found: dict[str, dict[int, set[bytes]]] = {}
        for row in rows:
            found.setdefault(row["lease"], {}).setdefault(row["interval"], set()).add(bytes(row["result_hash"]))
        return found

    async def members(self) -> dict[str, str]:
        """lease → node of the members that were asked to start."""
        rows = await self._pool.fetch(_SQL["members"], self._launcher, self.row.cluster)
        return {row["lease"]: row["node"] for row in rows}

    async def add_members(self, nodes: Mapping[str, str]) -> None:
        """Note that these members (lease → node) are asked to start."""
        names, addresses = list(nodes.keys()), list(nodes.values())
        await self._pool.execute(_SQL["add_members"], self._launcher, self.row.cluster, names, addresses)

    async def note_phases(self, phases: Mapping[str, str]) -> None:
        """Note what these members' agents say (lease → phase)."""
        await self._pool.execute(_SQL["note_phases"], self._launcher, list(phases.keys()), list(phases.values()))

    async def note_checks(self, findings: Mapping[str, str], problems: Mapping[str, str]) -> None:
        """Note what the check found of these members (lease → JSON), and what is wrong with some (lease → text)."""
        names = list({**findings, **problems})
        found = [findings.get(name) for name in names]
        wrong = [_text(problems[name]) if name in problems else None for name in names]
        await self._pool.execute(_SQL["note_checks"], self._launcher, names, found, wrong)

    async def opened_by(self) -> str | None:
        """Signature of the transaction that opened the cluster; None while the indexer has not seen it."""
        found: str | None = await self._pool.fetchval(_SQL["opened_by"], self.row.cluster)
        return found

    async def booked(self, leases: Sequence[str]) -> dict[str, Booked]:
        """What the indexer knows of these leases' nodes; a lease that it has not seen is missing."""
        rows = await self._pool.fetch(_SQL["booked"], leases)
        return {row["lease"]: Booked(row["report_hash"], int(row["throughput"])) for row in rows}

    async def remove_members(self, leases: Sequence[str]) -> None:
        """Forget members that are known to have stopped."""
        await self._pool.execute(_SQL["remove_members"], self._launcher, leases)

    async def set_offers(self, offers: Mapping[str, str]) -> None:
        """How the nodes of these leases are joined (lease → JSON); others of the cluster are forgotten."""
        names, texts = list(offers.keys()), list(offers.values())
        await self._pool.execute(_SQL["set_offers"], self._launcher, self.row.cluster, names, texts)

    async def set_head(self, lease: str) -> None:
        """The lease that is to be the head, as long as it lives."""
        await self._pool.execute(_SQL["set_head"], self._launcher, self.row.cluster, lease)

    async def set_troubles(self, found: Sequence[tuple[str, str, Reason, str]]) -> None:
        """The leases whose nodes are in trouble now, each with node, reason and detail; the others are well."""
        columns = [[_text(one[at]) for one in found] for at in range(4)]
        await self._pool.execute(_SQL["set_troubles"], self._launcher, self.row.cluster, *columns)

    async def replacements(self) -> list[Replacement]:
        """Nodes that take the place of lost ones."""
        rows = await self._pool.fetch(_SQL["replacements"], self._launcher, self.row.cluster)
        return [Replacement(**dict(row)) for row in rows]

    async def replace(self, wish: Replacement) -> None:
        """Note that a node is about to be booked in the place of a lost one."""
        values = (wish.lost, wish.lost_node, wish.price, wish.duration, wish.until, wish.node, wish.lease)
        await self._pool.execute(_SQL["replace"], self._launcher, self.row.cluster, *values)

    async def arrived(self, lost: Sequence[str]) -> None:
        """Note that what takes the place of these has been seen on the chain."""
        await self._pool.execute(_SQL["arrived"], self._launcher, lost)

    async def move(self, to: Move) -> None:
        """Record what the step decided, and for how many live leases; nothing if another process has it by now."""
        row, decision = self.row, (to.phase, to.reason, _text(to.detail), to.again_secs)
        values = (*decision, self.live, to.in_trouble, self._process, row.seen_slot, row.booked_slot)
        await self._pool.execute(_SQL["move"], self._launcher, row.cluster, *values)

    async def release(self) -> None:
        """Let go of it as it is, if it was not moved."""
        await self._pool.execute(_SQL["release"], self._launcher, self.row.cluster, self._process)


def _text(text: str) -> str:
    """Part of it may be a stranger's: short, and without what PostgreSQL takes in no text."""
    return text[:500].replace("\0", "?")


async def open_pool(dsn: str, size: int) -> asyncpg.Pool:
    """Connections to the database. None is reset between uses, a query each: no state is left behind on one."""

    async def as_it_is(_connection: asyncpg.Connection) -> None:
        pass

    return await asyncpg.create_pool(dsn, min_size=1, max_size=size, timeout=_CONNECT_SECS, reset=as_it_is)


class Store:
    """The launcher's tables; lease_work and clusters of the indexer's, read only. `launcher`: the session key it acts
    with."""

    def __init__(self, pool: asyncpg.Pool, launcher: str) -> None:
        self._pool, self._launcher = pool, launcher
        self._process = secrets.token_hex(8)

    async def plan(self) -> int:
        """Take up clusters that are new or changed in lease_work. Returns how many."""
        return int((await self._pool.execute(_SQL["plan"], self._launcher)).split()[-1])

    async def claim(self, most: int) -> list[Work]:
        """Up to this many clusters that are due, the longest waiting first. Those of a process that died are free again
        after CLAIM_SECS."""
        rows = await self._pool.fetch(_SQL["claim"], self._launcher, self._process, CLAIM_SECS, most)
        objects = ("troubles", "opened", "phases", "offers")
        due = [msgspec.convert({**row, **{of: msgspec.json.decode(row[of]) for of in objects}}, Row) for row in rows]
        return [Work(self._pool, self._launcher, self._process, row) for row in due]

    async def renew(self, clusters: Sequence[str]) -> None:
        """Keep clusters whose steps go on."""
        await self._pool.execute(_SQL["renew"], self._launcher, self._process, CLAIM_SECS, clusters)

    async def own(self) -> dict[str, int]:
        """Open clusters that name the launcher's key, and their leases, as the indexer has them; each with a number
        that changes with it."""
        rows = await self._pool.fetch(_SQL["own"], self._launcher)
        return {row["address"]: row["version"] for row in rows}

    async def note_purse(self, lamports: int, warning: str | None) -> None:
        """What the session key has; not noted while the database does not answer."""
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await self._pool.execute(_SQL["note_purse"], self._launcher, lamports, warning)

    async def note_advert(self, signed: Signed) -> None:
        """What the launcher says of itself from now on."""
        await self._pool.execute(_SQL["note_advert"], self._launcher, *signed)

    async def purse(self) -> tuple[int, str | None] | None:
        """What the session key had last, in lamports, and what is said of that; None where it was never noted."""
        row = await self._pool.fetchrow(_SQL["purse"], self._launcher)
        return None if row is None else (int(row["lamports"]), row["warning"])

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

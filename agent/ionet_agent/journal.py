"""The agent's memory on disk (SQLite): what it was told, what it promised to the chain, which nonces were used.

Every method is one transaction that is on disk when it returns, so a kill at any moment leaves a state to go on from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ionet_agent.chain import Signed

_SCHEMA = """
create table if not exists nonce (nonce blob primary key, expires integer not null) without rowid;
create table if not exists challenge (
    lease text, interval integer, signature blob not null, primary key (lease, interval)
) without rowid;
create table if not exists run (
    lease text, process text, first integer not null, last integer not null, primary key (lease, process)
) without rowid;
create table if not exists spool (lease text primary key, read integer not null) without rowid;
create table if not exists leaf (
    lease text, interval integer, position integer, task blob not null, result blob not null,
    primary key (lease, interval, position)
) without rowid;
create table if not exists proof (
    lease text, interval integer, final integer, served integer not null, root blob not null, leaves integer not null,
    head blob not null, raw blob not null, last_valid integer not null, landed integer not null default 0,
    uploaded integer not null default 0, primary key (lease, interval, final)
) without rowid;
"""


class Proof(msgspec.Struct, frozen=True):
    """A proof the agent signed. `final`: it covers the whole interval; an earlier one is raised by it."""

    lease: str
    interval: int
    final: bool
    served_secs: int
    root: bytes
    leaves: int
    head: bytes
    """The lease's proof chain once this proof landed."""
    signed: Signed


class Leaf(msgspec.Struct, frozen=True):
    """A task's id and the sha256 of its result, 32 bytes each."""

    task: bytes
    result: bytes


class Journal:
    """One file; used by one process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    # -- requests

    def use_nonce(self, nonce: bytes, expires: int, now: int) -> bool:
        """Remember a nonce until it expires; False when it was used before."""
        with self._db:
            self._db.execute("begin immediate")
            self._db.execute("delete from nonce where expires < ?", (now,))
            added = self._db.execute("insert or ignore into nonce values (?, ?)", (nonce, expires))
            return added.rowcount == 1

    def put_challenge(self, lease: str, interval: int, signature: bytes) -> None:
        self._db.execute("insert or ignore into challenge values (?, ?, ?)", (lease, interval, signature))

    def challenge(self, lease: str, interval: int) -> bytes | None:
        row = self._db.execute(
            "select signature from challenge where lease = ? and interval = ?", (lease, interval)
        ).fetchone()
        return None if row is None else bytes(row[0])

    # -- uptime

    def seen_up(self, lease: str, process: str, now: int) -> None:
        """Note that `process` was up at `now`. One process is up from the first to the last such moment."""
        self._db.execute(
            "insert into run values (?, ?, ?, ?) on conflict do update set last = max(last, excluded.last)",
            (lease, process, now, now),
        )

    def up_secs(self, lease: str, start: int, end: int) -> int:
        """Seconds within [start, end) in which a process of the lease was up."""
        rows = self._db.execute("select max(first, ?), min(last, ?) from run where lease = ?", (start, end, lease))
        return sum(max(0, last - first) for first, last in rows)

    # -- results

    def spool_read(self, lease: str) -> int:
        """How many bytes of the lease's spool have become leaves."""
        row = self._db.execute("select read from spool where lease = ?", (lease,)).fetchone()
        return 0 if row is None else int(row[0])

    def add_leaves(self, lease: str, interval: int, leaves: Sequence[Leaf], read: int) -> None:
        """Append results to an interval and remember how far the spool was read, in one step."""
        with self._db:
            self._db.execute("begin immediate")
            first = self._count_leaves(lease, interval)
            rows = [(lease, interval, first + i, leaf.task, leaf.result) for i, leaf in enumerate(leaves)]
            self._db.executemany("insert into leaf values (?, ?, ?, ?, ?)", rows)
            self._db.execute(
                "insert into spool values (?, ?) on conflict do update set read = excluded.read", (lease, read)
            )

    def move_leaves(self, lease: str, interval: int, to: int, keep: int) -> None:
        """Give the results of an interval that can no longer be proven, all but the first `keep`, to a later one."""
        with self._db:
            self._db.execute("begin immediate")
            shift = self._count_leaves(lease, to) - keep
            self._db.execute(
                "update leaf set interval = ?, position = position + ?"
                " where lease = ? and interval = ? and position >= ?",
                (to, shift, lease, interval, keep),
            )

    def _count_leaves(self, lease: str, interval: int) -> int:
        row = self._db.execute("select count(*) from leaf where lease = ? and interval = ?", (lease, interval))
        return int(row.fetchone()[0])

    def leaves(self, lease: str, interval: int, count: int | None = None) -> list[Leaf]:
        """Results of an interval in order (the first `count` of them), without the challenge."""
        rows = self._db.execute(
            "select task, result from leaf where lease = ? and interval = ? order by position limit ?",
            (lease, interval, -1 if count is None else count),
        )
        return [Leaf(bytes(task), bytes(result)) for task, result in rows]

    # -- proofs

    def put_proof(self, proof: Proof) -> None:
        """Remember a signed proof before it is sent."""
        self._db.execute(
            "insert into proof (lease, interval, final, served, root, leaves, head, raw, last_valid)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                proof.lease,
                proof.interval,
                proof.final,
                proof.served_secs,
                proof.root,
                proof.leaves,
                proof.head,
                proof.signed.raw,
                proof.signed.last_valid_block_height,
            ),
        )

    def open_proof(self, lease: str) -> Proof | None:
        """The proof that was signed and is not known to have landed."""
        return self._proof("lease = ? and not landed", lease)

    def last_landed(self, lease: str) -> Proof | None:
        """The newest proof that landed."""
        return self._proof("lease = ? and landed", lease)

    def landed_proofs(self, lease: str) -> list[Proof]:
        """Every proof of a lease that landed, in the order of its chain."""
        return self._proofs("where lease = ? and landed order by interval, final", lease)

    def unchallenged(self, lease: str) -> int:
        """How many of the last intervals that were proven to their end, in a row, had no challenge."""
        last = "coalesce((select max(c.interval) from challenge c where c.lease = p.lease), -1)"
        row = self._db.execute(
            f"select count(*) from proof p where p.lease = ? and landed and final and p.interval > {last}", (lease,)
        )
        return int(row.fetchone()[0])

    def _proof(self, where: str, lease: str) -> Proof | None:
        found = self._proofs(f"where {where} order by interval desc, final desc limit 1", lease)
        return found[0] if found else None

    def _proofs(self, clause: str, *values: object) -> list[Proof]:
        rows = self._db.execute(
            f"select lease, interval, final, served, root, leaves, head, raw, last_valid from proof {clause}", values
        )
        return [_proof(*row) for row in rows]

    def landed(self, proof: Proof) -> None:
        self._update("landed", proof)

    def finish(self, proof: Proof) -> None:
        """Take a landed first proof as the final one: there is nothing to add to it."""
        self._db.execute(
            "update proof set final = 1 where lease = ? and interval = ? and landed", (proof.lease, proof.interval)
        )

    def drop(self, proof: Proof) -> None:
        """Forget a proof that certainly did not and will not land."""
        key = (proof.lease, proof.interval, proof.final)
        self._db.execute("delete from proof where lease = ? and interval = ? and final = ? and not landed", key)

    # -- leaves for the indexer

    def to_upload(self) -> list[Proof]:
        """Landed proofs whose leaves nobody has yet: of each interval the last one, once no other can follow."""
        return self._proofs(
            "p where landed and not uploaded and (final or exists (select 1 from proof n where n.lease = p.lease"
            " and n.landed and n.interval > p.interval)) and not exists (select 1 from proof f where f.lease = p.lease"
            " and f.interval = p.interval and f.landed and f.final > p.final) order by lease, interval"
        )

    def uploaded(self, proof: Proof) -> None:
        self._update("uploaded", proof)

    def _update(self, column: str, proof: Proof) -> None:
        key = (proof.lease, proof.interval, proof.final)
        self._db.execute(f"update proof set {column} = 1 where lease = ? and interval = ? and final = ?", key)

    def leases(self) -> list[str]:
        """Every lease the journal knows something about."""
        rows = self._db.execute("select lease from run union select lease from proof union select lease from challenge")
        return [row[0] for row in rows]

    def forget(self, lease: str) -> None:
        """Remove everything about a lease that is over."""
        with self._db:
            self._db.execute("begin immediate")
            for table in ("challenge", "run", "spool", "leaf", "proof"):
                self._db.execute(f"delete from {table} where lease = ?", (lease,))


def _proof(
    lease: str, interval: int, final: int, served: int, root: bytes, leaves: int, head: bytes, raw: bytes, valid: int
) -> Proof:
    return Proof(lease, interval, bool(final), served, bytes(root), leaves, bytes(head), Signed(bytes(raw), valid))

"""The agent's memory on disk (SQLite): what it was told, and what it promised to the chain.

Every method is one transaction that is on disk when it returns, so a kill at any moment leaves a state to go on from.

A full disk does not stop it: the file has free pages in reserve, and SQLite's own journal beside it is as large as a
transaction needs and is never shortened. Both are written over in place, on file systems that do so.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from ionet.sql import blocks

from ionet_agent.node_chain import Signed

_SQL = blocks("ionet_agent", "journal.sql")
RESERVE_BYTES, _UNDO_BYTES = 4 * 1024 * 1024, 256 * 1024
# How long to wait for the other process.
_LOCK_SECS = 2.0


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
    """One file; the two processes of one agent share it. Methods raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=_LOCK_SECS)
        for setting in ("journal_mode = persist", "synchronous = full", "temp_store = memory"):
            self._db.execute(f"pragma {setting}")
        self._db.executescript(_SQL["schema"])

    def close(self) -> None:
        self._db.close()

    # -- room

    def reserve(self) -> bool:
        """Set room aside for what a full disk must not stop. Returns whether there is enough, as before."""
        missing = RESERVE_BYTES - self._free_bytes()
        if missing <= 0:
            return True
        try:
            self._do("drop_reserve")  # of a killed predecessor
            self._do("put_reserve", size=max(missing, _UNDO_BYTES))
            self._do("shuffle_reserve", size=_UNDO_BYTES)
            self._do("drop_reserve")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            return False
        return True

    def has_room(self) -> bool:
        """Whether there is room for what a renter decides the amount of; half of the reserve is kept from it."""
        return self._free_bytes() > RESERVE_BYTES // 2 or self.reserve()

    def _free_bytes(self) -> int:
        pages, size = (self._db.execute(f"pragma {what}").fetchone()[0] for what in ("freelist_count", "page_size"))
        return int(pages) * int(size)

    # -- challenges

    def put_challenge(self, lease: str, interval: int, signature: bytes) -> None:
        """Keep a challenge, unless the interval has one or was proven to its end without it."""
        self._do("put_challenge", lease=lease, interval=interval, signature=signature)

    def challenge(self, lease: str, interval: int) -> bytes | None:
        row = self._do("challenge", lease=lease, interval=interval).fetchone()
        return None if row is None else bytes(row[0])

    # -- uptime

    def seen_up(self, lease: str, process: str, now: int) -> None:
        """Note that `process` was up at `now`. One process is up from the first to the last such moment."""
        self._do("seen_up", lease=lease, process=process, now=now)

    def up_secs(self, lease: str, start: int, end: int) -> int:
        """Seconds within [start, end) in which a process of the lease was up."""
        runs = self._do("runs_within", lease=lease, start=start, end=end)
        return sum(max(0, last - first) for first, last in runs)

    # -- time before a lease is accepted; `now` is in seconds of any clock that is always the same

    def open(self, lease: str, now: float) -> None:
        """A member of the lease is there from `now` on, unless one was before."""
        self._do("open", lease=lease, now=now)

    def shut(self, lease: str, now: float) -> None:
        """No member of the lease is there any more."""
        self._do("shut", lease=lease, now=now)

    def opened(self) -> list[str]:
        """The leases of which a member is there, as far as the journal was told."""
        return [row[0] for row in self._do("opened")]

    def open_secs(self, lease: str, now: float) -> float:
        """For how long members of the lease have been there, in all."""
        row = self._do("open_secs", lease=lease, now=now).fetchone()
        return 0.0 if row is None else float(row[0])

    # -- results

    def spool_read(self, lease: str) -> int:
        """How many bytes of the lease's spool have become leaves."""
        row = self._do("spool_read", lease=lease).fetchone()
        return 0 if row is None else int(row[0])

    def add_leaves(self, lease: str, interval: int, leaves: Sequence[Leaf], read: int) -> None:
        """Append results to an interval and remember how far the spool was read, in one step."""
        with self._transaction():
            first = self._count_leaves(lease, interval)
            place = {"lease": lease, "interval": interval}
            rows = [
                {**place, "position": first + at, "task": leaf.task, "result": leaf.result}
                for at, leaf in enumerate(leaves)
            ]
            self._db.executemany(_SQL["add_leaf"], rows)
            self._do("set_spool_read", lease=lease, read=read)

    def move_leaves(self, lease: str, interval: int, to: int, keep: int) -> None:
        """Give the results of an interval that can no longer be proven, all but the first `keep`, to a later one."""
        with self._transaction():
            shift = self._count_leaves(lease, to) - keep
            self._do("move_leaves", lease=lease, interval=interval, to=to, shift=shift, keep=keep)

    def _count_leaves(self, lease: str, interval: int) -> int:
        return int(self._do("count_leaves", lease=lease, interval=interval).fetchone()[0])

    def leaves(self, lease: str, interval: int, count: int | None = None) -> list[Leaf]:
        """Results of an interval in order (the first `count` of them), without the challenge."""
        rows = self._do("leaves", lease=lease, interval=interval, count=-1 if count is None else count)
        return [Leaf(bytes(task), bytes(result)) for task, result in rows]

    # -- proofs

    def put_proof(self, proof: Proof) -> None:
        """Remember a signed proof before it is sent."""
        self._do(
            "put_proof",
            **_place(proof),
            served=proof.served_secs,
            root=proof.root,
            leaves=proof.leaves,
            head=proof.head,
            raw=proof.signed.raw,
            last_valid=proof.signed.last_valid_block_height,
        )

    def open_proof(self, lease: str) -> Proof | None:
        """The proof that was signed and is not known to have landed."""
        return next(iter(self._proofs("open_proof", lease=lease)), None)

    def last_landed(self, lease: str) -> Proof | None:
        """The newest proof that landed."""
        return next(iter(self._proofs("last_landed", lease=lease)), None)

    def landed_proofs(self, lease: str) -> list[Proof]:
        """Every proof of a lease that landed, in the order of its chain."""
        return self._proofs("landed_proofs", lease=lease)

    def silent_intervals(self, lease: str) -> list[int]:
        """The intervals that were proven to their end without a challenge, in order."""
        return [int(row[0]) for row in self._do("silent_intervals", lease=lease)]

    def landed(self, proof: Proof) -> None:
        self._do("landed", **_place(proof))

    def finish(self, proof: Proof) -> None:
        """Take a landed first proof as the final one: there is nothing to add to it."""
        self._do("finish", lease=proof.lease, interval=proof.interval)

    def drop(self, proof: Proof) -> None:
        """Forget a proof that certainly did not and will not land."""
        self._do("drop", **_place(proof))

    # -- leaves for the indexer

    def to_upload(self) -> list[Proof]:
        """Landed proofs whose leaves nobody has yet: of each interval the last one, once no other can follow."""
        return self._proofs("to_upload")

    def uploaded(self, proof: Proof) -> None:
        self._do("uploaded", **_place(proof))

    def leases(self) -> list[str]:
        """Every lease the journal knows something about."""
        return [row[0] for row in self._do("leases")]

    def forget(self, lease: str) -> None:
        """Remove everything about a lease that is over."""
        with self._transaction():
            for what in ("challenges", "runs", "openings", "spool", "leaves", "proofs"):
                self._do(f"forget_{what}", lease=lease)

    # -- statements

    def _do(self, name: str, **values: object) -> sqlite3.Cursor:
        return self._db.execute(_SQL[name], values)

    def _proofs(self, name: str, **values: object) -> list[Proof]:
        return [_proof(*row) for row in self._do(name, **values)]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._db:
            self._db.execute("begin immediate")
            yield


def _place(proof: Proof) -> dict[str, object]:
    return {"lease": proof.lease, "interval": proof.interval, "final": proof.final}


def _proof(
    lease: str, interval: int, final: int, served: int, root: bytes, leaves: int, head: bytes, raw: bytes, valid: int
) -> Proof:
    return Proof(lease, interval, bool(final), served, bytes(root), leaves, bytes(head), Signed(bytes(raw), valid))

"""What was spent, on disk, so that neither a restart nor a second server begins at zero.

A budget counts in full from before its transaction is sent until the cluster is closed; then what was taken of it
counts. So a kill at any point can only make the count too high, and `Desk.reconcile` corrects that from the chain.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ionet.errors import ConfigError, IonetError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS booking (
    cluster TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    session TEXT NOT NULL,
    reserved INTEGER NOT NULL CHECK (reserved >= 0),
    spent INTEGER CHECK (spent BETWEEN 0 AND reserved),
    at INTEGER NOT NULL
) STRICT
"""
_WAIT_SECS = 10.0


class OverLimit(IonetError):
    """this would spend more than is allowed"""


class Busy(IonetError):
    """another booking is under way"""


class Limits(NamedTuple):
    """Micro-dollars that may be spent in a session, and in all sessions together."""

    session: int
    total: int


class Spent(NamedTuple):
    """Micro-dollars, open budgets in full."""

    session: int
    total: int


class Booking(NamedTuple):
    """A budget. number: the renter's id of the cluster. spent: what was taken of it, None while it is not closed."""

    cluster: str
    number: int
    session: str
    reserved: int
    spent: int | None
    at: int


class Ledger:
    """The file of one wallet on one chain. Any number of processes may use it at the same time.

    Raises ConfigError where the file cannot be used.
    """

    def __init__(self, file: Path, session: str, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self.session, self.limits, self._clock = session, limits, clock
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(file, timeout=_WAIT_SECS, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"cannot use {file}: {error}") from None
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            # A budget must be on the disk before its transaction is on its way.
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(_SCHEMA)
        except sqlite3.Error as error:
            self._db.close()
            raise ConfigError(f"cannot use {file}: {error}") from None

    def close(self) -> None:
        self._db.close()

    def spent(self) -> Spent:
        row = self._db.execute(
            "SELECT coalesce(sum(coalesce(spent, reserved)) FILTER (WHERE session = ?), 0),"
            " coalesce(sum(coalesce(spent, reserved)), 0) FROM booking",
            (self.session,),
        ).fetchone()
        return Spent(int(row[0]), int(row[1]))

    def left(self) -> int:
        """Micro-dollars that may still be spent, never below zero."""
        spent = self.spent()
        return max(0, min(self.limits.session - spent.session, self.limits.total - spent.total))

    def check(self, amount: int) -> None:
        """Raises OverLimit where no such budget may be opened now."""
        spent = self.spent()
        for what, used, limit in (
            ("this session", spent.session, self.limits.session),
            ("all sessions together", spent.total, self.limits.total),
        ):
            if used + amount > limit:
                raise OverLimit(f"${_dollars(amount)}, while {what} spent ${_dollars(used)} of ${_dollars(limit)}")

    def reserve(self, cluster: str, number: int, amount: int) -> None:
        """Count a budget that is about to be opened. Raises OverLimit, or Busy when it is counted already."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self.check(amount)
            values = (cluster, number, self.session, amount, int(self._clock()))
            self._db.execute("INSERT INTO booking VALUES (?, ?, ?, ?, NULL, ?)", values)
        except sqlite3.IntegrityError:
            self._db.execute("ROLLBACK")
            raise Busy(f"with the same cluster, {cluster}") from None
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def release(self, cluster: str) -> None:
        """Forget a budget that was not opened and never will be."""
        self._db.execute("DELETE FROM booking WHERE cluster = ? AND spent IS NULL", (cluster,))

    def closed(self, cluster: str, spent: int) -> None:
        """Of a budget that was closed, so much was taken; once said, it stays."""
        self._db.execute(
            "UPDATE booking SET spent = min(?, reserved) WHERE cluster = ? AND spent IS NULL", (max(0, spent), cluster)
        )

    def find(self, cluster: str) -> Booking | None:
        row = self._db.execute("SELECT * FROM booking WHERE cluster = ?", (cluster,)).fetchone()
        return None if row is None else Booking(*row)

    def open_bookings(self) -> list[Booking]:
        rows = self._db.execute("SELECT * FROM booking WHERE spent IS NULL ORDER BY at, cluster")
        return [Booking(*row) for row in rows]


def _dollars(micro: int) -> str:
    return f"{micro // 1_000_000}.{micro % 1_000_000:06d}".rstrip("0").rstrip(".")

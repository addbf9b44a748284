"""The log of a lease: interval by interval what was served, what came of a challenge, and what was paid for it."""

from __future__ import annotations

from typing import Any

import msgspec
from ionet.trace import Settlement
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.api.routes import Cursor, Key, Limit
from ionet_indexer.core.decode import slot_of
from ionet_indexer.core.paging import decode_cursor, encode_cursor
from ionet_indexer.core.reader import SQL, Reader
from ionet_indexer.core.refusals import NotFound


class IntervalProof(msgspec.Struct):
    """The last proof of an interval, which counts. `leaves` of its results were uploaded; null: none."""

    signature: str
    slot: int
    at: int
    served_secs: int
    kept: bool
    gpu_ms: str
    root: str
    proof_head: str
    leaves: int | None


class LeaseInterval(msgspec.Struct):
    """An interval of a lease. `proof` is null where none was recorded (yet): nothing is paid for it.

    `challenge`: null (nobody asked), `approved` (paid without waiting), `disputed` (the amount is held), `defended`
    (the challenge was shown to be answered), `undefended`, or `unchallenged` (named by a supplier who left; the
    supplier gets neither). `secs` count for the supplier, `amount` is their price before fees, `paid` what of it was
    paid, by `settlement`.
    """

    interval: int
    starts_at: int
    ends_at: int
    proof: IntervalProof | None
    challenge: str | None
    secs: int
    amount: str
    paid: str
    settlement: Settlement | None


class LeaseLog(msgspec.Struct):
    """Intervals in their order, as far as the lease has come. The `paid` of those of one settlement add up to its
    amount, those of all intervals, with `paid_beyond`, to what the lease was `paid`, to the unit.

    `paid_beyond` is for time that no interval has: a readiness that nobody answered, the rest of the first hour that
    the renter did not stay for.
    """

    slot: int
    finalized_slot: int
    lease: str
    node: str
    cluster: str
    status: str
    currency: str
    price: str
    processors: int
    interval_secs: int
    intervals: int
    paid: str
    paid_beyond: str
    items: list[LeaseInterval]
    next: str | None


@get("/v1/leases/{key:str}/intervals")
async def lease_intervals(
    reader: NamedDependency[Reader], key: Key, cursor: Cursor = None, limit: Limit = 50
) -> LeaseLog:
    """The log of a lease: what was served, proven, challenged and paid, interval by interval."""
    after = decode_cursor("intervals", cursor, ("bigint",))
    async with reader.snapshot() as snapshot:
        lease = await snapshot.one(SQL["lease_of_log"], key)
        if lease is None:
            raise NotFound(f"lease {key} is not known at slot {snapshot.slot}")
        rows = await snapshot.fetch(SQL["lease_intervals"], key, int(after[0]) if after else -1, limit + 1)
    items = [_interval(row) for row in rows[:limit]]
    following = encode_cursor("intervals", [str(items[-1].interval)]) if len(rows) > limit else None
    return LeaseLog(snapshot.slot, snapshot.finalized_slot, **dict(lease), items=items, next=following)


def _interval(row: Any) -> LeaseInterval:
    proof = None
    if row["proof"] is not None:
        proof = IntervalProof(
            signature=row["signature"],
            slot=slot_of(row["proof"]),
            **{name: row[name] for name in ("at", "served_secs", "kept", "gpu_ms", "root", "proof_head", "leaves")},
        )
    settled = row["payment"] is not None
    return LeaseInterval(
        interval=row["interval"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        proof=proof,
        challenge=row["challenge"],
        secs=row["secs"],
        amount=row["amount"],
        paid=row["amount"] if settled else "0",
        settlement=Settlement(row["paid_by"], row["paid_at"]) if settled else None,
    )

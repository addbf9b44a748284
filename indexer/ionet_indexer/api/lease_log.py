"""The log of a lease: interval by interval what was served, what came of a challenge, and what was paid for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from ionet.trace import Settlement
from litestar import get
from litestar.di import NamedDependency

from ionet_indexer.api.caching import AskedReader
from ionet_indexer.api.lease_books import LeaseBooks, Logged
from ionet_indexer.core.decode import slot_of
from ionet_indexer.core.paging import decode_cursor, encode_cursor
from ionet_indexer.core.parameters import Cursor, Key, Limit, Since, Until
from ionet_indexer.core.reader import SQL
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


_OF_THE_LEASE = (
    *("lease", "node", "cluster", "status", "currency", "price", "processors", "interval_secs", "intervals", "paid"),
)


@get("/v1/leases/{key:str}/intervals", operation_id="list_lease_intervals")
async def lease_intervals(
    reader: NamedDependency[AskedReader],
    key: Key,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> LeaseLog:
    """The log of a lease: what was served, proven, challenged and paid, interval by interval, by when they begin."""
    after = decode_cursor("intervals", cursor, ("bigint",))
    first = int(after[0]) + 1 if after else 0
    async with reader.snapshot() as snapshot:
        books = await LeaseBooks.of(snapshot, key)
        if books is None:
            raise NotFound(f"lease {key} is not known at slot {snapshot.slot}")
        first, end = max(first, _number_at(books, since) or 0), _number_at(books, until)
        end = books.row["intervals"] if end is None else min(end, books.row["intervals"])
        found = await books.log(first, min(first + limit, end)) if first < end else []
        paid = await books.paid()
        proofs = await snapshot.fetch(SQL["lease_proofs"], [each.proof for each in found if each.proof is not None])
        payments = sorted({each.payment for each in found if each.payment is not None})
        settlements = await snapshot.fetch(SQL["lease_settlements"], payments)
    lease = books.row
    proof_at = {each["position"]: _proof(each) for each in proofs}
    settled_at = {each["position"]: Settlement(each["signature"], each["at"]) for each in settlements}
    items = [_interval(each, proof_at, settled_at) for each in found]
    following = None
    if found and found[-1].number + 1 < end:
        following = encode_cursor("intervals", [str(found[-1].number)])
    return LeaseLog(
        snapshot.slot,
        snapshot.finalized_slot,
        **{name: lease[name] for name in _OF_THE_LEASE},
        paid_beyond=str(int(lease["paid"]) - paid),
        items=items,
        next=following,
    )


def _number_at(books: LeaseBooks, time: int | None) -> int | None:
    """The first interval that begins at this time or later; None without a time, or a start."""
    start = books.row["started_at"]
    return None if time is None or start is None else max(0, -((start - time) // books.row["interval_secs"]))


def _proof(row: Any) -> IntervalProof:
    names = ("signature", "at", "served_secs", "kept", "gpu_ms", "root", "proof_head", "leaves")
    return IntervalProof(slot=slot_of(row["position"]), **{name: row[name] for name in names})


def _interval(
    logged: Logged, proofs: Mapping[int, IntervalProof], settlements: Mapping[int, Settlement]
) -> LeaseInterval:
    amount = str(logged.amount)
    return LeaseInterval(
        interval=logged.number,
        starts_at=logged.starts_at,
        ends_at=logged.ends_at,
        proof=None if logged.proof is None else proofs[logged.proof],
        challenge=logged.challenge,
        secs=logged.secs,
        amount=amount,
        paid="0" if logged.payment is None else amount,
        settlement=None if logged.payment is None else settlements[logged.payment],
    )

"""From the hash of a result to what the chain knows about it: node, lease, interval, price, proof, Merkle path."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from ionet.rules import merkle, pricing
from ionet.rules.lease_time import interval_bounds
from ionet.trace import Leaf, Occurrence, Settlement, Trace, TracedProof
from litestar import get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from solders.pubkey import Pubkey

from ionet_indexer.api.routes import Cursor
from ionet_indexer.core.decode import slot_of
from ionet_indexer.core.paging import decode_cursor, encode_cursor
from ionet_indexer.core.reader import SQL, Reader, Snapshot
from ionet_indexer.core.refusals import NotFound

MAX_OCCURRENCES = 20


@get("/v1/trace/{result_hash:str}")
async def trace(
    reader: NamedDependency[Reader],
    result_hash: Annotated[str, PathParameter(pattern=r"^[0-9a-f]{64}$", description="sha256 of the result, hex.")],
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_OCCURRENCES)] = 10,
) -> Trace:
    """Where a result was computed, what it cost, and the proof. 404 while its leaves are missing."""
    after = decode_cursor("trace", cursor, ("text", "bigint", "bigint")) or ["", "-1", "-1"]
    async with reader.snapshot() as snapshot:
        rows = await snapshot.fetch(
            SQL["trace"], bytes.fromhex(result_hash), after[0], int(after[1]), int(after[2]), limit + 1
        )
        if not rows and cursor is None:
            raise NotFound("leaves missing: no uploaded leaf under a proven root has this result hash")
        items = [await _occurrence(snapshot, row, bytes.fromhex(result_hash)) for row in rows[:limit]]
        following = None
        if len(rows) > limit:
            last = items[-1]
            following = encode_cursor("trace", [last.lease, str(last.interval), str(last.leaf.index)])
        return Trace(snapshot.slot, snapshot.finalized_slot, result_hash, items, following)


async def _occurrence(snapshot: Snapshot, row: Any, result_hash: bytes) -> Occurrence:
    lease, interval = row["lease"], row["interval"]
    stored = await snapshot.fetch(SQL["trace_leaves"], lease, interval, row["root"])
    pairs = [(item["task_id"], item["result_hash"]) for item in stored]
    # Hashing a large interval takes long enough to be done beside the event loop.
    leaf = await asyncio.to_thread(_leaf, row, pairs, result_hash)
    served = await snapshot.one(SQL["trace_served"], lease, interval)
    assert served is not None  # an aggregate has one row
    amount = _earned(row, int(served["through"])) - _earned(row, int(served["before"]))
    paid = await _payment(snapshot, lease, interval, served)
    bounds: tuple[int, int] | tuple[None, None] = (None, None)
    if row["started_at"] is not None:
        bounds = interval_bounds(row["started_at"], row["ends_at"], row["interval_secs"], interval)
    return Occurrence(
        lease=lease,
        lease_number=row["number"],
        interval=interval,
        interval_start=bounds[0],
        interval_end=bounds[1],
        node=row["node"],
        owner=row["owner"],
        device_key=row["device_key"],
        model=row["model"],
        country=row["country"],
        cluster=row["cluster"],
        renter=row["renter"],
        processors=row["processors"],
        price=row["price"],
        currency=row["currency"],
        amount=str(amount),
        paid=str(amount if paid else 0),
        dispute=served["dispute"],
        settlement=Settlement(paid["signature"], paid["at"]) if paid else None,
        proof=TracedProof(
            signature=row["signature"],
            slot=slot_of(row["position"]),
            outer_ix=row["outer_ix"],
            inner_ix=row["inner_ix"],
            at=row["at"],
            served_secs=row["served_secs"],
            gpu_ms=row["gpu_ms"],
            proof_head=row["proof_head"],
        ),
        leaf=leaf,
    )


async def _payment(snapshot: Snapshot, lease: str, interval: int, served: Any) -> Any | None:
    """The settlement that paid for an interval: matured in its turn, or the first one after its defence."""
    if served["dispute"] is None:
        return await snapshot.one(SQL["trace_payment"], lease, served["proven"], interval)
    if served["dispute"] == "defended":
        return await snapshot.one(SQL["trace_payment_after"], lease, served["defended_at"])
    return None


def _earned(row: Any, secs: int) -> int:
    return pricing.earned(int(row["price"]), row["processors"], secs)


def _leaf(row: Any, pairs: list[tuple[bytes, bytes]], result_hash: bytes) -> Leaf:
    lease, index = bytes(Pubkey.from_string(row["lease"])), row["index"]
    hashes = [merkle.leaf(lease, row["interval"], number, *pair) for number, pair in enumerate(pairs)]
    path = merkle.path(hashes, index)
    own = merkle.leaf(lease, row["interval"], index, row["task_id"], result_hash)
    return Leaf(
        index=index,
        count=len(hashes),
        task_id=row["task_id"].hex(),
        hash=own.hex(),
        path=[sibling.hex() for sibling in path],
        root=row["root"],
        verified=merkle.verify(own, index, len(hashes), path, bytes.fromhex(row["root"])),
    )

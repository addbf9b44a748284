"""From the hash of a result to what the chain knows about it: node, lease, interval, price, proof, Merkle path."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from ionet.leaves import LEAF_LEN
from ionet.rules import merkle, pricing
from ionet.rules.lease_time import interval_bounds
from ionet.rules.merkle import HASH_LEN
from ionet.trace import Leaf, Occurrence, Settlement, Trace, TracedProof
from litestar import get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from solders.pubkey import Pubkey

from ionet_indexer.api import tree
from ionet_indexer.api.caching import AskedReader
from ionet_indexer.api.routes import Cursor
from ionet_indexer.api.tree import BLOCK
from ionet_indexer.core.decode import slot_of
from ionet_indexer.core.paging import decode_cursor, encode_cursor
from ionet_indexer.core.reader import SQL, Snapshot
from ionet_indexer.core.refusals import NotFound

MAX_OCCURRENCES = 20


@get("/v1/trace/{result_hash:str}")
async def trace(
    reader: NamedDependency[AskedReader],
    result_hash: Annotated[str, PathParameter(pattern=r"^[0-9a-f]{64}$", description="sha256 of the result, hex.")],
    cursor: Cursor = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_OCCURRENCES)] = 10,
) -> Trace:
    """Where a result was computed, what it cost, and the proof. 404 while its leaves are missing."""
    after = decode_cursor("trace", cursor, ("bigint", "bigint")) or ["-1", "-1"]
    async with reader.snapshot() as snapshot:
        rows = await snapshot.fetch(SQL["trace"], bytes.fromhex(result_hash), int(after[0]), int(after[1]), limit + 1)
        found = await _read(snapshot, rows[:limit])
    if not rows and cursor is None:
        raise NotFound("leaves missing: no uploaded leaf under a proven root has this result hash")
    # Hashing takes long enough to be done beside the event loop, and holds no connection.
    items = await asyncio.to_thread(_occurrences, found)
    following = None
    if len(rows) > limit:
        following = encode_cursor("trace", [str(rows[limit - 1]["number"]), str(rows[limit - 1]["index"])])
    return Trace(snapshot.slot, snapshot.finalized_slot, result_hash, items, following)


class _Found(NamedTuple):
    """What the tables say of one occurrence. body: the leaves of its block."""

    row: Any
    body: bytes
    served: Any
    paid: Any | None


async def _read(snapshot: Snapshot, rows: Sequence[Any]) -> list[_Found]:
    """All that the occurrences need; what two of them share is read once."""
    blocks: dict[tuple[int, int], bytes] = {}
    served: dict[tuple[str, int], tuple[Any, Any | None]] = {}
    for row in rows:
        block = (row["number"], row["index"] // BLOCK)
        if block not in blocks:
            size = BLOCK * LEAF_LEN
            part = await snapshot.one(SQL["trace_block"], row["number"], block[1] * size + 1, size)
            assert part is not None  # the row's own set
            blocks[block] = part["body"]
        place = (row["lease"], row["interval"])
        if place not in served:
            sums = await snapshot.one(SQL["trace_served"], *place)
            assert sums is not None  # an aggregate has one row
            served[place] = sums, await _payment(snapshot, *place, sums)
    return [
        _Found(row, blocks[row["number"], row["index"] // BLOCK], *served[row["lease"], row["interval"]])
        for row in rows
    ]


def _occurrences(found: Sequence[_Found]) -> list[Occurrence]:
    hashed: dict[tuple[int, int], list[bytes]] = {}
    return [_occurrence(each, hashed) for each in found]


def _occurrence(found: _Found, hashed: dict[tuple[int, int], list[bytes]]) -> Occurrence:
    row, served, paid = found.row, found.served, found.paid
    amount = _earned(row, int(served["through"])) - _earned(row, int(served["before"]))
    bounds: tuple[int, int] | tuple[None, None] = (None, None)
    if row["started_at"] is not None:
        bounds = interval_bounds(row["started_at"], row["ends_at"], row["interval_secs"], row["interval"])
    return Occurrence(
        lease=row["lease"],
        lease_number=row["lease_number"],
        interval=row["interval"],
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
        leaf=_leaf(found, hashed),
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


def _leaf(found: _Found, hashed: dict[tuple[int, int], list[bytes]]) -> Leaf:
    """The leaf and its path. hashed: the leaf hashes of the blocks that this request has seen."""
    row, index = found.row, found.row["index"]
    block = (row["number"], index // BLOCK)
    if block not in hashed:
        lease = bytes(Pubkey.from_string(row["lease"]))
        hashed[block] = tree.hashes(lease, row["interval"], found.body, block[1] * BLOCK)
    stored = [row["blocks"][start : start + HASH_LEN] for start in range(0, len(row["blocks"]), HASH_LEN)]
    path, place = tree.path(hashed[block], stored, index), index % BLOCK
    own, task = hashed[block][place], found.body[place * LEAF_LEN : place * LEAF_LEN + HASH_LEN]
    return Leaf(
        index=index,
        count=row["count"],
        task_id=task.hex(),
        hash=own.hex(),
        path=[sibling.hex() for sibling in path],
        root=row["root"],
        verified=merkle.verify(own, index, row["count"], path, bytes.fromhex(row["root"])),
    )

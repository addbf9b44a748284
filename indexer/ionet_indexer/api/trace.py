"""From the hash of a result to what the chain knows about it: node, lease, interval, price, proof, Merkle path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from ionet.leaves import LEAF_LEN
from ionet.rules import merkle
from ionet.rules.merkle import HASH_LEN
from ionet.trace import Leaf, Occurrence, Settlement, Trace, TracedProof, dispute_of
from litestar import get
from litestar.di import NamedDependency
from solders.pubkey import Pubkey

from ionet_indexer.api import tree
from ionet_indexer.api.caching import AskedReader
from ionet_indexer.api.lease_books import LeaseBooks, Logged
from ionet_indexer.api.tree import BLOCK
from ionet_indexer.core.decode import slot_of
from ionet_indexer.core.paging import decode_cursor, encode_cursor
from ionet_indexer.core.parameters import A_HASH, HASH, Cursor, path, query
from ionet_indexer.core.reader import SQL, Snapshot
from ionet_indexer.core.refusals import NotFound

MAX_OCCURRENCES = 20


@get("/v1/trace/{result_hash:str}", operation_id="trace_result")
async def trace(
    reader: NamedDependency[AskedReader],
    result_hash: Annotated[str, path("sha256 of the result, hex.", A_HASH, pattern=HASH)],
    cursor: Cursor = None,
    limit: Annotated[int, query("Most occurrences on a page.", 10, ge=1, le=MAX_OCCURRENCES)] = 10,
) -> Trace:
    """Where a result was computed, what it cost, and the proof. 404 while its leaves are missing."""
    after = decode_cursor("trace", cursor, ("bigint", "bigint")) or ["-1", "-1"]
    async with reader.snapshot() as snapshot:
        rows = await snapshot.fetch(SQL["trace"], bytes.fromhex(result_hash), int(after[0]), int(after[1]), limit + 1)
        found = await _read(snapshot, rows[:limit])
    if not rows and cursor is None:
        raise NotFound("leaves missing: no uploaded leaf under a proven root has this result hash")
    items = await reader.computed(_occurrences, found)
    following = None
    if len(rows) > limit:
        following = encode_cursor("trace", [str(rows[limit - 1]["number"]), str(rows[limit - 1]["index"])])
    return Trace(snapshot.slot, snapshot.finalized_slot, result_hash, items, following)


class _Found(NamedTuple):
    """What the tables say of one occurrence. body: the leaves of its block. log: the interval in the lease's log."""

    row: Any
    body: bytes
    log: Logged
    settlement: Settlement | None


async def _read(snapshot: Snapshot, rows: Sequence[Any]) -> list[_Found]:
    """All that the occurrences need; what two of them share is read once."""
    blocks: dict[tuple[int, int], bytes] = {}
    books: dict[str, LeaseBooks] = {}
    logged: dict[tuple[str, int], tuple[Logged, Settlement | None]] = {}
    for row in rows:
        block = (row["number"], row["index"] // BLOCK)
        if block not in blocks:
            size = BLOCK * LEAF_LEN
            part = await snapshot.one(SQL["trace_block"], row["number"], block[1] * size + 1, size)
            assert part is not None  # the row's own set
            blocks[block] = part["body"]
        place = (row["lease"], row["interval"])
        if place not in logged:
            if row["lease"] not in books:
                found = await LeaseBooks.of(snapshot, row["lease"])
                assert found is not None  # the row is of a lease
                books[row["lease"]] = found
            (interval,) = await books[row["lease"]].log(row["interval"], row["interval"] + 1)
            settlement = None
            if interval.payment is not None:
                (paid,) = await snapshot.fetch(SQL["lease_settlements"], [interval.payment])
                settlement = Settlement(paid["signature"], paid["at"])
            logged[place] = (interval, settlement)
    return [
        _Found(row, blocks[row["number"], row["index"] // BLOCK], *logged[row["lease"], row["interval"]])
        for row in rows
    ]


def _occurrences(found: Sequence[_Found]) -> list[Occurrence]:
    hashed: dict[tuple[int, int], list[bytes]] = {}
    return [_occurrence(each, hashed) for each in found]


def _occurrence(found: _Found, hashed: dict[tuple[int, int], list[bytes]]) -> Occurrence:
    row, log = found.row, found.log
    return Occurrence(
        lease=row["lease"],
        lease_number=row["lease_number"],
        interval=row["interval"],
        interval_start=log.starts_at,
        interval_end=log.ends_at,
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
        amount=str(log.amount),
        paid=str(log.amount) if found.settlement else "0",
        dispute=dispute_of(log.challenge),
        settlement=found.settlement,
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

"""`ionet trace` believes nothing: every step of an indexer's answer is checked against the chain."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from typing import Any

import pytest
from client.sdk.conftest import Chain
from client.sdk.http_node import answered, node
from client.sdk.parties import IO, IOSD, Machine, Party, hireable_node, open_cluster, party, running_lease
from ionet.errors import IonetError
from ionet.generated.events import LeaseStarted, ProofAppended
from ionet.plan import Receipt
from ionet.rules import merkle
from ionet.trace import ApiError, NotTraced, Occurrence, TraceRefused, fetch, verify
from msgspec import convert
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="session")

RESULTS = [merkle.result_hash(b"result %d" % number) for number in range(5)]
TASKS = [hashlib.sha256(b"task %d" % number).digest() for number in range(5)]
WANTED = 3


def leaves(started: LeaseStarted) -> list[bytes]:
    key = bytes(started.lease)
    return [merkle.leaf(key, 0, index, TASKS[index], RESULTS[index]) for index in range(5)]


async def prove(supplier: Party, machine: Machine, started: LeaseStarted, root: bytes) -> Receipt:
    return await supplier.client.lease.append_proof(
        started.lease, machine.device, node=machine.node, interval=0, served_secs=1, root=root, gpu_ms=1
    )


def answer(machine: Machine, started: LeaseStarted, receipt: Receipt) -> dict[str, Any]:
    """What an honest indexer says about result number WANTED."""
    (record,) = receipt.events
    assert isinstance(record.event, ProofAppended)
    hashes = leaves(started)
    nobody = str(Pubkey.default())
    return {
        **dict.fromkeys(("lease_number", "price", "amount", "paid"), "0"),
        **dict.fromkeys(("owner", "device_key", "cluster", "renter"), nobody),
        **dict.fromkeys(("interval_start", "interval_end", "dispute", "settlement")),
        "model": 3,
        "country": 276,
        "processors": 8,
        "currency": "IOSD",
        "lease": str(started.lease),
        "interval": 0,
        "node": str(machine.node),
        "proof": {
            "slot": 1,
            "at": 1,
            "served_secs": 1,
            "gpu_ms": "1",
            "proof_head": "",
            "signature": str(receipt.signature),
            "outer_ix": record.outer_index,
            "inner_ix": record.inner_index,
        },
        "leaf": {
            "hash": "",
            "verified": True,
            "index": WANTED,
            "count": len(hashes),
            "task_id": TASKS[WANTED].hex(),
            "path": [item.hex() for item in merkle.path(hashes, WANTED)],
            "root": merkle.root(hashes).hex(),
        },
    }


async def test_honest_answer_holds_and_every_lie_is_found(network: Chain) -> None:
    supplier, renter = await party(network, 1_000 * IO), await party(network, 100 * IO)
    machine, cluster = await hireable_node(supplier), await open_cluster(renter, IOSD)
    started = await running_lease(supplier, renter, cluster, machine, 60)
    while await renter.client.rpc.unix_time() < started.at + 1:
        pass
    earlier = await prove(supplier, machine, started, bytes([1] * 32))
    receipt = await prove(supplier, machine, started, merkle.root(leaves(started)))
    honest, client = answer(machine, started, receipt), network.client()
    await verify(client, convert(honest, Occurrence), RESULTS[WANTED])

    with pytest.raises(TraceRefused, match="does not lead to its root"):
        await verify(client, convert(honest, Occurrence), RESULTS[0])
    forged = merkle.leaf(bytes(started.lease), 0, 0, TASKS[0], RESULTS[0])
    lies: list[tuple[list[str], Any, str]] = [
        (["leaf", "task_id"], TASKS[0].hex(), "does not lead"),
        (["leaf", "index"], 2, "does not lead"),
        (["leaf", "count"], 4, "does not lead"),
        (["leaf", "path"], [], "does not lead"),
        (["interval"], 1, "does not lead"),
        (["lease"], str(cluster), "does not lead"),
        (["node"], str(cluster), "does not record this root"),
        (["proof", "inner_ix"], 5, "does not record this root"),
        (["proof", "signature"], str(earlier.signature), "does not record this root"),
        (["proof", "signature"], "1" * 64, "the chain has no transaction"),
    ]
    for path, lie, message in lies:
        told = deepcopy(honest)
        place = told
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = lie
        with pytest.raises(TraceRefused, match=message):
            await verify(client, convert(told, Occurrence), RESULTS[WANTED])
    for path, nonsense in (
        (["lease"], "not a key"),
        (["leaf", "task_id"], "xyz"),
        (["leaf", "task_id"], "00"),
        (["leaf", "path"], ["0"]),
        (["leaf", "index"], -1),
        (["interval"], -1),
        (["proof", "signature"], "l0"),
    ):
        told = deepcopy(honest)
        place = told
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = nonsense
        with pytest.raises(ApiError, match="malformed answer"):
            await verify(client, convert(told, Occurrence), RESULTS[WANTED])
    # A tree of the liar's own is consistent in itself, but its root is not on the chain.
    own = deepcopy(honest)
    own["leaf"] |= {"index": 0, "count": 1, "task_id": TASKS[0].hex(), "path": [], "root": forged.hex()}
    with pytest.raises(TraceRefused, match="does not record this root"):
        await verify(client, convert(own, Occurrence), RESULTS[0])


PAGE = {"slot": 1, "finalized_slot": 1, "result_hash": "", "items": [], "next": None}


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (404, json.dumps({"detail": "leaves missing"}), NotTraced, "leaves missing"),
        (400, json.dumps({"detail": "bad hash"}), ApiError, "bad hash"),
        (500, json.dumps({"title": "Internal Server Error"}), ApiError, "Internal Server Error"),
        (500, "{}", ApiError, "HTTP 500"),
        (200, "<html>", ApiError, "is not an ionet indexer"),
        (200, json.dumps({**PAGE, "items": [{}]}), ApiError, "is not an ionet indexer"),
        (200, json.dumps({**PAGE, "items": 7}), ApiError, "is not an ionet indexer"),
        (200, json.dumps(PAGE) + " " * (1 << 20), ApiError, "an answer of more than"),
        (200, json.dumps({**PAGE, "next": "again"}), ApiError, "does not end after 1000 pages"),
    ],
)
async def test_an_answer_of_another_form_or_size_is_an_error(
    status: int, body: str, error: type[IonetError], message: str
) -> None:
    async with node(answered(f"{status} Answer", body)) as server:
        with pytest.raises(error, match=message):
            await fetch(server.url, RESULTS[0])


async def test_an_indexer_that_is_not_there_is_named() -> None:
    with pytest.raises(ApiError, match=r"http://127\.0\.0\.1:9: ConnectError"):
        await fetch("http://127.0.0.1:9", RESULTS[0])


async def test_pages_are_put_together() -> None:
    first, last = (answered("200 OK", json.dumps({**PAGE, "next": each})) for each in ("more", None))
    async with node(first, last) as server:
        assert await fetch(server.url, RESULTS[0]) == []
        assert len(server.asked) == 2

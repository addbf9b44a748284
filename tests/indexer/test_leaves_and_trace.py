"""Uploading leaves, and tracing a result back to the chain with a path that the client verifies itself."""

from __future__ import annotations

import asyncio
import socket
from hashlib import sha256
from typing import Any

import asyncpg
import httpx2
import msgspec
import pytest
from indexer.api_server import RecordedAccounts, fill, served
from indexer.recording import Recording
from indexer.story import INTERVAL, RESULTS
from ionet.leaves import (
    MAX_LEAVES,
    MAX_LIFETIME_SECS,
    PATH,
    BadUpload,
    IndexerUnreachable,
    Upload,
    UploadTooEarly,
    UploadUnauthorized,
    send_upload,
    sign_upload,
    signing_message,
)
from ionet.program import PROGRAM
from ionet.rules import merkle
from ionet_indexer.api import app, tree
from ionet_indexer.core.reader import Reader
from market import PRICE, key, leaf_hashes, leaves
from solders.keypair import Keypair
from solders.pubkey import Pubkey


def upload_of(recording: Recording, interval: int, *, signer: Keypair | None = None) -> Upload:
    lease, results = recording.story.served, RESULTS[interval]
    root = merkle.root(leaf_hashes(lease, interval, results))
    return sign_upload(signer or recording.story.machines[0].device, lease, interval, root, leaves(results))


def post(api: httpx2.Client, upload: Upload, **headers: str) -> httpx2.Response:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.post(PATH, content=upload.leaves, headers={**upload.headers, **changed})


def resigned(upload: Upload, signer: Keypair, **changes: Any) -> Upload:
    """The upload with other fields, signed again."""
    changed = msgspec.structs.replace(upload, **changes)
    message = signing_message(
        bytes(Pubkey.from_string(changed.lease)),
        changed.interval,
        bytes.fromhex(changed.root),
        changed.count,
        bytes.fromhex(changed.nonce),
        changed.expires_at,
    )
    return msgspec.structs.replace(changed, signature=bytes(signer.sign_message(message)).hex())


@pytest.fixture(scope="module")
def uploaded(api: httpx2.Client, recording: Recording) -> None:
    """All intervals but the second."""
    for interval in (0, 2):
        response = post(api, upload_of(recording, interval))
        assert response.status_code == 201, response.text
        assert response.json()["new"] is True


@pytest.mark.usefixtures("uploaded")
def test_a_result_is_traced_to_every_place_where_it_was_proven(api: httpx2.Client, recording: Recording) -> None:
    """`first` is the first result of interval 0 and of interval 2."""
    found = api.get(f"/v1/trace/{merkle.result_hash(b'first').hex()}").json()
    assert (found["slot"], found["next"]) == (recording.heads.confirmed, None)
    assert [item["interval"] for item in found["items"]] == [0, 2]
    proofs = {item["interval"]: item for item in api.get("/v1/proofs").json()["items"]}
    lease = api.get(f"/v1/leases/{recording.story.served}").json()["item"]
    for item in found["items"]:
        leaf, proof = item["leaf"], proofs[item["interval"]]
        assert item["lease"] == str(recording.story.served)
        assert item["node"] == str(recording.story.machines[0].address)
        own = merkle.leaf(
            bytes(recording.story.served),
            item["interval"],
            leaf["index"],
            bytes.fromhex(leaf["task_id"]),
            sha256(b"first").digest(),
        )
        path = [bytes.fromhex(sibling) for sibling in leaf["path"]]
        assert merkle.verify(own, leaf["index"], leaf["count"], path, bytes.fromhex(proof["root"]))
        assert leaf["verified"] is True
        assert item["proof"]["signature"] == proof["signature"]
        assert item["interval_start"] == lease["started_at"] + item["interval"] * INTERVAL
    # The amounts of the intervals add up to what the lease was paid: 3,333 + 3,333 + 3,334.
    assert [item["amount"] for item in found["items"]] == ["3333", "3334"]
    assert int(lease["paid"]) == PRICE * 2 * 9 // 3600 == 10_000
    (payment,) = api.get("/v1/payments", params={"lease": lease["lease"]}).json()["items"]
    assert {item["settlement"]["signature"] for item in found["items"]} == {payment["signature"]}


@pytest.mark.usefixtures("uploaded")
def test_occurrences_are_paged(api: httpx2.Client) -> None:
    path = f"/v1/trace/{merkle.result_hash(b'first').hex()}"
    first = api.get(path, params={"limit": 1}).json()
    second = api.get(path, params={"limit": 1, "cursor": first["next"]}).json()
    assert [page["items"][0]["interval"] for page in (first, second)] == [0, 2]
    assert second["next"] is None


@pytest.mark.usefixtures("uploaded")
def test_missing_leaves_are_said_to_be_missing(api: httpx2.Client) -> None:
    response = api.get(f"/v1/trace/{merkle.result_hash(b'fourth').hex()}")
    assert response.status_code == 404
    assert "leaves missing" in response.json()["detail"]
    known = {item["interval"]: item["leaves"] for item in api.get("/v1/proofs").json()["items"]}
    assert known == {0: 3, 1: None, 2: 2}


@pytest.mark.usefixtures("uploaded")
def test_the_same_leaves_again_change_nothing(api: httpx2.Client, recording: Recording) -> None:
    response = post(api, upload_of(recording, 0))
    assert (response.status_code, response.json()["new"]) == (201, False)


def test_an_upload_is_taken_once(api: httpx2.Client, recording: Recording) -> None:
    upload = upload_of(recording, 0)
    assert post(api, upload).status_code == 201
    response = post(api, upload)
    assert response.status_code == 401
    assert "used before" in response.json()["detail"]


def test_refusals(api: httpx2.Client, recording: Recording) -> None:
    device = recording.story.machines[0].device
    good = upload_of(recording, 1)
    pairs = good.leaves
    swapped = pairs[:32] + bytes(32)
    cases: list[tuple[int, str, Upload]] = [
        (401, "device key", upload_of(recording, 1, signer=key("stranger"))),
        (401, "device key", upload_of(recording, 1, signer=recording.story.machines[1].device)),
        (401, "device key", msgspec.structs.replace(good, count=2 * good.count, leaves=pairs + pairs)),
        (401, "device key", msgspec.structs.replace(good, expires_at=good.expires_at + 1)),
        (401, "expire", resigned(good, device, expires_at=1)),
        (401, "expire", resigned(good, device, expires_at=good.expires_at + MAX_LIFETIME_SECS)),
        (422, "do not hash", resigned(good, device, leaves=swapped)),
        (422, "no proof", resigned(good, device, interval=7)),
        (422, "no proof", resigned(good, device, root="11" * 32)),
        (404, "not known", resigned(good, device, lease=str(key("nothing").pubkey()))),
        (400, "leaves", resigned(good, device, leaves=b"", count=0)),
        (400, "leaves", resigned(good, device, count=MAX_LEAVES + 1)),
        (413, "64 bytes", msgspec.structs.replace(good, leaves=pairs + pairs)),
        (400, "64 bytes", msgspec.structs.replace(good, leaves=pairs[:63])),
        (400, "lower-case hex", msgspec.structs.replace(good, root=good.root.upper())),
        (400, "lower-case hex", msgspec.structs.replace(good, nonce="00")),
        (400, "lower-case hex", msgspec.structs.replace(good, signature="zz" * 64)),
        (400, "u32", msgspec.structs.replace(good, interval=1 << 32)),
        (400, "address", msgspec.structs.replace(good, lease="?")),
    ]
    for status, word, upload in cases:
        response = post(api, upload)
        assert (response.status_code, word in response.json()["detail"]) == (status, True), response.text
        assert response.headers["content-type"] == "application/problem+json"
    assert [item["leaves"] for item in api.get("/v1/proofs", params={"interval": 1}).json()["items"]] == [None]


@pytest.mark.parametrize("name", ["ionet-lease", "ionet-count", "ionet-expires-at", "ionet-signature"])
def test_a_missing_header_is_a_problem(name: str, api: httpx2.Client, recording: Recording) -> None:
    upload = upload_of(recording, 1)
    headers = {key: value for key, value in upload.headers.items() if key != name}
    response = api.post(PATH, content=upload.leaves, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (400, "application/problem+json")


def test_leaves_are_no_json(api: httpx2.Client, recording: Recording) -> None:
    response = post(api, upload_of(recording, 1), content_type="application/json")
    assert (response.status_code, response.json()["type"]) == (415, "unsupported-media-type")


def begun(api: httpx2.Client, headers: dict[str, str], length: str) -> bytes:
    """The answer to headers after which no byte of a body comes."""
    with socket.create_connection((api.base_url.host, api.base_url.port or 80), timeout=10) as connection:
        lines = [f"POST {PATH} HTTP/1.1", "host: api", length, *(f"{name}: {value}" for name, value in headers.items())]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection.recv(65_536)


def test_an_upload_is_refused_before_its_body_is_read(api: httpx2.Client, recording: Recording) -> None:
    """Nobody but the device key makes the server take a body: the answer comes though none was sent."""
    device = recording.story.machines[0].device
    good = upload_of(recording, 0)
    length = f"content-length: {len(good.leaves)}"
    cases = [
        (b"401", upload_of(recording, 0, signer=key("stranger")).headers, length),
        (b"401", resigned(good, device, expires_at=1).headers, length),
        (b"404", resigned(good, device, lease=str(key("nothing").pubkey())).headers, length),
        (b"422", resigned(good, device, root="11" * 32).headers, length),
        (b"413", good.headers, "content-length: 6400000"),
        (b"411", good.headers, "transfer-encoding: chunked"),
    ]
    for status, headers, told in cases:
        assert begun(api, headers, told).split(b" ")[1] == status
    assert post(api, good).status_code == 201
    used = post(api, good)
    assert (used.status_code, begun(api, good.headers, length).split(b" ")[1]) == (401, b"401")


async def test_a_device_key_has_a_budget_of_bytes(recording: Recording, dsn: str, monkeypatch: Any) -> None:
    await fill(dsn, recording, RecordedAccounts(recording))
    size = len(upload_of(recording, 0).leaves)
    monkeypatch.setattr(app, "BYTES_AT_ONCE", 2 * size)
    monkeypatch.setattr(app, "BYTES_PER_SECOND", 1)
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=30) as client:
        stranger = post(client, upload_of(recording, 0, signer=key("stranger")))  # takes nothing of the budget
        answers = [post(client, upload_of(recording, 0)) for _ in range(3)]
    assert [each.status_code for each in (stranger, *answers)] == [401, 201, 201, 429]
    assert answers[-1].json()["type"] == "too-many-requests"
    # Of the three, the third finds the bucket at (nearly) nothing; a byte comes each second.
    assert size - 5 <= int(answers[-1].headers["retry-after"]) <= size


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 511, 513, 1_000])
def test_a_path_over_stored_nodes_is_the_path_of_the_whole_tree(count: int) -> None:
    lease, interval = bytes(range(32)), 7
    body = b"".join(sha256(bytes([1]) + number.to_bytes(4, "big")).digest() * 2 for number in range(count))
    pairs = [(body[start : start + 32], body[start + 32 : start + 64]) for start in range(0, len(body), 64)]
    whole = [merkle.leaf(lease, interval, number, *pair) for number, pair in enumerate(pairs)]
    assert tree.hashes(lease, interval, body) == whole
    stored = tree.blocks(whole)
    assert merkle.root(stored) == merkle.root(whole)
    for index in {0, count // 2, count - 1, min(255, count - 1), min(256, count - 1)}:
        first = index // tree.BLOCK * tree.BLOCK
        block = tree.hashes(lease, interval, body[64 * first : 64 * (first + tree.BLOCK)], first)
        assert tree.path(block, stored, index) == merkle.path(whole, index)


async def test_a_trace_hashes_each_block_once_and_holds_no_connection(
    recording: Recording, dsn: str, monkeypatch: Any
) -> None:
    """Thousands of leaves with one result: twenty occurrences of one block are one block's work, after the reading."""
    await fill(dsn, recording, RecordedAccounts(recording))
    lease, count = recording.story.served, 5_000
    shared = merkle.result_hash(b"the same")
    pairs = [(number.to_bytes(32, "big"), shared) for number in range(count)]
    hashes = [merkle.leaf(bytes(lease), 0, number, *pair) for number, pair in enumerate(pairs)]
    root = merkle.root(hashes)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "UPDATE proofs SET root = $1 WHERE lease = $2 AND interval = 0", root.hex(), str(lease)
        )
    finally:
        await connection.close()
    hashed: list[int] = []
    real = tree.hashes

    def noted(lease: bytes, interval: int, body: bytes, first: int = 0) -> list[bytes]:
        hashed.append(len(body) // 64)
        held.append(pool.get_size() - pool.get_idle_size())
        return real(lease, interval, body, first)

    held: list[int] = []
    async with Reader.open(dsn) as reader:
        pool = reader._pool
        monkeypatch.setattr(tree, "hashes", noted)
        asgi: Any = app.create_app(reader, PROGRAM.codec)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=asgi), base_url="http://api") as client:
            upload = sign_upload(recording.story.machines[0].device, lease, 0, root, pairs)
            response = await client.post(PATH, content=upload.leaves, headers=upload.headers)
            assert response.status_code == 201, response.text
            hashed.clear()
            page = (await client.get(f"/v1/trace/{shared.hex()}", params={"limit": 20})).json()
    assert [item["leaf"]["index"] for item in page["items"]] == list(range(20))
    for item in page["items"]:
        leaf = item["leaf"]
        siblings = [bytes.fromhex(text) for text in leaf["path"]]
        assert siblings == merkle.path(hashes, leaf["index"])
        assert leaf["verified"] is True
    assert hashed == [tree.BLOCK]
    assert set(held) == {0}


async def test_the_client_function_says_why(api: httpx2.Client, recording: Recording) -> None:
    async with httpx2.AsyncClient() as http:
        with pytest.raises(UploadUnauthorized, match="device key") as refused:
            await send_upload(http, str(api.base_url), upload_of(recording, 1, signer=key("stranger")))
        assert refused.value.status == 401
        unknown = msgspec.structs.replace(upload_of(recording, 1), lease=str(key("nowhere").pubkey()))
        with pytest.raises(UploadTooEarly, match="is not known at slot"):
            await send_upload(http, str(api.base_url), unknown)
        with pytest.raises(BadUpload, match="root: not 32 bytes"):
            await send_upload(http, str(api.base_url), msgspec.structs.replace(upload_of(recording, 1), root="00"))
        with pytest.raises(IndexerUnreachable) as absent:
            await send_upload(http, "http://127.0.0.1:1", upload_of(recording, 1))
        assert absent.value.status == 0


def test_leaves_of_a_replaced_root_are_dropped(api: httpx2.Client, recording: Recording, api_dsn: str) -> None:
    """A later proof of the same interval has another root; once its leaves are there, the older ones go."""

    async def sets(sql: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(api_dsn)
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()

    lease = str(recording.story.served)
    columns = "lease, interval, root, leaves, uploaded_at, body, blocks"
    old = f"INSERT INTO leaf_sets ({columns}) VALUES ($1, 1, $2, 0, 0, '', '')"
    asyncio.run(sets(old, lease, "22" * 32))
    assert post(api, upload_of(recording, 1)).status_code == 201
    left = asyncio.run(sets("SELECT root FROM leaf_sets WHERE lease = $1 AND interval = 1", lease))
    assert [row["root"] for row in left] == [upload_of(recording, 1).root]
    asyncio.run(sets("DELETE FROM leaf_sets WHERE lease = $1 AND interval = 1", lease))

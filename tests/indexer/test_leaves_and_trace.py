"""Uploading leaves, and tracing a result back to the chain with a path that the client verifies itself."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import asyncpg
import httpx2
import msgspec
import pytest
from indexer.recording import Recording
from indexer.story import INTERVAL, RESULTS
from ionet.leaves import (
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
from ionet.rules import merkle
from market import PRICE, key, leaf_hashes, leaves
from solders.keypair import Keypair
from solders.pubkey import Pubkey


def upload_of(recording: Recording, interval: int, *, signer: Keypair | None = None) -> Upload:
    lease, results = recording.story.served, RESULTS[interval]
    root = merkle.root(leaf_hashes(lease, interval, results))
    return sign_upload(signer or recording.story.machines[0].device, lease, interval, root, leaves(results))


def post(api: httpx2.Client, upload: Upload | bytes | dict[str, Any]) -> httpx2.Response:
    body = upload if isinstance(upload, bytes) else msgspec.json.encode(upload)
    return api.post(PATH, content=body, headers={"content-type": "application/json"})


def resigned(upload: Upload, signer: Keypair, **changes: Any) -> Upload:
    """The upload with other fields, signed again."""
    changed = msgspec.structs.replace(upload, **changes)
    message = signing_message(
        bytes(Pubkey.from_string(changed.lease)),
        changed.interval,
        bytes.fromhex(changed.root),
        len(changed.leaves),
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
    swapped = [(pairs[0][0], "00" * 32)]
    cases: list[tuple[int, str, Upload]] = [
        (401, "device key", upload_of(recording, 1, signer=key("stranger"))),
        (401, "device key", upload_of(recording, 1, signer=recording.story.machines[1].device)),
        (401, "device key", msgspec.structs.replace(good, leaves=[*pairs, *pairs])),
        (401, "device key", msgspec.structs.replace(good, expires_at=good.expires_at + 1)),
        (401, "expire", resigned(good, device, expires_at=1)),
        (401, "expire", resigned(good, device, expires_at=good.expires_at + MAX_LIFETIME_SECS)),
        (422, "do not hash", resigned(good, device, leaves=swapped)),
        (422, "no proof", resigned(good, device, interval=7)),
        (422, "no proof", resigned(good, device, root="11" * 32)),
        (404, "not known", resigned(good, device, lease=str(key("nothing").pubkey()))),
        (400, "leaves", resigned(good, device, leaves=[])),
        (400, "lower-case hex", msgspec.structs.replace(good, root=good.root.upper())),
        (400, "lower-case hex", msgspec.structs.replace(good, nonce="00")),
        (400, "lower-case hex", msgspec.structs.replace(good, signature="zz" * 64)),
        (400, "lower-case hex", msgspec.structs.replace(good, leaves=[("ab", "cd")])),
        (400, "u32", msgspec.structs.replace(good, interval=1 << 32)),
        (400, "address", msgspec.structs.replace(good, lease="?")),
    ]
    for status, word, upload in cases:
        response = post(api, upload)
        assert (response.status_code, word in response.json()["detail"]) == (status, True), response.text
        assert response.headers["content-type"] == "application/problem+json"
    assert [item["leaves"] for item in api.get("/v1/proofs", params={"interval": 1}).json()["items"]] == [None]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"lease": 1}', b'"' * 100, b'{"lease":"x","interval":1,"extra":true}']
)
def test_bodies_that_are_no_upload_are_problems(body: bytes, api: httpx2.Client) -> None:
    response = post(api, body)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


def test_a_body_beyond_the_limit_is_refused(api: httpx2.Client) -> None:
    response = post(api, b" " * (17 << 20))
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


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
    old = "INSERT INTO leaf_sets (lease, interval, root, leaves, uploaded_at) VALUES ($1, 1, $2, 0, 0)"
    asyncio.run(sets(old, lease, "22" * 32))
    assert post(api, upload_of(recording, 1)).status_code == 201
    left = asyncio.run(sets("SELECT root FROM leaf_sets WHERE lease = $1 AND interval = 1", lease))
    assert [row["root"] for row in left] == [upload_of(recording, 1).root]
    asyncio.run(sets("DELETE FROM leaf_sets WHERE lease = $1 AND interval = 1", lease))

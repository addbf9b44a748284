"""What nodes say of themselves: who is believed, which minutes count, and what can be rented by it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import httpx2
import msgspec
import pytest
import pytest_asyncio
from indexer.api_server import RecordedAccounts, fill, served
from indexer.recording import Recording
from ionet import advert as messages
from ionet.advert import MAX_BYTES, MAX_LIFETIME_SECS, PATH, Advert, Bandwidth, Gpu, LeaseLimits
from ionet.program import PROGRAM
from ionet.rules import reputation as rules
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.store import Writer
from market import key
from solders.keypair import Keypair


@pytest_asyncio.fixture
async def filled(dsn: str, recording: Recording) -> AsyncIterator[asyncpg.Connection]:
    """The story, with its nodes ready to be hired."""
    await fill(dsn, recording, RecordedAccounts(recording))
    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE nodes SET flags = 0, current_lease = NULL, bonded = bonded * 100")
    yield connection
    await connection.close()


@pytest.fixture
def client(filled: asyncpg.Connection, dsn: str) -> Iterator[httpx2.Client]:  # noqa: ARG001 - to be filled
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=30) as client:
        yield client


def said(recording: Recording, number: int = 0, **changes: Any) -> Advert:
    machine, now = recording.story.machines[number], time.time()
    made = Advert(
        node=str(machine.address),
        seq=int(now * 1000),
        expires=int(now) + 180,
        endpoints=["127.0.0.1:7070", "[2606:4700::1]:7070"],
        relays=[],
        certificate=messages.certificate_text(machine.device),
        ray="2.60.0",
        cuda="12.4",
        isolation="none",
        gpus=[Gpu("NVIDIA H100", 81_559)],
        bandwidth=Bandwidth(93, 480, int(now) - 60, "relay.example:7443"),
        isolation_reason="container: no daemon answers",
        limits=LeaseLimits(8, 61_440, 102_400, 4_096),
    )
    return msgspec.structs.replace(made, **changes)


def send(
    client: httpx2.Client, advert: Advert | bytes, device: Keypair, node: str = "", **headers: str
) -> httpx2.Response:
    body = advert if isinstance(advert, bytes) else messages.encode(advert)
    named = node or (advert.node if isinstance(advert, Advert) else "")
    sent = {"ionet-node": named, "ionet-signature": messages.sign(device, body), "content-type": "application/json"}
    return client.post(PATH, content=body, headers=sent | {name.replace("_", "-"): v for name, v in headers.items()})


def refused(response: httpx2.Response, status: int, text: str) -> None:
    assert (response.status_code, text in response.json()["detail"]) == (status, True), response.text


async def until(client: httpx2.Client, path: str, **wanted: object) -> Any:
    """The item at a path, once it says this; the API looks every few seconds."""
    async with asyncio.timeout(30):
        while True:
            found = client.get(path).json()["item"]
            if all(found[name] == value for name, value in wanted.items()):
                return found
            await asyncio.sleep(0.2)


async def test_an_advert_makes_a_node_online_and_rentable(
    client: httpx2.Client, recording: Recording, filled: asyncpg.Connection
) -> None:
    first = recording.story.machines[0]
    assert client.get("/v1/nodes?rentable=true").json()["items"] == []
    [offer] = client.get("/v1/offers").json()["items"]
    assert (offer["nodes_rentable"], offer["why_not"]) == (0, {"offline": 3})
    before = client.get("/v1/nodes").headers["etag"]
    advert = said(recording)
    response = send(client, advert, first.device)
    assert (response.status_code, response.json()) == (201, {"node": advert.node, "seq": advert.seq, "new": True})
    node = await until(client, f"/v1/nodes/{advert.node}", online=True)
    assert (node["hireable"], node["rentable"]) == (True, True)
    assert client.get("/v1/nodes").headers["etag"] != before, "caches are told"
    assert [item["node"] for item in client.get("/v1/nodes?rentable=true").json()["items"]] == [advert.node]
    assert len(client.get("/v1/nodes?rentable=false").json()["items"]) == 2
    [offer] = client.get("/v1/offers").json()["items"]
    assert (offer["nodes_rentable"], offer["processors_rentable"], offer["why_not"]) == (1, 2, {"offline": 2})
    network = client.get("/v1/network").json()["item"]
    assert [network[f"{what}_{how}"] for how in ("online", "rentable") for what in ("nodes", "processors")] == [
        1,
        2,
    ] * 2
    shown = client.get(f"/v1/nodes/{advert.node}/advert").json()["item"]
    assert {
        name: shown[name]
        for name in ("endpoints", "ray", "cuda", "isolation", "isolation_reason", "limits", "gpus", "online")
    } == {
        "endpoints": advert.endpoints,
        "ray": "2.60.0",
        "cuda": "12.4",
        "isolation_reason": "container: no daemon answers",
        "isolation": "none",
        "limits": {"cpus": 8, "memory_mib": 61_440, "disk_mib": 102_400, "processes": 4_096},
        "gpus": [{"name": "NVIDIA H100", "memory_mib": 81_559}],
        "online": True,
    }
    assert messages.is_signed(first.device.pubkey(), shown["body"].encode(), shown["signature"])
    await filled.execute("UPDATE adverts SET seen_at = seen_at - 181")
    await until(client, f"/v1/nodes/{advert.node}", online=False, rentable=False)
    assert client.get("/v1/offers").json()["items"][0]["why_not"] == {"offline": 3}


async def test_a_node_whose_device_key_was_rotated_or_whose_advert_is_over_is_not_online(
    client: httpx2.Client, recording: Recording, filled: asyncpg.Connection
) -> None:
    for number in (0, 1):
        assert send(client, said(recording, number), recording.story.machines[number].device).status_code == 201
    nodes = [str(machine.address) for machine in recording.story.machines]
    for node in nodes[:2]:
        await until(client, f"/v1/nodes/{node}", online=True)
    await filled.execute("UPDATE nodes SET device_key = $2 WHERE node = $1", nodes[0], str(key("new").pubkey()))
    await filled.execute("UPDATE adverts SET expires = $2 WHERE node = $1", nodes[1], int(time.time()))
    for node in nodes[:2]:
        await until(client, f"/v1/nodes/{node}", online=False)
    refused(send(client, said(recording, 0), recording.story.machines[0].device), 401, "not signed by")
    old = said(recording, 0, seq=1, certificate=messages.certificate_text(key("new")))
    assert send(client, old, key("new")).status_code == 201, "a new key begins again"


async def test_history_is_a_row_for_each_change_and_a_bit_for_each_minute(
    client: httpx2.Client, recording: Recording, filled: asyncpg.Connection
) -> None:
    device, node = recording.story.machines[0].device, str(recording.story.machines[0].address)
    first = said(recording)
    later = msgspec.structs.replace(first, seq=first.seq + 1, expires=first.expires + 1)
    other = msgspec.structs.replace(first, seq=first.seq + 2, ray="2.61.0")
    for advert in (first, later, other):
        assert send(client, advert, device).json()["new"] is True
    minutes = {int(time.time()) // 60 - back for back in (0, 1)}
    shown = client.get(f"/v1/nodes/{node}/advert").json()["item"]
    assert [(change["seq"], json.loads(change["body"])["ray"]) for change in shown["changes"]] == [
        (other.seq, "2.61.0"),
        (first.seq, "2.60.0"),
    ]
    rows = await filled.fetch("SELECT day, bits FROM node_minutes")
    seen = {row["day"] * 1440 + bit for row in rows for bit in range(1440) if row["bits"][bit // 8] >> bit % 8 & 1}
    assert seen
    assert seen <= minutes
    await filled.execute("UPDATE advert_changes SET seq = 0 WHERE seq = $1", first.seq)
    for number in range(1, 120):
        sql = "INSERT INTO advert_changes VALUES ($1, $2, 0, '', '')"
        await filled.execute(sql, node, number)
    for bucket in range(1, 3):
        changed = msgspec.structs.replace(first, seq=other.seq + bucket, ray=f"3.{bucket}")
        assert send(client, changed, device).status_code == 201
    assert await filled.fetchval("SELECT count(*) FROM advert_changes") == 100


async def test_what_is_sent_again_counts_for_nothing(
    client: httpx2.Client, recording: Recording, filled: asyncpg.Connection
) -> None:
    device, advert = recording.story.machines[0].device, said(recording)
    assert send(client, advert, device).json()["new"] is True
    await filled.execute("DELETE FROM node_minutes")
    for _ in range(20):
        response = send(client, advert, device)
        assert (response.status_code, response.json()["new"]) == (201, False)
    assert await filled.fetchval("SELECT count(*) FROM node_minutes") == 0
    newer = msgspec.structs.replace(advert, seq=advert.seq + 1)
    assert send(client, newer, device).status_code == 201
    refused(send(client, advert, device), 422, "a later advert is there")
    refused(send(client, msgspec.structs.replace(newer, ray="other"), device), 422, "a later advert is there")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"endpoints": ["10.0.0.1:80"]}, "neither public nor loopback"),
    ({"endpoints": ["169.254.169.254:80"]}, "neither public nor loopback"),
    ({"endpoints": ["0.0.0.0:80"]}, "neither public nor loopback"),
    ({"endpoints": ["224.0.0.1:80"]}, "neither public nor loopback"),
    ({"endpoints": ["[::ffff:10.0.0.1]:80"]}, "as it is written|of its kind"),
    ({"endpoints": ["example.com:80"]}, "does not appear to be"),
    ({"endpoints": ["[::ffff:a00:1]:80"]}, "as it is written|of its kind"),
    ({"endpoints": ["127.0.0.1"]}, "is not HOST:PORT"),
    ({"endpoints": ["127.0.0.1:0"]}, "is not HOST:PORT"),
    ({"endpoints": ["127.0.0.1:080"]}, "is not HOST:PORT"),
    ({"endpoints": ["127.0.0.1:65536"]}, "is not HOST:PORT"),
    ({"endpoints": ["127.0.0.1:80/../x"]}, "is not HOST:PORT"),
    ({"endpoints": ["[::1%lo]:80"]}, "of its kind"),
    ({"endpoints": ["127.0.0.1:80"] * 5}, "length <= 4"),
    ({"relays": ["127.0.0.1:80"] * 3}, "length <= 2"),
    ({"relays": ["user@127.0.0.1:80"]}, "does not appear to be"),
    ({"gpus": [Gpu("x", 1)] * 65}, "length <= 64"),
    ({"gpus": [Gpu("x\n", 1)]}, "matching regex"),
    ({"gpus": [Gpu("x" * 65, 1)]}, "length <= 64"),
    ({"gpus": [Gpu("x", -1)]}, ">= 0"),
    ({"ray": ""}, "length >= 1"),
    ({"isolation": "a\x1b[2J"}, "matching regex"),
    ({"bandwidth": {"up_mbits": 2**31, "down_mbits": 1, "at": 1, "relay": "r"}}, "<"),
    ({"seq": 2**53}, "<"),
    ({"seq": 2**52}, "beyond its end"),
    ({"certificate": "!"}, "base64"),
    ({"certificate": messages.certificate_text(key("other"))}, "certificate is not the device key's"),
]


@pytest.mark.parametrize(("changes", "text"), BAD, ids=str)
def test_what_cannot_be_so_is_not_taken(recording: Recording, changes: dict[str, Any], text: str) -> None:
    machine = recording.story.machines[0]
    body = messages.encode(said(recording, 0, **changes))
    with pytest.raises(messages.BadAdvert, match=text):
        messages.decode(body, str(machine.address), machine.device.pubkey())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"' + b"a" * 8000 + b'"', b"[" * 8000, b'{"more": 1}'])
def test_what_is_no_advert_is_not_taken(recording: Recording, body: bytes) -> None:
    machine = recording.story.machines[0]
    with pytest.raises(messages.BadAdvert):
        messages.decode(body, str(machine.address), machine.device.pubkey())


async def test_refusals(client: httpx2.Client, recording: Recording, filled: asyncpg.Connection) -> None:
    machine, now = recording.story.machines[0], int(time.time())
    good, device = said(recording), machine.device
    refused(send(client, good, key("a stranger")), 401, "not signed by the node's device key")
    refused(send(client, good, device, ionet_signature="zz" * 64), 401, "not signed")
    refused(send(client, good, device, node=str(key("nobody at all").pubkey())), 404, "is not known")
    refused(send(client, good, device, node=str(recording.story.machines[1].address)), 401, "not signed")
    refused(send(client, good, device, content_type="text/plain"), 415, "application/json")
    refused(send(client, b"x" * (MAX_BYTES + 1), device, node=good.node), 413, "at most")
    chunked = client.post(
        PATH,
        content=iter([b"x"]),
        headers={"ionet-node": good.node, "ionet-signature": "00" * 64, "content-type": "application/json"},
    )
    assert chunked.status_code == 411
    refused(send(client, said(recording, expires=now - 1, seq=1), device), 401, "must expire within")
    refused(send(client, said(recording, expires=now + MAX_LIFETIME_SECS + 60), device), 401, "must expire within")
    refused(send(client, said(recording, endpoints=["10.0.0.1:80"]), device), 400, "neither public nor loopback")
    refused(send(client, b"[" * 8000, device, node=good.node), 400, "")
    assert await filled.fetchval("SELECT count(*) FROM adverts") == 0
    for number in range(2):
        assert send(client, msgspec.structs.replace(good, seq=good.seq + number), device).status_code == 201
    slow = send(client, msgspec.structs.replace(good, seq=good.seq + 9), device)
    refused(slow, 429, "too many adverts")
    assert int(slow.headers["retry-after"]) >= 1
    assert send(client, said(recording, 1), recording.story.machines[1].device).status_code == 201, "of others nothing"
    assert client.get(f"/v1/nodes/{recording.story.machines[2].address}/advert").status_code == 404


async def test_a_time_score_is_computed_again_from_what_is_served(
    client: httpx2.Client, recording: Recording, filled: asyncpg.Connection
) -> None:
    machine = recording.story.machines[0]
    assert send(client, said(recording), machine.device).status_code == 201
    node = str(machine.address)
    shown = await until(client, f"/v1/nodes/{node}/reputation", online=True)
    today, minute = shown["minute"] // 1440, shown["minute"]
    for back in range(1, 41):
        sql = "INSERT INTO node_minutes VALUES ($1, $2, decode(repeat('aa', 90) || repeat('ff', 90), 'hex'))"
        await filled.execute(sql, node, today - back)
    await filled.execute("UPDATE revisions SET changes = changes + 1")
    shown = client.get(f"/v1/nodes/{node}/reputation").json()["item"]
    served = {each["day"]: bytes.fromhex(each["minutes"]) for each in shown["minutes"]}
    counted = 0  # minute by minute, as docs/api.md says it
    for at in range(shown["minute"] - 30 * 1440, shown["minute"]):
        bits = served.get(at // 1440, bytes(180))
        counted += bits[at % 1440 // 8] >> at % 8 & 1
    assert shown["time_score"] == counted * rules.ONE // 43_200
    assert shown["time_score"] == rules.time_score(served, shown["minute"])
    assert shown["minute"] >= minute
    assert 0.7 < shown["time_score"] / rules.ONE < 0.8


async def test_adverts_outlive_a_rebuild_and_offers_know_them(
    client: httpx2.Client, recording: Recording, filled: asyncpg.Connection, dsn: str
) -> None:
    """Also one that comes while the tables are made again."""
    for number in (0, 1):
        assert send(client, said(recording, number), recording.story.machines[number].device).status_code == 201
    for machine in recording.story.machines[:2]:
        await until(client, f"/v1/nodes/{machine.address}", online=True)
    async with Writer.open(dsn) as writer:
        await Pipeline(writer, PROGRAM.codec).rebuild()
    assert await filled.fetchval("SELECT count(*) FROM adverts") == 2
    assert await filled.fetchval("SELECT count(*) FROM online_nodes") == 2
    # The story's own nodes again: none can be hired, until they are made to.
    await filled.execute("UPDATE nodes SET flags = 0, current_lease = NULL, bonded = bonded * 100")
    [offer] = client.get("/v1/offers").json()["items"]
    assert (offer["nodes_rentable"], offer["why_not"]) == (2, {"offline": 1})
    differs = "SELECT count(*) FROM offered o JOIN node_offers v USING (node) WHERE o.state <> v.state"
    assert await filled.fetchval(differs) == 0

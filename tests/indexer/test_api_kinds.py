"""What holds for every request, however odd: no 500, each parameter once, HEAD as GET, `Allow`, limits by network."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest
from ionet.buckets import whose
from ionet.program import PROGRAM
from ionet_indexer.api.app import create_app
from ionet_indexer.core.reader import Reader

PROBLEM = "application/problem+json"


def paths(api: httpx2.Client) -> dict[str, dict[str, Any]]:
    """Path → what can be done with it, as the API describes itself."""
    found: dict[str, dict[str, Any]] = api.get("/openapi.json").json()["paths"]
    return found


def filled(path: str) -> str:
    """A path with something in the places of its parameters."""
    values = {"result_hash": "ab" * 32, "slot": "1", "file": "proofs.csv", "signature": "1" * 64}
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], "1" * 31 + "2"), path)


def test_no_parameter_takes_a_zero_byte(api: httpx2.Client) -> None:
    """PostgreSQL has no text with one: whatever parameter it comes in, it must be refused before."""
    asked = 0
    for path, methods in paths(api).items():
        for parameter in methods.get("get", {}).get("parameters", []):
            if parameter["in"] == "query":
                asked += 1
                response = api.get(f"{filled(path)}?{parameter['name']}=a%00b")
                assert (response.status_code, response.headers["content-type"]) == (400, PROBLEM), response.text
    assert asked > 100


def test_no_parameter_is_taken_twice(api: httpx2.Client) -> None:
    for path, methods in paths(api).items():
        for parameter in methods.get("get", {}).get("parameters", []):
            if parameter["in"] == "query":
                response = api.get(f"{filled(path)}?{parameter['name']}=1&{parameter['name']}=2")
                assert (response.status_code, response.headers["content-type"]) == (400, PROBLEM), response.text
                assert "more than once" in response.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        *(f"/v1/nodes?tier={text}" for text in ("null", "1.0", "%2B1", "1_0", "01", "%201", "", "٣")),
        *(f"/v1/nodes?hireable={text}" for text in ("null", "1", "True", "TRUE", "yes", "")),
        *("/v1/slots/1_0", "/v1/slots/%201", "/v1/slots/01", "/v1/proofs?interval=null", "/v1/nodes?limit=null"),
        *("/v1/leases?status=booked,booked", "/v1/leases?status=booked,", "/v1/leases?status="),
        *("/v1/nodes?model=a%0Ab", "/v1/nodes/11111111111111111111111111111112%0A"),
    ],
)
def test_what_could_be_read_as_another_value_is_refused(path: str, api: httpx2.Client) -> None:
    response = api.get(path)
    assert (response.status_code, response.headers["content-type"]) == (400, PROBLEM), response.text


def test_no_header_comes_as_a_parameter(api: httpx2.Client) -> None:
    answers = [api.get("/v1/stream?last_event_id=0-0"), api.post("/v1/leaves?lease=1&interval=1")]
    for response in answers:
        assert (response.status_code, "unknown parameter" in response.json()["detail"]) == (400, True), response.text


@pytest.mark.parametrize("name", ["reader", "codec", "changes", "request", "key"])
def test_what_a_handler_takes_from_elsewhere_is_no_parameter(name: str, api: httpx2.Client) -> None:
    for path in ("/v1/nodes", "/v1/events", "/v1/stream", "/v1/nodes/11111111111111111111111111111112"):
        response = api.get(path, params={name: "1"})
        assert response.status_code == 400
        assert "unknown parameter" in response.json()["detail"]


@pytest.mark.parametrize("opening", [b"[", b'{"leaves":'])
def test_deeply_nested_json_is_a_problem(opening: bytes, api: httpx2.Client) -> None:
    for path, methods in paths(api).items():
        if "post" in methods:
            body = opening * 100_000
            response = api.post(path, content=body, headers={"content-type": "application/json"})
            assert 400 <= response.status_code < 500
            assert response.headers["content-type"] == PROBLEM


def test_head_is_get_without_a_body(api: httpx2.Client) -> None:
    for path, methods in paths(api).items():
        if "get" not in methods or path == "/v1/stream":
            continue
        get, head = api.get(filled(path)), api.head(filled(path))
        assert head.status_code == get.status_code, path
        assert head.headers["content-type"] == get.headers["content-type"]
        assert head.content == b""


def test_the_head_of_a_stream_ends(api: httpx2.Client) -> None:
    head = api.head("/v1/stream")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST", "GET"])
def test_a_method_that_is_not_allowed_is_told_which_are(method: str, api: httpx2.Client) -> None:
    for path, methods in paths(api).items():
        if method.lower() in methods:
            continue
        response = api.request(method, filled(path))
        assert (response.status_code, response.headers["content-type"]) == (405, PROBLEM)
        known = {name.upper() for name in methods} | {"OPTIONS"} | ({"HEAD"} if "get" in methods else set())
        assert set(response.headers["allow"].split(", ")) == known


def test_a_browser_may_resume_a_stream_and_read_when_to_come_again(api: httpx2.Client) -> None:
    asked = {"access-control-request-method": "GET", "access-control-request-headers": "last-event-id"}
    response = api.options("/v1/stream", headers={"origin": "https://example.org", **asked})
    assert response.status_code == 204
    assert "last-event-id" in response.headers["access-control-allow-headers"]
    exposed = api.get("/v1/models", headers={"origin": "https://example.org"}).headers["access-control-expose-headers"]
    assert "retry-after" in exposed.lower()


def test_an_event_that_the_program_has_not_is_refused(api: httpx2.Client) -> None:
    response = api.get("/v1/events", params={"name": "Nope"})
    assert (response.status_code, response.json()["type"]) == (400, "bad-value")
    assert api.get("/v1/events", params={"name": "Unread"}).json()["items"] == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "", True),
    ],
)
def test_an_ipv6_network_of_64_bits_counts_as_one(one: str, other: str, same: bool) -> None:
    assert (whose(one) == whose(other)) is same


async def test_addresses_of_one_ipv6_network_share_their_limit(dsn: str) -> None:
    async with Reader.open(dsn) as reader:
        app: Any = create_app(reader, PROGRAM.codec, rate=0.1, burst=2)
        codes = []
        for host in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"):
            transport = httpx2.ASGITransport(app=app, client=(host, 1))
            async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
                codes.append((await client.get("/v1/models")).status_code)
    assert codes == [200, 200, 429, 200]


def test_options_says_what_405_says(api: httpx2.Client) -> None:
    for path in ("/v1/models", "/v1/leaves", "/v1/stream", "/health"):
        told, refused = api.options(path), api.put(path)
        assert told.status_code == 204
        assert set(told.headers["allow"].split(", ")) == set(refused.headers["allow"].split(", "))


def test_a_page_elsewhere_may_read_the_headers_that_answers_have(api: httpx2.Client) -> None:
    answer = api.get("/v1/export/models.csv", headers={"origin": "https://example.org"})
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"ionet-finalized-slot", "content-disposition", "etag"} <= set(exposed)
    assert {"retry-after", "allow"} <= set(exposed)


def test_caches_keep_what_one_client_reads_from_another(api: httpx2.Client) -> None:
    """Whatever form this answer has, the address has others."""
    for encoding in ("identity", "gzip", "zstd"):
        answer = api.get("/v1/models", headers={"accept-encoding": encoding})
        assert answer.headers["vary"] == "Accept-Encoding"
        named = {"accept-encoding": encoding, "if-none-match": answer.headers["etag"]}
        unchanged = api.get("/v1/models", headers=named)
        assert (unchanged.status_code, unchanged.headers["vary"]) == (304, "Accept-Encoding")

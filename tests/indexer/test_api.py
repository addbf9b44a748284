"""The API's contract over a recorded market."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from indexer.recording import Recording
from market import PRICE

LISTS = (
    *("models", "nodes", "clusters", "leases", "proofs", "payments", "stakes", "stake-moves", "slashes", "mints"),
    *("burns", "events"),
)


def get(api: httpx2.Client, path: str, /, code: int = 200, **parameters: Any) -> Any:
    response = api.get(path, params=parameters)
    assert response.status_code == code, response.text
    expected = "application/json" if code == 200 else "application/problem+json"
    assert response.headers["content-type"] == expected
    return response.json()


def problem(api: httpx2.Client, path: str, code: int, /, **parameters: Any) -> Any:
    """An error answer: the four members of RFC 9457, nothing of our insides."""
    body = get(api, path, code, **parameters)
    assert set(body) <= {"type", "title", "status", "detail"}
    assert body["status"] == code
    assert "Traceback" not in str(body)
    return body


@pytest.mark.parametrize("name", LISTS)
def test_lists_name_their_slot_and_page_through_everything_once(
    name: str, api: httpx2.Client, recording: Recording
) -> None:
    whole = get(api, f"/v1/{name}", limit=200)
    assert (whole["slot"], whole["finalized_slot"]) == (recording.heads.confirmed, recording.heads.finalized)
    assert whole["next"] is None
    assert len(whole["items"]) > 0
    items: list[Any] = []
    cursor: dict[str, Any] = {}
    for _ in range(len(whole["items"])):
        page = get(api, f"/v1/{name}", limit=1, **cursor)
        items += page["items"]
        cursor = {"cursor": page["next"]}
    assert page["next"] is None
    assert items == whole["items"]


def test_amounts_are_strings_and_small_numbers_are_numbers(api: httpx2.Client) -> None:
    node = get(api, "/v1/nodes")["items"][0]
    assert node["price"] == str(PRICE)
    assert all(isinstance(node[name], str) for name in ("bonded", "unbonding", "slashed", "earned", "required_stake"))
    assert all(isinstance(node[name], int) for name in ("processors", "country", "slot", "min_duration"))
    event = get(api, "/v1/events", name="LeaseBooked")["items"][0]["data"]
    assert isinstance(event["price"], str)
    assert isinstance(event["duration"], int)


def test_nodes_filter(api: httpx2.Client, recording: Recording) -> None:
    head, worker, idle = (str(item.address) for item in recording.story.machines)

    def found(**filters: Any) -> list[str]:
        return [item["node"] for item in get(api, "/v1/nodes", **filters)["items"]]

    assert found() == [head, worker, idle]  # cheapest first
    assert found(max_price=PRICE + 1) == found(max_price="2.000001usd/h") == [head, worker]
    assert found(max_price=PRICE - 1) == found(max_price="1.999999usd/h") == []
    assert found(model=1) == found(model="b200") == [head, worker, idle]
    assert found(country="DE") == found(country="276") == [head, worker, idle]
    assert (
        found(model="H100")
        == found(country="US")
        == found(country=840)
        == found(tier=4)
        == found(min_processors=3)
        == []
    )
    assert found(country=276, min_processors=2) == [head, worker, idle]
    # One broke a promise and counts as absent, one is booked, one unbonded below its requirement.
    assert found(hireable="true") == []
    assert found(hireable="false") == [head, worker, idle]
    assert found(owner=head) == []
    owner = get(api, f"/v1/nodes/{head}")["item"]["owner"]
    assert found(owner=owner) == [head, worker, idle]


def test_a_node_shows_what_happened_to_it(api: httpx2.Client, recording: Recording) -> None:
    head, worker, idle = (get(api, f"/v1/nodes/{item.address}")["item"] for item in recording.story.machines)
    assert (head["flags"], head["served_secs"], head["leases_closed"]) == (["absent"], "9", 2)
    assert (worker["missed_secs"], worker["current_lease"]) == ("6", str(recording.story.booked))
    assert int(worker["slashed"]) == int(worker["required_stake"]) * 2 // 100
    assert idle["price"] == str(3 * PRICE)
    assert idle["device_key"] == str(recording.story.machines[2].device.pubkey())
    assert idle["hireable"] is False


def test_leases_and_clusters(api: httpx2.Client, recording: Recording) -> None:
    story = recording.story
    served = get(api, f"/v1/leases/{story.served}")["item"]
    assert (served["status"], served["end_reason"], served["role"]) == ("closed", "expired", "head")
    assert (served["duration"], served["proof_count"], served["paid"]) == (9, 3, str(PRICE * 2 * 9 // 3600))
    leases = get(api, "/v1/leases", cluster=str(story.cluster))["items"]
    assert {item["lease"] for item in leases} == {str(story.served), str(story.missed)}
    assert [item["lease"] for item in get(api, "/v1/leases", status="booked")["items"]] == [str(story.booked)]
    cluster = get(api, f"/v1/clusters/{story.cluster}")["item"]
    assert (cluster["status"], cluster["escrow"]) == ("closed", "0")
    assert int(cluster["session_expires_at"]) > cluster["opened_at"]  # a string: the renter chooses it
    parts = (cluster[name] for name in ("paid", "fees", "refunded"))
    assert int(cluster["deposit"]) == sum(int(part) for part in parts)
    (payment,) = get(api, "/v1/payments", cluster=str(story.cluster))["items"]
    assert int(payment["supplier_amount"]) == int(payment["amount"]) - int(payment["supplier_fee"])
    assert int(payment["amount"]) == int(served["paid"])


def test_slashes_stakes_and_books_add_up(api: httpx2.Client, recording: Recording) -> None:
    (slash,) = get(api, "/v1/slashes", reason="missed")["items"]
    assert slash["lease"] == str(recording.story.missed)
    assert int(slash["amount"]) == sum(int(slash[name]) for name in ("to_renter", "to_reporter", "burned"))
    stakes = get(api, "/v1/stakes")["items"]
    moves = get(api, "/v1/stake-moves", limit=200)["items"]
    assert sum(int(item["staked"]) for item in stakes) == sum(
        int(item["amount"]) for item in moves if item["kind"] == "stake"
    )
    network = get(api, "/v1/network")["item"]
    assert int(network["bonded"]) == sum(int(item["bonded"]) for item in stakes)
    assert (network["nodes"], network["nodes_hireable"], network["proofs"]) == (3, 0, 3)
    minted = sum(int(item["iosd_minted"]) for item in get(api, "/v1/mints")["items"])
    assert int(network["iosd_supply"]) == minted - int(network["iosd_fee_burned"])
    assert int(network["io_other_burned"]) == int(slash["burned"])


def test_the_whole_history_of_an_entity(api: httpx2.Client, recording: Recording) -> None:
    events = get(api, "/v1/events", entity=str(recording.story.served), limit=200)["items"]
    assert [int(event["data"]["seq"]) for event in reversed(events)] == list(range(1, len(events) + 1))
    assert events[-1]["name"] == "LeaseBooked"
    assert events[0]["name"] == "LeaseClosed"
    proofs = get(api, "/v1/events", entity=str(recording.story.served), name="ProofAppended")["items"]
    assert len(proofs) == 3


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("/v1/nodes", {"limit": 0}, 400),
        ("/v1/nodes", {"limit": 201}, 400),
        ("/v1/nodes", {"limit": "many"}, 400),
        ("/v1/nodes", {"max_price": "-1"}, 400),
        ("/v1/nodes", {"max_price": "1e9"}, 400),
        ("/v1/nodes", {"max_price": "0.0000001usd/h"}, 400),
        ("/v1/nodes", {"max_price": "0.5"}, 400),
        ("/v1/nodes", {"max_price": "0.5 usd/h"}, 400),
        ("/v1/nodes", {"max_price": "0.5usd/h\n"}, 400),
        ("/v1/nodes", {"country": "XX"}, 400),
        ("/v1/nodes", {"country": "de"}, 400),
        ("/v1/models/B201", {}, 404),
        ("/v1/index/B200", {}, 404),
        ("/v1/nodes", {"country": 1000}, 400),
        ("/v1/nodes", {"hireable": "perhaps"}, 400),
        ("/v1/nodes", {"owner": "0" * 40}, 400),
        ("/v1/nodes", {"owner": "' OR 1=1 --"}, 400),
        ("/v1/nodes", {"modle": "B200"}, 400),
        ("/v1/nodes", {"model": "x" * 33}, 400),
        ("/v1/nodes/short", {}, 400),
        ("/v1/nodes/11111111111111111111111111111112", {}, 404),
        ("/v1/leases", {"status": "lost"}, 400),
        ("/v1/proofs", {"interval": 1 << 32}, 400),
        ("/v1/events", {"name": "Lease Booked"}, 400),
        ("/v1/trace/zz", {}, 400),
        ("/v1/trace/" + "AB" * 32, {}, 400),
        ("/v1/trace/" + "ab" * 32, {}, 404),
        ("/v1/stream", {"after": "yesterday"}, 400),
        ("/v1/stream", {"after": f"{1 << 63}-0"}, 400),
        ("/v2/nodes", {}, 404),
        ("/nope", {}, 404),
        ("/v1", {}, 404),
    ],
)
def test_bad_requests_are_problems(path: str, parameters: dict[str, Any], status: int, api: httpx2.Client) -> None:
    assert problem(api, path, status, **parameters)["detail"]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "!!", "bnVsbA", "WzFd", "W10", "WyJub2RlcyIsMSwyXQ", "WyJub2RlcyIsIjEiLCInOyBEUk9QIl0", "A" * 600],
)
def test_cursors_that_we_did_not_make_are_refused(cursor: str, api: httpx2.Client) -> None:
    assert problem(api, "/v1/nodes", 400, cursor=cursor)["type"] == "bad-cursor"


def test_a_cursor_belongs_to_its_list(api: httpx2.Client) -> None:
    cursor = get(api, "/v1/proofs", limit=1)["next"]
    assert problem(api, "/v1/stake-moves", 400, cursor=cursor)["type"] == "bad-cursor"


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/nodes"), ("DELETE", "/v1/leaves"), ("PUT", "/health")])
def test_other_methods_are_problems(method: str, path: str, api: httpx2.Client) -> None:
    response = api.request(method, path)
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "method-not-allowed"


def test_any_page_may_read_but_not_with_credentials(api: httpx2.Client) -> None:
    response = api.get("/v1/network", headers={"origin": "https://example.org"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


def test_several_words_are_merged_in_the_order_of_the_list(api: httpx2.Client) -> None:
    whole = get(api, "/v1/leases", limit=200)["items"]
    assert {item["status"] for item in whole} == {"closed", "booked"}
    assert get(api, "/v1/leases", limit=200, status="booked,closed,active")["items"] == whole
    first = get(api, "/v1/leases", limit=2, status="closed,booked")
    rest = get(api, "/v1/leases", limit=200, status="closed,booked", cursor=first["next"])
    assert first["items"] + rest["items"] == whole
    refused = problem(api, "/v1/leases", 400, status="closed,lost")
    assert (refused["type"], "'lost'" in refused["detail"]) == ("bad-value", True)


@pytest.mark.parametrize(
    ("name", "time"),
    [
        *((name, "at") for name in ("proofs", "payments", "stake-moves", "slashes", "mints", "burns")),
        *(("clusters", "opened_at"), ("leases", "booked_at"), ("nodes", "registered_at"), ("events", "block_time")),
    ],
)
def test_a_list_is_narrowed_by_time(name: str, time: str, api: httpx2.Client) -> None:
    whole = get(api, f"/v1/{name}", limit=200)["items"]
    times = sorted({item[time] for item in whole})
    middle = times[len(times) // 2]
    late = get(api, f"/v1/{name}", limit=200, since=middle)["items"]
    early = get(api, f"/v1/{name}", limit=200, until=middle)["items"]
    assert late == [item for item in whole if item[time] >= middle]
    assert early == [item for item in whole if item[time] < middle]
    assert get(api, f"/v1/{name}", since=times[-1] + 1)["items"] == []
    assert get(api, f"/v1/{name}", until=times[0])["items"] == []
    both = get(api, f"/v1/{name}", limit=200, since=times[0], until=times[-1] + 1)["items"]
    assert both == whole


def test_every_list_takes_since_and_until(api: httpx2.Client) -> None:
    paths = get(api, "/openapi.json")["paths"]
    taken = {
        path: {item["name"] for item in methods["get"]["parameters"]}
        for path, methods in paths.items()
        if "get" in methods and "parameters" in methods["get"]
    }
    of_one_thing = {"/v1/trace/{result_hash}", "/v1/slots/{slot}"}
    lists = {path for path, names in taken.items() if "cursor" in names} - of_one_thing
    assert len(lists) > 25
    without = ["/v1/index/{model}", "/v1/leaders", "/v1/offers"]  # of a day, of a period, of now
    assert [path for path in sorted(lists) if not {"since", "until"} <= taken[path]] == without


def test_a_model_is_named_by_code_name_or_address(api: httpx2.Client) -> None:
    [model] = get(api, "/v1/models", limit=1)["items"]
    assert model["name"] == "B200"
    for name in ("1", "B200", "b200", model["model"]):
        assert get(api, f"/v1/models/{name}")["item"] == model
    series = [get(api, "/v1/series", of=f"model:{name}", field="listed") for name in ("1", "B200", "b200")]
    assert series[0] == series[1] == series[2]
    assert len(series[0]["items"]) > 0
    assert get(api, "/v1/offers", model="b200") == get(api, "/v1/offers", model="1")
    assert problem(api, "/v1/series", 404, of="model:B201", field="listed")["type"] == "not-found"


def test_openapi_describes_every_path(api: httpx2.Client) -> None:
    paths = get(api, "/openapi.json")["paths"]
    assert {f"/v1/{name}" for name in LISTS} <= set(paths)
    assert {"/v1/network", "/v1/trace/{result_hash}", "/v1/leaves", "/v1/stream", "/health"} <= set(paths)
    nodes = paths["/v1/nodes"]["get"]
    assert {item["name"] for item in nodes["parameters"]} >= {"model", "country", "tier", "max_price", "hireable"}
    assert nodes["description"]


def test_metrics_count_by_route_not_by_address(api: httpx2.Client, recording: Recording) -> None:
    get(api, f"/v1/nodes/{recording.story.machines[0].address}")
    text = api.get("/metrics").text
    assert str(recording.story.machines[0].address) not in text
    assert 'ionet_api_requests_total{route="/v1/nodes/{key}",status="200"}' in text

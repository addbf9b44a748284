"""What the API says of itself: /openapi.json for generated clients, /docs for people, / for a start."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from ionet.program import PROGRAM
from ionet_indexer.api.app import create_app
from ionet_indexer.api.description.document import document
from ionet_indexer.api.description.fields import FIELDS
from ionet_indexer.api.description.forms import WORDS
from ionet_indexer.api.problems import KINDS
from ionet_indexer.core.parameters import micro_dollars
from ionet_indexer.core.reader import Reader
from ionet_indexer.core.refusals import BadValue

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
Json = dict[str, Any]
PROGRAM_IDL: Json = json.loads(files("ionet").joinpath("artifacts", "ionet.json").read_text())
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def described() -> Json:
    return document(create_app(cast(Reader, None), PROGRAM.codec))


def operations(described: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in described["paths"].items():
        for method, each in methods.items():
            yield path, method, each


def response(described: Json, operation: Json, status: str) -> Json:
    found: Json = operation["responses"][status]
    if "$ref" in found:
        found = described["components"]["responses"][found["$ref"].rpartition("/")[2]]
    return found


def answers(described: Json) -> Iterator[tuple[str, str, Json]]:
    """Every field of every answer."""
    for name, schema in described["components"]["schemas"].items():
        for field, kind in schema.get("properties", {}).items():
            yield name, field, kind


def test_the_committed_document_is_the_one_served(described: Json, api: httpx2.Client) -> None:
    assert api.get("/openapi.json").json() == described
    assert json.loads(FILE.read_text()) == described, "run scripts/describe-api"


def test_operations_are_named_like_functions(described: Json) -> None:
    named = [each["operationId"] for _, _, each in operations(described)]
    assert len(named) == len(set(named)) > 50
    assert [name for name in named if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []
    assert {"list_nodes", "get_node", "get_network", "trace_result", "upload_leaves", "stream_events"} <= set(named)
    tags = {each["name"] for each in described["tags"]}
    assert {tag for _, _, each in operations(described) for tag in each["tags"]} == tags


def test_every_operation_lists_its_problems(described: Json) -> None:
    for path, method, operation in operations(described):
        statuses = {int(status) for status in operation["responses"]}
        assert statuses >= {400, 405, 429, 500, 503}, path
        assert ("{" not in path) or 404 in statuses
        if method == "post":
            assert statuses >= {401, 404, 411, 413, 415, 422}
        for status in statuses - {200, 201, 304}:
            found = response(described, operation, str(status))
            schema = described["components"]["schemas"][found["content"][PROBLEM]["schema"]["$ref"].rpartition("/")[2]]
            own = schema["properties"]
            assert (own["type"]["enum"], own["status"]["const"]) == (list(KINDS[status][1:]), status)
            assert set(own) == {"type", "title", "status", "detail"}
        assert "Retry-After" in response(described, operation, "429")["headers"]
        assert "Allow" in response(described, operation, "405")["headers"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/nodes?limit=0", 400), ("/v1/nodes?country=XX", 400), ("/v1/nodes?cursor=x", 400), ("/v1/models/x", 404)],
)
def test_a_problem_is_of_a_listed_type(path: str, status: int, api: httpx2.Client) -> None:
    problem = api.get(path).json()
    assert problem["status"] == status
    assert problem["type"] in KINDS[status]


def test_every_field_says_what_it_is(described: Json) -> None:
    silent = [f"{name}.{field}" for name, field, kind in answers(described) if not kind.get("description")]
    assert silent == []
    for name, field, kind in answers(described):
        if field.endswith("_at") and kind["type"] in ("integer", ["integer", "null"]):
            assert "nix seconds" in kind["description"], (name, field)


def test_nothing_is_said_of_a_field_that_is_not_there(described: Json) -> None:
    known = {field for _, field, _ in answers(described)} | {f"{name}.{field}" for name, field, _ in answers(described)}
    assert [name for name in FIELDS if name not in known] == []
    text = json.dumps(described)
    assert [name for name in WORDS if f'schemas/{name}"' not in text] == []


def test_no_integer_is_beyond_what_a_reader_of_json_holds(described: Json) -> None:
    """A field of 64 bits or more in the program is a string here, unless it cannot get that far."""
    integers = {
        field: kind
        for _, field, kind in answers(described)
        if kind.get("type") in ("integer", ["integer", "null"]) and "const" not in kind
    }
    assert [name for name, kind in integers.items() if kind["maximum"] >= 1 << 53] == []
    types = {each["name"]: each["type"] for each in PROGRAM_IDL["types"]}
    wide: dict[str, set[str]] = {}
    for event in PROGRAM_IDL["events"]:
        for field in types[event["name"]]["fields"]:
            wide.setdefault(field["name"], set()).add(str(field["type"]))
    unsigned = {name for name, types in wide.items() if types <= {"u64", "u128"}}
    assert unsigned & set(integers) == {"seq"}  # of events
    chosen = {"expires_at", "session_expires_at"}  # times that anybody may set to anything
    assert chosen & set(integers) == set()


def test_amounts_are_strings_with_a_pattern_and_a_unit(described: Json) -> None:
    amounts = [
        kind
        for _, _, kind in answers(described)
        if re.search(r"Base units|[Mm]icro-dollars|seconds, a decimal|Processor-seconds", kind["description"])
    ]
    assert len(amounts) > 100
    for kind in amounts:
        assert kind["type"] in ("string", ["string", "null"])
        assert kind["pattern"].startswith("^")


def test_filters_that_take_words_list_them(described: Json) -> None:
    status = next(each for each in described["paths"]["/v1/leases"]["get"]["parameters"] if each["name"] == "status")
    assert status["schema"]["items"] == {"$ref": "#/components/schemas/LeaseStatus"}
    assert (status["style"], status["explode"]) == ("form", False)
    assert described["components"]["schemas"]["LeaseStatus"]["enum"][-1] == "closed"
    lists = [
        each for _, _, each in operations(described) if "status" in {p["name"] for p in each.get("parameters", [])}
    ]
    assert len(lists) == 3


def test_parameters_have_examples_that_are_taken(described: Json, api: httpx2.Client) -> None:
    asked = 0
    for path, _, operation in operations(described):
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (path, parameter["name"])
            if parameter["in"] != "query" or parameter["name"] == "cursor":
                continue
            if "{" in path or path in ("/v1/stream", "/v1/series", "/v1/leaders", "/v1/search"):
                continue
            asked += 1
            value = parameter["example"]
            text = ",".join(value) if isinstance(value, list) else json.dumps(value).strip('"')
            answer = api.get(path, params={parameter["name"]: text})
            assert answer.status_code == 200, (path, parameter["name"], answer.text)
    assert asked > 100


def test_the_stream_is_described_as_one(described: Json) -> None:
    content = response(described, described["paths"]["/v1/stream"]["get"], "200")["content"]
    assert list(content) == ["text/event-stream"]
    messages = [dict(line.split(": ", 1) for line in each.split("\r\n")) for each in example_messages(content)]
    assert [message["event"] for message in messages] == ["NodePaused", "undo"]
    event, undo = (json.loads(message["data"]) for message in messages)
    assert set(event) == set(described["components"]["schemas"]["Event"]["properties"])
    assert set(undo) == set(described["components"]["schemas"]["Undo"]["properties"])


def example_messages(content: Json) -> list[str]:
    text: str = content["text/event-stream"]["example"]
    return text.removesuffix("\r\n\r\n").split("\r\n\r\n")


def test_answers_that_can_be_unchanged_say_so(described: Json, api: httpx2.Client) -> None:
    for path, method, operation in operations(described):
        names = {each["name"] for each in operation.get("parameters", [])}
        named = method == "get" and path not in ("/", "/health", "/v1/stream")
        assert ("If-None-Match" in names, "304" in operation["responses"]) == (named, named), path
    answer = api.get("/v1/nodes")
    known = api.get("/v1/nodes", headers={"if-none-match": answer.headers["etag"]})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", answer.headers["etag"])


def test_the_start_leads_to_everything(api: httpx2.Client) -> None:
    links = api.get("/").json()
    assert set(links) == {"docs", "openapi", "network", "health"}
    assert {name: api.get(path).status_code for name, path in links.items() if name != "health"} == dict.fromkeys(
        set(links) - {"health"}, 200
    )


def test_the_page_has_every_operation_and_asks_no_other_host(described: Json, api: httpx2.Client) -> None:
    answer = api.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = answer.text
    assert [
        each["operationId"] for _, _, each in operations(described) if f'id="{each["operationId"]}"' not in page
    ] == []
    anchors = set(re.findall(r'id="([^"]+)"', page))
    links = set(re.findall(r'(?:href|src)="([^"]*)"', page))
    assert {link for link in links if not link.startswith("#")} == {"/openapi.json"}
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= anchors
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(", page)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500000", "500000"),
        ("0.5usd/h", "500000"),
        ("0.000001usd/h", "1"),
        ("12usd/h", "12000000"),
        ("0usd/h", "0"),
        ("999999999999.999999usd/h", "999999999999999999"),
    ],
)
def test_a_price_in_dollars_is_exact(text: str, value: str) -> None:
    assert micro_dollars(text) == value


@pytest.mark.parametrize(
    "text", ["0.0000001usd/h", "0.5", "-1", "1e3usd/h", "1.usd/h", "usd/h", "0.5usd", "٣", "0.5usd/h\n"]
)
def test_a_price_that_is_not_exact_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        micro_dollars(text)

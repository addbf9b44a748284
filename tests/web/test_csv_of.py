"""Rows of a table as a file: all of them, as the API has them, and nothing that a spreadsheet computes."""

from __future__ import annotations

import csv
import io

import httpx2
import pytest
from indexer.api_server import items
from ionet_web import csv_of
from ionet_web.csv_of import as_csv
from web.conftest import pages


def test_a_file_has_all_rows_of_a_list(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_of, "PAGE", 2)
    proofs = items(api, "proofs", node=items(api, "proofs")[0]["node"])
    assert len(proofs) > 2
    with pages(str(api.base_url)) as client:
        answer = client.get("/csv/proofs", params={"node": proofs[0]["node"], "cursor": "x", "limit": "1"})
    assert answer.headers["content-disposition"] == 'attachment; filename="proofs.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["lease"], row["root"], row["kept"]) for row in rows] == [
        (proof["lease"], proof["root"], str(proof["kept"]).lower()) for proof in proofs
    ]


def test_more_rows_than_a_file_holds_are_refused(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_of, "PAGE", 2)
    monkeypatch.setattr(csv_of, "MOST", 2)
    with pages(str(api.base_url)) as client:
        answer = client.get("/csv/events")
    assert answer.status_code == 413
    assert "more than 2 rows" in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/csv/network", 400),  # no list
        ("/csv/../health", 404),
        ("/csv/%2e%2e/health", 400),
        ("/csv/nodes%2F..%2F..%2Fhealth", 400),
        ("/csv/nothing", 404),
        ("/csv/nodes?nothing=1", 400),
        ("/csv/stream", 400),
        ("/csv/export/nodes.csv", 400),
    ],
)
def test_only_lists_are_files(api: httpx2.Client, path: str, status: int) -> None:
    with pages(str(api.base_url)) as client:
        assert client.get(path).status_code in (status, 404, 503), path
        assert client.get(path).headers["content-type"].startswith("text/html")


def test_nothing_in_a_file_is_a_formula() -> None:
    hostile = ["=1+1", "+1", "@x", "-1", 'a"b,c\r\nd', None, True, -5, ["=x"], "\t=1"]
    rows = list(csv.reader(io.StringIO(as_csv([{"a": value} for value in hostile]), newline="")))
    assert [row[0] if row else "" for row in rows[1:]] == [
        *("'=1+1", "'+1", "'@x", "'-1", 'a"b,c\r\nd', "", "true", "-5", '["=x"]', "'\t=1"),
    ]
    assert as_csv([]) == "\r\n"

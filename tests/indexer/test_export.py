"""Tables as CSV: what their lists say, from one snapshot, a few at a time, and never held by who does not read."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import socket
from typing import Any

import asyncpg
import crowd
import httpx2
import pytest
from indexer.api_server import served
from ionet_indexer.api import export
from ionet_indexer.topics import LISTS


def table(api: httpx2.Client, name: str, **parameters: Any) -> list[dict[str, str]]:
    response = api.get(f"/v1/export/{name}.csv", params=parameters)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


def cell(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, str | int) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_an_export_is_the_whole_list(listing: Any, api: httpx2.Client) -> None:
    wanted: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get(f"/v1{listing.route}", params={"limit": 200, **cursor}).json()
        wanted += [item for item in page["items"] if item.get("slot", -1) <= page["finalized_slot"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert table(api, listing.name) == [{name: cell(value) for name, value in item.items()} for item in wanted]


def test_an_export_can_be_of_a_time(api: httpx2.Client) -> None:
    proofs = table(api, "proofs")
    middle = int(proofs[1]["at"])
    parts = [table(api, "proofs", since=middle), table(api, "proofs", until=middle)]
    assert [*parts[0], *parts[1]] == proofs
    assert all(parts)


@pytest.mark.parametrize(
    ("name", "status"),
    [("nothing.csv", 404), ("proofs", 400), ("x;.csv", 400), ("nothing.parquet", 404), ("proofs.arrow", 400)],
)
def test_other_files_are_refused(name: str, status: int, api: httpx2.Client) -> None:
    assert api.get(f"/v1/export/{name}").status_code == status
    assert api.get("/v1/export/proofs.csv", params={"cursor": "x"}).status_code == 400


def test_a_table_without_times_is_exported_as_a_whole(api: httpx2.Client) -> None:
    assert len(table(api, "offers")) > 0
    for name in ("since", "until"):
        answer = api.get("/v1/export/offers.csv", params={name: 1})
        assert (answer.status_code, answer.json()["type"]) == (400, "bad-value")


async def test_exports_are_few_and_end_with_their_readers(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that are not read hold both places until their time is over; then everybody else's turn comes again."""
    await crowd.fill(dsn, 40_000)
    monkeypatch.setattr(export, "EXPORT_SECS", 2.0)
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=30) as api:
        host, port = api.base_url.host, api.base_url.port or 80
        with contextlib.ExitStack() as stalled:
            for _ in range(export.MOST_AT_ONCE):
                connection = stalled.enter_context(socket.create_connection((host, port), timeout=10))
                connection.sendall(b"GET /v1/export/proofs.csv HTTP/1.1\r\nhost: api\r\n\r\n")
                assert connection.recv(12) == b"HTTP/1.1 200"
            refused = api.get("/v1/export/models.csv")
            assert (refused.status_code, refused.json()["type"]) == (429, "too-many-requests")
            await asyncio.sleep(3)
            assert len(table(api, "models")) == crowd.MODELS
        assert len(table(api, "models")) == crowd.MODELS
    connection = await asyncpg.connect(dsn)
    try:
        held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        assert await connection.fetchval(held) == 0
    finally:
        await connection.close()

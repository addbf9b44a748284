"""Tables as CSV: what their lists say, from one snapshot, a few at a time, and never held by who does not read."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import asyncpg
import crowd
import httpx2
import pytest
from indexer.api_server import served
from indexer.downloads import Time, ask_from, ended, unread, until_there_is_room
from ionet_indexer.api import export
from ionet_indexer.topics import LISTS

pytestmark = pytest.mark.matrix


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
    time = Time(monkeypatch)
    hosts = [f"10.0.0.{number}" for number in range(export.MOST_AT_ONCE)]
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=60) as api:
        with unread(api, "/v1/export/proofs.csv", hosts):
            refused = api.get("/v1/export/models.csv")
            assert (refused.status_code, refused.json()["type"]) == (429, "too-many-requests")
            time.is_over()
            await until_there_is_room(api, "/v1/export/models.csv")
            assert len(table(api, "models")) == crowd.MODELS
        assert len(table(api, "models")) == crowd.MODELS
        await until_nothing_is_held(dsn)


async def until_nothing_is_held(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    try:
        while await connection.fetchval(held):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def test_who_does_not_read_keeps_no_place(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before the time of an export is over."""
    monkeypatch.setattr(export, "UNREAD_SECS", 1.0)
    await crowd.fill(dsn, 40_000)
    hosts = [f"10.0.0.{number}" for number in range(export.MOST_AT_ONCE)]
    with (
        served(dsn) as address,
        httpx2.Client(base_url=address, timeout=60) as api,
        unread(api, "/v1/export/proofs.csv", hosts),
    ):
        async with asyncio.timeout(export.EXPORT_SECS / 4):
            await until_there_is_room(api, "/v1/export/models.csv")
        await until_nothing_is_held(dsn)


async def test_nobody_takes_every_place(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One address has one export: the other place is for others, of whatever way it writes itself."""
    await crowd.fill(dsn, 40_000)
    Time(monkeypatch)
    with (
        served(dsn) as address,
        httpx2.Client(base_url=address, timeout=60) as api,
        unread(api, "/v1/export/proofs.csv", ["2001:db8::1"]),
    ):
        for same in ("2001:db8::1", "2001:db8:0:0:ffff::2"):
            refused = ask_from(api, same, "/v1/export/models.csv")
            assert (refused.status_code, refused.json()["type"]) == (429, "too-many-requests")
            assert "this address" in refused.json()["detail"]
        assert ask_from(api, "2001:db8:1::1", "/v1/export/models.csv").status_code == 200


async def test_slow_readers_hold_no_place_against_who_wants_one(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each from an address of its own, and long before their time is over. What they got does not look whole."""
    await crowd.fill(dsn, 40_000)
    Time(monkeypatch)
    hosts = [f"10.0.0.{number}" for number in range(export.MOST_AT_ONCE)]
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=60) as api:
        with unread(api, "/v1/export/proofs.csv", hosts) as slow:
            refused = ask_from(api, "10.9.9.9", "/v1/export/models.csv")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
            monkeypatch.setattr(export, "WAITED_SECS", 0.5)
            assert (await until_there_is_room(api, "/v1/export/models.csv")).status_code == 200
            whole = [ended(connection) for connection in slow]
            assert sorted(whole) == [False, True]
        await until_nothing_is_held(dsn)


async def test_places_come_back_from_every_kind_of_answer(dsn: str) -> None:
    """HEAD, what is refused, and what breaks."""
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=60) as api:
        for _ in range(3):
            while (status := api.head("/v1/export/models.csv").status_code) == 429:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            assert status == 200
            assert api.get("/v1/export/offers.csv?since=1").status_code == 400
        await until_there_is_room(api, "/v1/export/models.csv")
        connection = await asyncpg.connect(dsn)
        await connection.execute("ALTER TABLE models RENAME TO away")
        for _ in range(3):
            with pytest.raises(httpx2.RemoteProtocolError):
                await until_there_is_room(api, "/v1/export/models.csv")
        await connection.execute("ALTER TABLE away RENAME TO models")
        await connection.close()
        assert table(api, "models") == []

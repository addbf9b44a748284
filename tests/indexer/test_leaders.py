"""Leaders are the sums of what was settled, staked and slashed."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx2
import pytest
from indexer.api_server import RecordedAccounts, fill, served
from indexer.recording import EndingRecording, Recording


def leaders(api: httpx2.Client, code: int = 200, **parameters: Any) -> Any:
    answer = api.get("/v1/leaders", params=parameters)
    assert answer.status_code == code, answer.text
    return answer.json()


def ranked(api: httpx2.Client, **parameters: Any) -> list[tuple[str, str]]:
    return [(item["key"], item["value"]) for item in leaders(api, **parameters)["items"]]


def test_leaders_are_the_sums_of_payments_and_slashes(api: httpx2.Client, recording: Recording) -> None:
    head, worker, _ = (str(machine.address) for machine in recording.story.machines)
    payments = api.get("/v1/payments", params={"currency": "IOSD"}).json()["items"]
    assert {payment["node"] for payment in payments} == {head}
    earned = sum(int(payment["amount"]) for payment in payments)
    fees = sum(int(payment["supplier_fee"]) + int(payment["renter_fee"]) for payment in payments)
    owner = api.get(f"/v1/nodes/{head}").json()["item"]["owner"]
    for of, key in (("node", head), ("owner", owner), ("model", "1"), ("country", "276")):
        assert ranked(api, by="earned", of=of, currency="IOSD") == [(key, str(earned))]
        assert ranked(api, by="burned", of=of, currency="IOSD", since="month") == [(key, str(fees))]
        assert ranked(api, by="served", of=of, since="week") == [(key, str(2 * 9))]  # two processors, three intervals
        assert ranked(api, by="earned", of=of, currency="USDC") == []
    names = {of: leaders(api, by="served", of=of)["items"][0]["name"] for of in ("node", "owner", "model", "country")}
    assert names == {"node": None, "owner": None, "model": "B200", "country": "DE"}
    slashes = api.get("/v1/slashes", params={"node": worker}).json()["items"]
    assert (worker, str(sum(int(slash["amount"]) for slash in slashes))) in ranked(api, by="slashed", of="node")


def test_stake_of_all_time_is_what_is_bonded(api: httpx2.Client) -> None:
    nodes = api.get("/v1/nodes").json()["items"]
    bonded = sorted(((int(node["bonded"]), node["node"]) for node in nodes), reverse=True)
    assert ranked(api, by="stake", of="node") == [(node, str(amount)) for amount, node in bonded]


def test_leaders_have_pages(api: httpx2.Client) -> None:
    whole = leaders(api, by="stake", of="node")["items"]
    items: list[Any] = []
    cursor: dict[str, Any] = {}
    for _ in whole:
        page = leaders(api, by="stake", of="node", limit=1, **cursor)
        items += page["items"]
        cursor = {"cursor": page["next"]}
    assert (items, page["next"]) == (whole, None)


async def test_a_period_begins_with_the_newest_events_day(endings: EndingRecording, dsn: str) -> None:
    """What was earned the day before is not in the day's; of the month and of all time it is."""
    await fill(dsn, endings, RecordedAccounts(endings))
    connection = await asyncpg.connect(dsn)
    try:
        now = await connection.fetchval("SELECT max(block_time) FROM events")
        row = "(1::bigint << 60) + $1, 'earned-USDC', $2, 1, 276, $3, 'owner', $4"
        insert = f"INSERT INTO series_parts VALUES ({row})"
        midnight = now - now % 86_400
        await connection.execute(insert, 2, midnight, "today", 5)
        await connection.execute(insert, 1, midnight - 1, "yesterday", 7)
        await connection.execute(insert, 3, now, "lost", -7)
    finally:
        await connection.close()
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=30) as client:
        usdc: dict[str, Any] = {"by": "earned", "of": "node", "currency": "USDC"}
        [first] = leaders(client, **usdc, since="day")["items"]
        assert (first["key"], first["value"], first["start"]) == ("today", "5", midnight)
        assert ranked(client, **usdc, since="all") == [("yesterday", "7"), ("today", "5")]


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        ({"by": "luck", "of": "node"}, "by: "),
        ({"by": "served", "of": "wallet"}, "of: "),
        ({"by": "served", "of": "node", "since": "year"}, "since: "),
        ({"by": "earned", "of": "node"}, "never added up"),
        ({"by": "earned", "of": "node", "currency": "EUR"}, "never added up"),
        ({"by": "served", "of": "node", "currency": "IO"}, "served has none"),
        ({"by": "served"}, None),
        ({"by": "served", "of": "node", "cursor": "x"}, None),
        ({"by": "served", "of": "node", "limit": 0}, None),
    ],
)
def test_what_nobody_can_lead_by_is_refused(api: httpx2.Client, parameters: dict[str, Any], detail: str | None) -> None:
    problem = leaders(api, 400, **parameters)
    assert detail is None or detail in problem["detail"]

"""A model's index is made from its settlements when a day is over, and of any batches, undone and made again alike."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import asyncpg
import httpx2
import index_again
import pytest
from indexer.api_server import served
from indexer.recording import EndingRecording
from indexer.tables_of import tables_of
from ionet.program import PROGRAM
from ionet.rules import price_index as rules
from ionet.rules.price_index import weights
from ionet_indexer.closing import close_days
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.store import Checkpoint, Writer
from ionet_indexer.topics import price_index
from ionet_indexer.topics.price_index import Paid
from msgspec import to_builtins

pytestmark = pytest.mark.matrix

DAY = 86_400
TODAY = 1_796_040_000 // DAY * DAY
TABLES = ("index_values", "index_leases")


async def market(connection: asyncpg.Connection, seed: int) -> list[dict[str, Any]]:
    """Leases of two models on nodes of twelve owners, settled on some of thirty days; returns the payments."""
    draw = random.Random(seed)
    zero = {
        "smallint": "0",
        "numeric": "0",
        "bigint": "0",
        "integer": "0",
        "text": "''",
        "json": "'[]'",
        "boolean": "false",
    }

    async def insert(table: str, **values: Any) -> None:
        columns = await connection.fetch(
            "SELECT column_name AS name, data_type AS kind FROM information_schema.columns"
            " WHERE table_name = $1 AND is_nullable = 'NO'",
            table,
        )
        rest = {row["name"]: zero[row["kind"]] for row in columns if row["name"] not in values}
        names = ", ".join([*values, *rest])
        given = ", ".join([f"${number}" for number in range(1, len(values) + 1)] + list(rest.values()))
        await connection.execute(f"INSERT INTO {table} ({names}) VALUES ({given})", *values.values())

    for node in range(24):
        await insert("nodes", node=f"node {node}", owner=f"owner {node % 12}", position=node)
    leases = {}
    for number in range(120):
        currency = draw.choice(("IOSD", "USDC", "IO"))
        lease: dict[str, Any] = {
            "node": f"node {draw.randrange(24)}",
            "model": draw.choice((1, 1, 36)),
            "currency": currency,
            "price": draw.randint(1, 3_000_000) * (1 + 2 * (number >= 60)),
            "io_price": draw.randint(100_000, 9_000_000),
        }
        leases[f"lease{number:03}"] = lease
        await insert("leases", lease=f"lease{number:03}", position=number, country=276, **lease)
    payments: list[dict[str, Any]] = []
    for day in range(30):
        for _ in range(0 if day == 5 or 12 < day < 22 else draw.randint(8, 24)):
            key = draw.choice(sorted(leases)[:60] if day < 13 else sorted(leases)[60:])
            # The bounds of a day belong to one day each.
            at = TODAY + (day - 40) * DAY + draw.choice((0, DAY - 1, draw.randrange(DAY)))
            payments.append({"lease": key, "at": at, "processor_secs": draw.choice((0, draw.randint(1, 40_000)))})
            payments[-1] |= leases[key]
    for number, paid in enumerate(sorted(payments, key=lambda paid: paid["at"]), 1):
        place, at = number << 30, paid["at"]
        await insert(
            "events", position=place, signature=f"s{number}", block_time=at, name="Settled", inner_ix=0, data=b""
        )
        values = {name: paid[name] for name in ("lease", "node", "currency", "at", "processor_secs")}
        await insert("payments", position=place, **values)
    number = len(payments) + 1
    await insert(
        "events", position=number << 30, signature="last", block_time=TODAY, name="Price", inner_ix=0, data=b""
    )
    return payments


def expected(payments: list[dict[str, Any]]) -> dict[tuple[int, int], dict[str, Any]]:
    """(day, model) → value, median, and weights by lease, by the second implementation."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    last: dict[int, tuple[int, int]] = {}
    for day in range(TODAY - 50 * DAY, TODAY, DAY):
        window = [p for p in payments if day - 6 * DAY <= p["at"] < day + DAY and p["processor_secs"]]
        for model in (1, 36):
            secs: dict[str, int] = defaultdict(int)
            terms = {}
            for paid in window:
                if paid["model"] == model:
                    secs[paid["lease"]] += paid["processor_secs"]
                    terms[paid["lease"]] = paid
            if not secs:
                continue
            keys = sorted(secs)
            before, days = last.get(model), 0
            if before is not None:
                days = (day - before[0]) // DAY
            leases = [
                (f"owner {int(terms[key]['node'].split()[1]) % 12}", secs[key], dollars(terms[key])) for key in keys
            ]
            made = index_again.index(leases, before[1] if before else None, days)
            found[day, model] = {
                "value": made["value"],
                "median": made["median"],
                "leases": {
                    key: (*lease, weight) for key, lease, weight in zip(keys, leases, made["weights"], strict=True)
                },
            }
            if made["value"] is not None:
                last[model] = (day, made["value"])
    return found


def dollars(paid: dict[str, Any]) -> int:
    price: int = paid["price"]
    return price * paid["io_price"] // 100_000_000 if paid["currency"] == "IO" else price


async def kept(connection: asyncpg.Connection) -> dict[tuple[int, int], dict[str, Any]]:
    leases: dict[tuple[int, int], dict[str, Any]] = defaultdict(dict)
    for row in await connection.fetch("SELECT * FROM index_leases"):
        leases[row["day"], row["model"]][row["lease"]] = (row["owner"], row["secs"], row["price"], row["weight"])
    return {
        (row["day"], row["model"]): {
            "value": row["value"],
            "median": row["median"],
            "leases": leases[row["day"], row["model"]],
        }
        for row in await connection.fetch("SELECT * FROM index_values")
    }


@pytest.mark.parametrize("seed", range(3))
async def test_every_day_has_the_index_of_its_window(seed: int, dsn: str, writer: Writer) -> None:
    """Made at once, or as the days pass; without days on which nothing was settled in a week."""
    draw = random.Random(seed)
    connection = await asyncpg.connect(dsn)
    try:
        payments = await market(connection, seed)
        want = expected(payments)
        assert {value["value"] is None for value in want.values()} == {True, False}
        assert any(value["value"] not in (None, value["median"]) for value in want.values())
        await close_days(writer, TODAY)
        assert await kept(connection) == want
        whole = await tables_of(dsn, TABLES)
        for _ in range(4):
            place = draw.randrange(len(payments)) << 30
            await writer.drop_index_after(place)
            assert all(row["position"] <= place for rows in (await tables_of(dsn, TABLES)).values() for row in rows)
            await close_days(writer, TODAY - draw.randint(12, 20) * DAY)
            await close_days(writer, TODAY)
            assert await tables_of(dsn, TABLES) == whole
        await check_api(dsn, want)
    finally:
        await connection.close()


async def check_api(dsn: str, want: dict[tuple[int, int], dict[str, Any]]) -> None:
    """The API lists every value, and the leases of each page by page."""
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=60) as client:
        listed = client.get("/v1/index", params={"limit": 200}).json()["items"]
        assert [(item["day"], item["model"]) for item in listed] == sorted(want, reverse=True)
        day, model = max((key for key in want if key[1] == 36), key=lambda key: key[0])
        answer = client.get(f"/v1/index/{model}").json()
        assert answer["index"] == next(item for item in listed if (item["day"], item["model"]) == (day, model))
        assert answer["index"]["value"] == text(want[day, model]["value"])
        items: list[Any] = []
        page: dict[str, Any] = {"next": None}
        while True:
            cursor = {"cursor": page["next"]} if page["next"] else {}
            page = client.get(f"/v1/index/{model}", params={"day": day + DAY - 1, "limit": 1, **cursor}).json()
            items += page["items"]
            if page["next"] is None:
                break
        got = {
            item["lease"]: (item["owner"], *(int(item[name]) for name in ("secs", "price", "weight"))) for item in items
        }
        assert got == want[day, model]["leases"]
        assert [int(item["price"]) for item in items] == sorted(int(item["price"]) for item in items)
        for path in (f"/v1/index/{model}?day={TODAY}", "/v1/index/2"):
            assert client.get(path).status_code == 404, path
        assert client.get("/v1/index/B200").status_code == 404  # no model was registered


def text(value: int | None) -> str | None:
    return None if value is None else str(value)


async def test_a_recorded_market_closes_its_days(endings: EndingRecording, dsn: str, writer: Writer) -> None:
    """The story ends in one day; a later event makes its index, and taking that back takes the index too."""
    pipeline = Pipeline(writer, PROGRAM.codec)
    await writer.start("chain", "program")
    *first, last = endings.transactions
    await pipeline.commit(first, pipeline.decode(first), Checkpoint(first[-1].slot, -1))
    before = await tables_of(dsn, TABLES)
    last.block_time = (last.block_time or 0) + 3 * DAY
    await pipeline.commit([last], pipeline.decode([last]), Checkpoint(last.slot, -1))
    made = await tables_of(dsn, TABLES)
    assert len(made["index_values"]) - len(before["index_values"]) in (3, 4)
    newest = max(made["index_values"], key=lambda row: row["day"])
    paid = await tables_of(dsn, ("payments",))
    assert newest["secs"] == sum(row["processor_secs"] for row in paid["payments"])
    assert (newest["value"], newest["owners"]) == (None, 1)
    await pipeline.rebuild()
    assert await tables_of(dsn, TABLES) == made
    await pipeline.commit([], [], Checkpoint(last.slot, -1), undo_after=last.slot - 1)
    assert await tables_of(dsn, TABLES) == before
    await pipeline.commit([last], pipeline.decode([last]), Checkpoint(last.slot, -1))
    assert await tables_of(dsn, TABLES) == made


def test_what_a_lease_counts_for_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(leases: Any) -> list[int]:
        calls.append(len(leases))
        return weights(leases)

    monkeypatch.setattr(rules, "weights", counted)
    monkeypatch.setattr(price_index, "weights", counted)
    paid = [Paid(1, f"lease {n}", "node", f"owner {n}", "USDC", 100 + n, 0, 3600) for n in range(12)]
    value, *leases = map(to_builtins, price_index.index_of(0, 1, paid, {}))
    assert (value["value"], [lease["weight"] for lease in leases]) == (105, [3600] * 12)
    assert calls == [12]

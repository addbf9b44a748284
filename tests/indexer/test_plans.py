"""No query of the API scans a large table: the plan of every query of every route, with every filter."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

import asyncpg
import crowd
import msgspec
import postgres
import pytest
from indexer.conftest import TEMPLATE
from ionet_indexer.core.lists import Listing
from ionet_indexer.core.paging import encode_cursor
from ionet_indexer.core.reader import SETTINGS, SQL
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.topics import LISTS

EVENTS = 40_000
LARGE = 2_000  # rows
# Rows that a request for one page may look at; the tables are that small only here.
MOST_ROWS = 5_000
END = 1 << 62
NOWHERE = "z" * 40


class Query(NamedTuple):
    """A query as a route sends it."""

    name: str
    sql: str
    values: list[Any]


@pytest.fixture(scope="module")
def crowded(server: EmbeddedPostgres) -> str:
    async def prepare() -> str:
        found = await postgres.create(server, "crowded", TEMPLATE)
        await crowd.fill(found, EVENTS)
        return found

    return asyncio.run(prepare())


async def addresses(dsn: str) -> dict[str, str]:
    """An address of each kind that the crowd has."""
    connection = await asyncpg.connect(dsn)
    try:
        kinds = ("node", "lease", "cluster", "wallet", "mint")
        return {kind: await connection.fetchval(f"SELECT {crowd.address(kind, 1)}") for kind in kinds}
    finally:
        await connection.close()


def values_of(listing: Listing, name: str, known: dict[str, str]) -> list[Any]:
    """What a filter is asked with: common, rare, several at once, nothing that is there."""
    chosen = listing.filters[name]
    if chosen.otherwise:
        return [True, False]
    if chosen.known:
        return [*chosen.known, ",".join(chosen.known)]
    if name in ("since", "until"):
        return [0, crowd.START + EVENTS // 2, crowd.START + EVENTS - 5, 1 << 40]
    special: dict[str, list[Any]] = {
        "model": ["1", "model 3", "none"],
        "max_price": ["20000", "1"],
        "interval": [1, 1 << 31],
    }
    special |= {"country": [1, 999], "tier": [0, 4], "min_processors": [1, 8, 16]}
    if name in special:
        return special[name]
    return [known.get(name, known["wallet"]), NOWHERE]


def queries_of(listing: Listing, known: dict[str, str]) -> Iterator[Query]:
    """Every filter by itself, and each with a time; the first page and one in the middle."""
    middle = {"bigint": str(EVENTS // 2 << 30 if listing.order[0].field == "id" else EVENTS // 2), "numeric": "50000"}
    cursor = encode_cursor(listing.name, [middle.get(part.type, "n" * 32) for part in listing.order])
    asked: list[dict[str, Any]] = [{}]
    for name in listing.filters:
        for value in values_of(listing, name, known):
            asked += [{name: value}]
    asked += [{"since": crowd.START + EVENTS // 4, "until": crowd.START + EVENTS // 2}]
    for filters in asked:
        for after in (None, cursor):
            yield Query(
                f"{listing.route} {filters} {'in the middle' if after else ''}", *listing.query(filters, after, 50)
            )
    if listing.item:
        yield Query(f"{listing.route}/key", listing.query_one, [known.get(listing.out.__name__.lower(), NOWHERE)])


def other_queries(known: dict[str, str]) -> Iterator[Query]:
    """Those of the routes that are no lists."""
    lease, root = known["lease"], "00" * 32
    given: dict[str, list[Any]] = {
        "state": [],
        "health": [],
        "network": [],
        "totals": [],
        "events_of_entity": [lease, None, -1, END, 51],
        "events_newest": [-1, END, 51],
        "events_named": ["NodeSlashed", -1, END, 51],
        "position_at": [crowd.START + EVENTS // 2],
        "stream_undos": [10],
        "stream_events": [EVENTS // 2 << 30, END, 500],
        "trace": [bytes(32), -1, -1, 21],
        "trace_block": [1, 1, 256 * 64],
        "trace_served": [lease, 100],
        "trace_payment": [lease, 100, 10],
        "trace_payment_after": [lease, 10],
        "upload_lease": [lease, 1, root, "00"],
    }
    for name, values in given.items():
        yield Query(name, SQL[name], values)


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every part of a plan that reads a table."""
    if "Relation Name" in plan:
        yield plan
    for part in plan.get("Plans", []):
        yield from scans(part)


async def faults(dsn: str, queries: list[Query]) -> list[str]:
    """What is wrong with the plans of these queries, a sentence each."""
    connection = await asyncpg.connect(dsn, server_settings=SETTINGS)
    found = []
    try:
        rows = await connection.fetch("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'")
        large = {row["relname"] for row in rows if row["reltuples"] >= LARGE}
        for query in queries:
            text = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING off, FORMAT json) {query.sql}", *query.values)
            parts = list(scans(msgspec.json.decode(text)[0]["Plan"]))
            found += [
                f"{query.name}: scans {part['Relation Name']}"
                for part in parts
                if part["Node Type"] == "Seq Scan" and part["Relation Name"] in large and part["Actual Loops"]
            ]
            read = sum(
                (part["Actual Rows"] + part.get("Rows Removed by Filter", 0)) * part["Actual Loops"] for part in parts
            )
            if read > MOST_ROWS:
                found.append(f"{query.name}: reads {read:.0f} rows")
    finally:
        await connection.close()
    return found


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
async def test_no_list_scans_a_large_table(listing: Listing, crowded: str) -> None:
    assert await faults(crowded, list(queries_of(listing, await addresses(crowded)))) == []


async def test_no_other_route_scans_a_large_table(crowded: str) -> None:
    assert await faults(crowded, list(other_queries(await addresses(crowded)))) == []


async def test_a_scan_is_found(crowded: str) -> None:
    query = Query("by root", "SELECT * FROM proofs WHERE root = $1", ["x"])
    [scanned, read] = await faults(crowded, [query])
    assert (scanned, "reads" in read) == ("by root: scans proofs", True)


def test_every_query_of_the_api_is_looked_at() -> None:
    writes = {name for name, sql in SQL.items() if sql.startswith(("INSERT", "DELETE", "UPDATE", "LOCK"))}
    small = {"parameters"}  # one row
    assert set(SQL) - writes - small == {query.name for query in other_queries(dict.fromkeys(("lease",), NOWHERE))}

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
from indexer.api_server import TEMPLATE
from ionet_indexer.api.search import SQL as SEARCH
from ionet_indexer.core.lists import Listing
from ionet_indexer.core.paging import encode_cursor
from ionet_indexer.core.reader import SETTINGS, SQL
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.topics import LISTS

pytestmark = pytest.mark.matrix

EVENTS = 40_000
LARGE = 2_000  # rows
# Rows that a request for one page may look at; the tables are that small only here.
MOST_ROWS = 5_000
END = 1 << 62
ALL = SQL | SEARCH


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


def queries_of(listing: Listing, known: dict[str, str]) -> Iterator[Query]:
    """Every filter by itself, and each with a time; the first page and one in the middle."""
    middle = {"bigint": str(EVENTS // 2 << 30 if listing.order[0].field == "id" else EVENTS // 2), "numeric": "50000"}
    cursor = encode_cursor(listing.name, [middle.get(part.type, "n" * 32) for part in listing.order])
    asked: list[dict[str, Any]] = [{}]
    for name in listing.filters:
        for value in crowd.values_of(listing, name, EVENTS):
            asked += [{name: value}]
    if listing.time:
        asked += [{"since": crowd.START + EVENTS // 4, "until": crowd.START + EVENTS // 2}]
    for filters in asked:
        for after in (None, cursor):
            yield Query(
                f"{listing.route} {filters} {'in the middle' if after else ''}", *listing.query(filters, after, 50)
            )
    if listing.item:
        yield Query(f"{listing.route}/key", listing.query_one, [known.get(listing.out.__name__.lower(), crowd.NOWHERE)])


def other_queries(known: dict[str, str]) -> Iterator[Query]:
    """Those of the routes that are no lists."""
    lease, root = known["lease"], "00" * 32
    given: dict[str, list[Any]] = {
        "state": [],
        "health": [],
        "refold": [],
        "network": [],
        "totals": [],
        "events_of_entity": [lease, -1, END, 51],
        "events_reach": [lease, "NodeSlashed", -1, END, 2_000],
        "events_of_entity_named": [lease, "NodeSlashed", -1, END, 51],
        "events_named_of_entity": [lease, "NodeSlashed", -1, END, 51],
        "events_newest": [-1, END, 51],
        "events_named": ["NodeSlashed", -1, END, 51],
        "position_at": [crowd.START + EVENTS // 2],
        "stream_undos": [10],
        "stream_events": [EVENTS // 2 << 30, END, 500],
        "trace": [bytes(32), -1, -1, 21],
        "trace_block": [1, 1, 256 * 64],
        "lease_books": [lease],
        "lease_sums": [lease],
        "lease_challenged": [lease],
        "lease_named": [lease, 3_600],
        "lease_proven": [lease, 64, 95],
        "lease_just_before": [lease, [70, 250], 32],
        "lease_payers": [lease, [10, 10_000], [1 << 40], [600]],
        "lease_payable": [lease, [EVENTS // 2 << 30]],
        "lease_proofs": [[EVENTS // 2 << 30]],
        "lease_settlements": [[EVENTS // 2 << 30]],
        "upload_lease": [lease, 1, root, "00"],
        "search_address": [known["node"]],
        "search_deeds": [known["wallet"]],
        "search_signature": ["x"],
        "search_hash": [root, bytes(32)],
        "search_number": ["7", 7],
        "search_name": ["model 1"],
        "search_model": [1],
        "transaction": ["x"],
        "events_of_transaction": ["x"],
        "events_of_slot": [100 << 30, 101 << 30, 51],
        "account_totals": [known["wallet"]],
        "account_owed": [known["wallet"]],
        "account_roles": [known["wallet"]],
        "node_since": [known["node"]],
        "node_days": [known["node"], crowd.START // 86_400 - 30, crowd.START // 86_400 + 1],
        "reputation_terms": [known["node"]],
        "reputation_minutes": [known["node"], 43_200],
        "advert_node": [known["node"]],
        "advert": [known["node"]],
        "advert_changes": [known["node"]],
        "reputation_records": [known["node"], crowd.START // 86_400 - 180, 50, 400, '{"left": 2}', "[]"],
        "reputation_open": [known["node"], crowd.START // 86_400 - 180],
        "reputation_over": [[known["lease"]], crowd.START // 86_400 - 180],
        "node_runs": [known["node"], crowd.START, crowd.START + EVENTS],
        "series_range": ["network", ["asked", "rentable"], "hour"],
        "series_before": ["network", ["asked", "rentable"], "hour", crowd.START + EVENTS, crowd.START + EVENTS // 2],
        "leaders_start": ["month"],
        "leaders": ["node", "earned-IOSD", "month", 1_698_796_800, "5000", "n", 51],
        "model_names": [],
        "index_value": [1, 1 << 53],
        "index_leases": [1, 1, "0", "", 51],
        "series": ["network", ["asked", "rentable"], "hour", crowd.START, crowd.START + 200 * 3_600],
    }
    for name, values in given.items():
        yield Query(name, ALL[name], values)


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
    writes = {name for name, sql in ALL.items() if sql.startswith(("INSERT", "DELETE", "UPDATE", "LOCK"))}
    # One row; no table; as many as there are nodes, every three seconds.
    small = {"parameters", "swap_waits", "adverts_sweep"}
    known = dict.fromkeys(("lease", "node", "wallet"), crowd.NOWHERE)
    assert set(ALL) - writes - small == {query.name for query in other_queries(known)}

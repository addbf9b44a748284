"""Offers are what counting the nodes says, by the program's rules in Python, after every batch, undo and rebuild."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import Any

import asyncpg
import httpx2
import pytest
from indexer.api_server import RecordedAccounts, fill, served
from indexer.recording import ConflictRecording, EndingRecording, Played, Recording
from ionet.generated import pdas
from ionet.generated.enums import NodeFlag
from ionet.program import PROGRAM
from ionet.rules.pool import Pool, counted_stake, required_stake
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.store import Checkpoint, Writer
from market import PRICE

# For longer than a test takes.
ALL_ONLINE = """INSERT INTO adverts
    SELECT node, device_key, 1, 1::bigint << 40, 1::bigint << 40, 0, '', '[]', '', '' FROM nodes;
    INSERT INTO online_nodes SELECT node FROM nodes"""
Group = tuple[int, int, int]


@pytest.fixture(params=["market", "conflicts", "endings"])
def played(
    request: pytest.FixtureRequest, recording: Recording, conflicts: ConflictRecording, endings: EndingRecording
) -> Played:
    found: Played = {"market": recording, "conflicts": conflicts, "endings": endings}[request.param]
    return found


def state_of(node: Any, model: Any, params: Any, *, online: bool) -> str:
    """The first thing that keeps a node from being hired."""
    flags = NodeFlag(node["flags"])
    for flag, name in ((NodeFlag.BLOCKED, "blocked"), (NodeFlag.FROZEN, "frozen")):
        if flag in flags:
            return name
    if node["current_lease"] is not None:
        return "leased"
    for flag, name in ((NodeFlag.PAUSED, "paused"), (NodeFlag.ABSENT, "absent")):
        if flag in flags:
            return name
    if model is None or not model["enabled"]:
        return "disabled"
    if params is None or params["stake_per_processor"] is None:
        return "unknown"
    pool = Pool(int(node["bonded"]), int(node["bonded_shares"]))
    counted = counted_stake(pool, int(node["owner_bonded_shares"]), params["co_stake_max_percent"])
    needed = required_stake(int(params["stake_per_processor"]), model["multiplier"], node["processors"])
    if counted < needed:
        return "unstaked"
    return "rentable" if online else "offline"


async def counted(connection: asyncpg.Connection) -> dict[Group, dict[str, Any]]:
    """The offers as the nodes say."""
    models = {row["code"]: row for row in await connection.fetch("SELECT * FROM models")}
    params = await connection.fetchrow("SELECT * FROM current_parameters")
    online = {row["node"] for row in await connection.fetch("SELECT node FROM online_nodes")}
    groups: dict[Group, list[tuple[str, Any]]] = defaultdict(list)
    for node in await connection.fetch("SELECT * FROM nodes"):
        if not node["flags"] & NodeFlag.RETIRED:
            key = (node["model"], node["country"], node["tier"])
            state = state_of(node, models.get(node["model"]), params, online=node["node"] in online)
            groups[key].append((state, node))
    found = {}
    for key, nodes in groups.items():
        prices = sorted(int(n["price"]) for state, n in nodes if state == "rentable" for _ in range(n["processors"]))
        why: dict[str, int] = defaultdict(int)
        for state, _ in nodes:
            why[state] += state != "rentable"
        found[key] = {
            "nodes": len(nodes),
            "processors": sum(node["processors"] for _, node in nodes),
            "nodes_rentable": sum(state == "rentable" for state, _ in nodes),
            "processors_rentable": len(prices),
            "min_price": prices[0] if prices else None,
            "median_price": prices[(len(prices) - 1) // 2] if prices else None,
            "why_not": {state: number for state, number in why.items() if number},
        }
    return found


async def kept(connection: asyncpg.Connection) -> dict[Group, dict[str, Any]]:
    rows = [dict(row) for row in await connection.fetch("SELECT * FROM offers")]
    return {(row.pop("model"), row.pop("country"), row.pop("tier")): row for row in rows}


async def test_offers_are_what_the_nodes_say(played: Played, dsn: str, writer: Writer) -> None:
    draw, pipeline = random.Random(3), Pipeline(writer, PROGRAM.codec)
    await writer.start("chain", "program")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.set_type_codec("json", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        seen: set[str] = set()

        async def check() -> None:
            # Nodes come and go online whatever the chain does.
            some = "left(md5(node || $1), 1) <"
            came = f"INSERT INTO online_nodes SELECT node FROM nodes WHERE {some} 'c' ON CONFLICT DO NOTHING"
            for sql in (came, f"DELETE FROM online_nodes WHERE {some} '4'"):
                await connection.execute(sql, str(draw.random()))
            now = await kept(connection)
            assert now == await counted(connection)
            for offer in now.values():
                seen.update(offer["why_not"], ["rentable"] if offer["nodes_rentable"] else [])

        transactions = left = played.transactions
        slots = sorted({item.slot for item in transactions})
        while left:
            size = draw.randint(1, 6)
            chosen, left = left[:size], left[size:]
            await pipeline.commit(chosen, pipeline.decode(chosen), Checkpoint(chosen[-1].slot, -1))
            await check()
            if "unknown" in seen and "rentable" not in seen:  # not where parameters change first
                network = str(pdas.network(PROGRAM.id))
                sql = "INSERT INTO parameters VALUES ($1, 0, 20000000000, 50, '{}') ON CONFLICT DO NOTHING"
                await connection.execute(sql, network)
                await check()
        assert {"rentable", "leased", "unstaked"} <= seen
        await connection.execute("DELETE FROM online_nodes")
        await connection.execute("INSERT INTO online_nodes SELECT node FROM nodes")
        whole = await kept(connection)
        for back in draw.sample(slots[:-1], 3):
            await pipeline.commit([], [], Checkpoint(slots[-1], -1), undo_after=back)
            assert await kept(connection) == await counted(connection)
            again = [item for item in transactions if item.slot > back]
            await pipeline.commit(again, pipeline.decode(again), Checkpoint(slots[-1], -1))
            assert await kept(connection) == whole
        await pipeline.rebuild()
        assert await kept(connection) == whole
        for change in (
            "UPDATE parameters SET stake_per_processor = 1, params = '{\"changed\": 1}'",
            "UPDATE nodes SET flags = 0, current_lease = NULL, price = price + processors",
            "UPDATE models SET enabled = false",
            "UPDATE models SET enabled = true, multiplier = multiplier * 1000",
            "UPDATE nodes SET flags = 1, country = 840 WHERE node IN (SELECT node FROM nodes ORDER BY node LIMIT 2)",
            "DELETE FROM nodes WHERE node IN (SELECT node FROM nodes ORDER BY node LIMIT 1)",
        ):
            await connection.execute(change)
            await check()
    finally:
        await connection.close()


def test_the_story_has_three_nodes_that_cannot_be_hired(api: httpx2.Client) -> None:
    """One is absent, one is leased, one took stake away."""
    [offer] = api.get("/v1/offers").json()["items"]
    assert offer == {
        "model": 1,
        "model_name": "B200",
        "country": 276,
        "country_letters": "DE",
        "tier": 0,
        "nodes": 3,
        "processors": 6,
        "nodes_rentable": 0,
        "processors_rentable": 0,
        "min_price": None,
        "median_price": None,
        "why_not": {"absent": 1, "leased": 1, "unstaked": 1},
    }
    for filters in ({"model": "b200"}, {"country": 276}, {"tier": 0}):
        assert api.get("/v1/offers", params=filters).json()["items"] == [offer]
    assert api.get("/v1/offers", params={"country": 840}).json()["items"] == []
    assert api.get("/v1/offers", params={"since": 0}).status_code == 400
    network = api.get("/v1/network").json()["item"]
    names = ("nodes_listed", "nodes_online", "nodes_hireable", "nodes_hired")
    assert [network[name] for name in names] == [3, 0, 0, 1]
    names = ("processors_listed", "processors_online", "processors_hireable", "processors_hired")
    assert [network[name] for name in names] == [6, 0, 0, 2]


async def test_prices_are_those_of_nodes_that_can_be_hired(recording: Recording, dsn: str) -> None:
    await fill(dsn, recording, RecordedAccounts(recording))
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("UPDATE nodes SET flags = 0, current_lease = NULL, bonded = bonded * 100")
        await connection.execute(ALL_ONLINE)
    finally:
        await connection.close()
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=30) as client:
        [offer] = client.get("/v1/offers").json()["items"]
    # Prices of the story: PRICE, PRICE + 1 and 3 · PRICE, two processors each.
    assert (offer["min_price"], offer["median_price"]) == (str(PRICE), str(PRICE + 1))
    assert (offer["nodes_rentable"], offer["processors_rentable"], offer["why_not"]) == (3, 6, {})


async def test_what_can_be_hired_is_said_in_one_place(dsn: str) -> None:
    """No trigger and no function of the tables has the rule of the view `node_offers` again."""
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch(
            """SELECT proname::text AS name FROM pg_proc WHERE prosrc LIKE '%required_stake(%'
            UNION ALL SELECT tgname::text FROM pg_trigger WHERE pg_get_triggerdef(oid) LIKE '%required_stake(%'
            UNION ALL SELECT viewname::text FROM pg_views WHERE definition LIKE '%required_stake(%'"""
        )
    finally:
        await connection.close()
    assert [row["name"] for row in found] == ["node_offers"]

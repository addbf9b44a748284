"""Every bucket of every series is what the raw events say, whatever the batches, after an undo and after a rebuild."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import asyncpg
import httpx2
import pytest
from indexer.api_server import served
from indexer.recording import ConflictRecording, EndingRecording, Played, Recording
from indexer.series_oracle import STEPS, Expected
from indexer.tables_of import tables_of
from ionet.generated import pdas
from ionet.program import PROGRAM
from ionet_indexer.api.series import FIELDS
from ionet_indexer.core.decode import Event, Transaction
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.store import Checkpoint, Writer

pytestmark = pytest.mark.matrix

KEPT = ("series_parts", "series", "standings")
# The numbers that a field of several begins with.
BEGINS = {
    "price-asked": ("asked", "rentable"),
    "utilisation": ("leased", "rentable"),
    "proofs": ("proven",),
    "slashes": ("slashed",),
    "IOSD-supply": ("supply",),
    **{f"price-settled-{name}": (f"income-{name}", f"paid-{name}") for name in ("IOSD", "USDC", "IO")},
}


@pytest.fixture(params=["market", "conflicts", "endings"])
def played(
    request: pytest.FixtureRequest, recording: Recording, conflicts: ConflictRecording, endings: EndingRecording
) -> Played:
    found: Played = {"market": recording, "conflicts": conflicts, "endings": endings}[request.param]
    return found


def compare(api: httpx2.Client, events: Sequence[Event]) -> set[str]:
    """Ask for every bucket; returns the fields that had a value other than zero."""
    told = set()
    for step, secs in STEPS.items():
        expected = Expected(events, step)
        for scope in sorted(expected.scopes):
            for name, field in FIELDS.items():
                if field.network and scope != "network":
                    continue
                first = [expected.first.get((scope, each)) for each in BEGINS.get(name, (name,))]
                begun = min((each for each in first if each is not None), default=None)
                want = [] if begun is None else range(begun, expected.now // secs + 1)
                answer = api.get("/v1/series", params={"of": scope, "field": name, "step": step, "limit": 200})
                assert answer.status_code == 200, answer.text
                assert answer.json()["next"] is None
                got = [(item["start"], item["end"], item["value"]) for item in answer.json()["items"]]
                assert got == [
                    (each * secs, min((each + 1) * secs, expected.now), _text(expected.value(scope, name, each)))
                    for each in want
                ], (scope, name, step)
                told |= {name for _, _, value in got if value not in (None, "0")}
    return told


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


async def test_every_bucket_is_what_the_raw_events_say(played: Played, dsn: str, writer: Writer) -> None:
    draw, pipeline = random.Random(11), Pipeline(writer, PROGRAM.codec)
    await writer.start("chain", "program")
    transactions = played.transactions
    slots = sorted({item.slot for item in transactions})
    await split(pipeline, transactions, draw)
    events = pipeline.decode(transactions)
    whole = await tables_of(dsn, KEPT)
    with served(dsn) as address, httpx2.Client(base_url=address, timeout=60) as api:
        told = compare(api, events)
        assert {"price-asked", "rentable", "leased", "listed", "stake", "income-IOSD", "backing"} <= told
        for back in draw.sample(slots[len(slots) // 2 : -1], 2):
            await pipeline.commit([], [], Checkpoint(slots[-1], -1), undo_after=back)
            compare(api, [event for event in events if event.slot <= back])
            await split(pipeline, [item for item in transactions if item.slot > back], draw)
            assert await tables_of(dsn, KEPT) == whole
        await pipeline.rebuild()
        assert await tables_of(dsn, KEPT) == whole
        compare(api, events)


async def split(pipeline: Pipeline, transactions: list[Transaction], draw: random.Random) -> None:
    """Commit in batches of any size."""
    while transactions:
        size = draw.randint(1, 40)
        chosen, transactions = transactions[:size], transactions[size:]
        await pipeline.commit(chosen, pipeline.decode(chosen), Checkpoint(chosen[-1].slot, -1))


async def test_processors_that_can_be_hired_are_those_of_the_totals(played: Played, dsn: str, writer: Writer) -> None:
    """The sum of all changes is what counting the nodes now says, by SQL of its own."""
    pipeline = Pipeline(writer, PROGRAM.codec)
    await writer.start("chain", "program")
    connection = await asyncpg.connect(dsn)
    try:
        # As read from the account of every network before its parameters change.
        network = str(pdas.network(PROGRAM.id))
        await connection.execute("INSERT INTO parameters VALUES ($1, 0, 20000000000, 50, '{}')", network)
        for transaction in played.transactions:
            events = pipeline.decode([transaction])
            await pipeline.commit([transaction], events, Checkpoint(transaction.slot, -1))
            counted = "SELECT coalesce((SELECT value FROM totals WHERE name = 'processors_hireable'), 0)"
            summed = "SELECT coalesce(sum(value), 0) FROM series_parts WHERE field = 'rentable'"
            assert await connection.fetchval(counted) == await connection.fetchval(summed)
    finally:
        await connection.close()


DAY, NOON = 86_400, 1_796_040_000
FIELDS_DRAWN = ("leased", "earned-IOSD", "stake", "slashed")


def drawn(draw: random.Random, count: int) -> list[dict[str, Any]]:
    """Parts over two months, in order of time."""
    times = sorted(NOON + draw.randint(0, 60 * DAY) for _ in range(count))
    return [
        {
            "position": number,
            "field": draw.choice(FIELDS_DRAWN),
            "at": at,
            "model": draw.choice((-1, 1, 36)),
            "country": draw.choice((-1, 276, 840)),
            "node": draw.choice(("", "node", "another")),
            "owner": "owner",
            "value": draw.randint(-50, 1 << 62),
        }
        for number, at in enumerate(times, 1)
    ]


INSERT = "INSERT INTO series_parts SELECT * FROM json_populate_recordset(NULL::series_parts, $1)"
BRUTE = """
    SELECT x.scope, field, y.step, at / y.secs * y.secs AS bucket, sum(value) AS value,
           sum(value * (at / y.secs * y.secs + y.secs - at)) AS weighted, count(*) AS events, max(position) AS position
    FROM series_parts p
    JOIN LATERAL (VALUES ('network', true), ('model:' || model, model >= 0), ('country:' || country, country >= 0))
        x (scope, counts) ON counts,
    (VALUES ('hour', 3600), ('day', 86400)) y (step, secs) GROUP BY 1, 2, 3, 4
"""
BRUTE_STANDINGS = """
    SELECT x.kind, field, period,
           CASE period WHEN 'all' THEN 0 ELSE
               extract(epoch FROM date_trunc(period, to_timestamp(at) AT TIME ZONE 'UTC'))::bigint END AS start,
           x.key, sum(value) AS value, count(*) AS events
    FROM series_parts p,
    LATERAL (VALUES ('node', node), ('owner', owner), ('model', model::text), ('country', country::text)) x (kind, key),
    unnest(ARRAY['day', 'week', 'month', 'all']) period
    WHERE node <> '' AND field <> 'leased' GROUP BY 1, 2, 3, 4, 5
"""


@pytest.mark.parametrize("seed", range(4))
async def test_buckets_are_sums_of_their_parts_whatever_came_and_went(seed: int, dsn: str) -> None:
    """Parts come in batches of any size, some late, and go from any position on."""
    draw = random.Random(seed)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.set_type_codec("json", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        left, here = drawn(draw, 300), list[dict[str, Any]]()
        while left:
            size = draw.randint(1, 60)
            batch, left = left[:size], left[size:]
            if left and draw.random() < 0.3:
                batch, left = left[:1], [*batch, *left[1:]]  # a later one first
            await connection.execute(INSERT, batch)
            here += batch
            if draw.random() < 0.3:
                back = draw.choice(here[len(here) // 2 :])["position"]
                await connection.execute("DELETE FROM series_parts WHERE position >= $1", back)
                left = sorted(
                    [*left, *(part for part in here if part["position"] >= back)], key=lambda p: p["position"]
                )
                here = [part for part in here if part["position"] < back]
            for table, brute in (("series", BRUTE), ("standings", BRUTE_STANDINGS)):
                found, want = [
                    set(map(tuple, await connection.fetch(sql))) for sql in (f"SELECT * FROM {table}", brute)
                ]
                assert found == want
        assert await connection.fetchval("SELECT count(*) FROM series_parts") == len(here) == 300
    finally:
        await connection.close()


def asked(api: httpx2.Client, code: int = 200, **parameters: Any) -> Any:
    answer = api.get("/v1/series", params=parameters)
    assert answer.status_code == code, answer.text
    return answer.json()


def test_a_series_has_pages_and_bounds(api: httpx2.Client) -> None:
    whole = asked(api, of="network", field="listed", step="hour", limit=200)["items"]
    assert len(whole) > 0
    items: list[Any] = []
    cursor: dict[str, Any] = {}
    while True:
        page = asked(api, of="network", field="listed", step="hour", limit=1, **cursor)
        items += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert items == whole
    start = whole[0]["start"]
    assert asked(api, of="network", field="listed", step="hour", since=start + 1)["items"] == whole[1:]
    assert asked(api, of="network", field="listed", step="hour", until=start)["items"] == []
    assert asked(api, of="network", field="listed", step="hour", until=start + 1)["items"] == whole[:1]
    assert asked(api, of="model:9", field="listed")["items"] == []
    last = next(item for item in reversed(whole) if item["slot"] is not None)
    assert int(last["id"]) >> 30 == last["slot"]


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        ({"of": "planet", "field": "listed"}, "of: "),
        ({"of": "country:276", "field": "listed"}, "of: "),
        ({"of": "country:ZZ", "field": "listed"}, "of: 'country:ZZ'"),
        ({"of": "model:", "field": "listed"}, "of: "),
        ({"of": "network", "field": "luck"}, "field: "),
        ({"of": "network", "field": "listed", "step": "week"}, "step: "),
        ({"of": "model:1", "field": "backing"}, "the network alone"),
        ({"of": "network", "field": "listed", "cursor": "x"}, None),
        ({"of": "network"}, None),
        ({"of": "network", "field": "listed", "luck": 1}, "unknown parameter"),
    ],
)
def test_what_a_series_cannot_be_of_is_refused(
    api: httpx2.Client, parameters: dict[str, Any], detail: str | None
) -> None:
    problem = asked(api, 400, **parameters)
    assert detail is None or detail in problem["detail"]

"""Answers are named by what they were read from: unchanged, they are not sent again; and they are sent compressed."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import asyncpg
import httpx2
import pytest
import zstandard
from indexer.api_server import served
from indexer.recording import Recording
from ionet.program import PROGRAM
from ionet_indexer.core.reader import Reader
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.store import Checkpoint, Writer
from ionet_indexer.topics import LISTS
from market import key

PATHS = ["/v1/network", "/v1/nodes", "/v1/models", "/v1/events", "/v1/proofs?limit=2"]


@pytest.mark.parametrize("path", PATHS)
def test_what_the_client_has_is_not_sent_again(path: str, api: httpx2.Client) -> None:
    first = api.get(path)
    assert first.headers["cache-control"] == "public, no-cache"
    again = api.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    among = api.get(path, headers={"if-none-match": f'"x", {first.headers["etag"]}'})
    assert (among.status_code, api.get(path, headers={"if-none-match": '"x"'}).status_code) == (304, 200)


def test_a_condition_makes_no_error_an_answer(api: httpx2.Client) -> None:
    """Nor does the name of another answer."""
    known = api.get("/v1/nodes").headers["etag"]
    nobody = "1" * 32
    for path, status in (
        (f"/v1/nodes/{nobody}", 404),
        (f"/v1/nodes/{nobody}/reputation", 404),
        (f"/v1/leases/{nobody}/intervals", 404),
        ("/v1/index/h9000", 404),
        (f"/v1/trace/{'0' * 64}", 404),
        ("/v1/nodes?cursor=abc", 400),
        ("/v1/nodes?limit=0", 400),
        ("/v1/export/nothing.csv", 404),
        ("/nope", 404),
    ):
        for condition in ("*", known, f'{known}, "x"'):
            for method in ("GET", "HEAD"):
                found = api.request(method, path, headers={"if-none-match": condition})
                assert found.status_code == status, (path, condition)
                assert "etag" not in found.headers


@pytest.mark.parametrize("path", [*PATHS, "/v1/export/leases.csv", "/v1/export/leases.parquet"])
def test_any_answer_will_do(path: str, api: httpx2.Client) -> None:
    named = api.get(path).headers["etag"]
    for method in ("GET", "HEAD"):
        found = api.request(method, path, headers={"if-none-match": "*"})
        assert (found.status_code, found.content, found.headers["etag"]) == (304, b"", named)
    assert api.get("/health", headers={"if-none-match": "*"}).status_code != 304


def test_errors_health_and_the_stream_are_not_kept(api: httpx2.Client) -> None:
    for path in ("/v1/nodes?limit=0", "/health", "/nope"):
        found = api.get(path)
        assert "etag" not in found.headers
    assert api.head("/v1/stream").headers["cache-control"] != "public, no-cache"
    assert api.get("/health").headers["cache-control"] == "no-store"


async def test_the_name_changes_with_events_undos_finality_and_leaves_but_not_with_slots(
    dsn: str, writer: Writer, recording: Recording
) -> None:
    await writer.start("recorded", "program")
    pipeline, transactions = Pipeline(writer, PROGRAM.codec), recording.transactions
    names: list[str] = []

    def name() -> str:
        names.append(client.get("/v1/nodes").headers["etag"])
        return names[-1]

    with served(dsn) as address, httpx2.Client(base_url=address, timeout=30) as client:
        name()
        first, rest = transactions[:30], transactions[30:]
        await pipeline.commit(first, pipeline.decode(first), Checkpoint(first[-1].slot, -1))
        name()
        await pipeline.commit([], [], Checkpoint(first[-1].slot + 5, -1))
        assert name() == names[-2]  # blocks without events
        names.pop()
        await pipeline.commit(rest, pipeline.decode(rest), Checkpoint(rest[-1].slot, -1))
        name()
        await pipeline.commit([], [], Checkpoint(rest[-1].slot, rest[-1].slot))
        name()  # all of it is final now
        await pipeline.commit([], [], Checkpoint(rest[-1].slot + 9, rest[-1].slot + 9))
        assert name() == names[-2]
        names.pop()
        await pipeline.commit([], [], Checkpoint(rest[-1].slot + 9, rest[-1].slot + 9), undo_after=rest[-1].slot)
        name()
    assert len(set(names)) == len(names) == 5


class Held:
    """A pool whose first reading is held back, with what it has found."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool, self.readings, self.read, self.go = pool, 0, asyncio.Event(), asyncio.Event()

    async def fetchrow(self, query: str) -> Any:
        self.readings += 1
        row = await self._pool.fetchrow(query)
        self.read.set()
        await self.go.wait()
        return row


async def test_who_asks_at_once_shares_a_reading_and_is_told_nothing_older_than_the_question(
    dsn: str, writer: Writer
) -> None:
    await writer.start("recorded", "program")
    pipeline = Pipeline(writer, PROGRAM.codec)
    async with Reader.open(dsn, size=2) as reader:
        pool = reader._pool
        reader._pool = held = Held(pool)
        try:
            first = asyncio.create_task(reader.state())
            await held.read.wait()
            await pipeline.commit([], [], Checkpoint(7, -1))
            others = [asyncio.create_task(reader.state()) for _ in range(50)]
            await asyncio.sleep(0)
            others[0].cancel()  # who began it and goes away keeps nobody from it
            held.go.set()
            assert (await first).slot == -1
            assert {state.slot for state in await asyncio.gather(*others[1:])} == {7}
            assert held.readings == 2
        finally:
            reader._pool = pool


async def test_answers_of_one_name_differ_in_their_slot_alone(dsn: str, writer: Writer, recording: Recording) -> None:
    """Blocks without events pass, and become final."""
    await writer.start("recorded", "program")
    pipeline, last = Pipeline(writer, PROGRAM.codec), recording.transactions[-1].slot
    await pipeline.commit(recording.transactions, pipeline.decode(recording.transactions), Checkpoint(last, last))
    node, lease, wallet = recording.story.machines[0].address, recording.story.served, key("admin").pubkey()
    paths = [
        *(listing.route for listing in LISTS),
        *(
            "/network",
            f"/nodes/{node}",
            f"/nodes/{node}/days",
            f"/nodes/{node}/reputation",
            f"/accounts/{wallet}",
        ),
        *(f"/leases/{lease}/intervals", f"/slots/{last}", f"/search?q={last}", f"/search?q={last + 5}"),
        *("/series?of=network&field=leased&step=hour", "/leaders?by=served&of=node"),
    ]

    def ask() -> dict[str, tuple[str | None, Any]]:
        found = {}
        for path in paths:
            answer = client.get(f"/v1{path}")
            said = {name: each for name, each in answer.json().items() if name not in ("slot", "finalized_slot")}
            found[path] = (answer.headers.get("etag"), said)
        return found

    with served(dsn) as address, httpx2.Client(base_url=address, timeout=30) as client:
        before = ask()
        await pipeline.commit([], [], Checkpoint(last + 9, last + 9))
        after = ask()
    assert after == before
    assert sum(name is None for name, _ in before.values()) < 3


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_answers_are_compressed_as_the_client_reads_them(encoding: str, api: httpx2.Client) -> None:
    plain = api.get("/v1/events?limit=50", headers={"accept-encoding": "identity"})
    with api.stream("GET", "/v1/events?limit=50", headers={"accept-encoding": encoding}) as response:
        body = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == encoding
    assert "accept-encoding" in response.headers["vary"].lower()
    assert len(body) < len(plain.content) / 3
    opened = (
        zstandard.ZstdDecompressor().decompressobj().decompress(body) if encoding == "zstd" else gzip.decompress(body)
    )
    assert opened == plain.content


@pytest.mark.parametrize(
    ("read", "coding"),
    [
        ("zstd;q=0, gzip", "gzip"),
        ("gzip;q=0.000", None),
        ("*;q=0, identity", None),
        ("x-zstd-of-mine, x-gzip-too", None),
        ("GZIP; q=0.5", "gzip"),
        ("", None),
    ],
)
def test_nothing_comes_as_the_client_does_not_read_it(read: str, coding: str | None, api: httpx2.Client) -> None:
    with api.stream("GET", "/v1/events?limit=50", headers={"accept-encoding": read}) as response:
        assert response.headers.get("content-encoding") == coding


def test_a_stream_is_not_compressed(api: httpx2.Client) -> None:
    """A message would wait in the compressor for the next one."""
    asked = {"accept-encoding": "zstd, gzip"}
    with api.stream("GET", "/v1/stream?after=0-0", headers=asked) as response:
        assert "content-encoding" not in response.headers
        assert next(response.iter_raw()).startswith(b"id: ")

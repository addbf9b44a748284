"""A greedy reader takes what is theirs: a polite one beside them is served, over real connections of two addresses."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from indexer.api_server import served
from ionet.rpc import Rpc
from ionet_actions.app import Actions
from ionet_web import acting
from ionet_web.answers import AsksTooMuch
from ionet_web.indexer import Indexer
from solders.keypair import Keypair
from waiting import WITHIN_SECS, until
from web.conftest import NOWHERE, pages
from web.stage import serving

GREEDY, POLITE = "127.0.0.2", "127.0.0.3"


def reader(site: str, address: str) -> httpx2.AsyncClient:
    """Who asks from an address of this machine; as many connections as they like."""
    limits = httpx2.Limits(max_connections=None)
    transport = httpx2.AsyncHTTPTransport(local_address=address, limits=limits)
    return httpx2.AsyncClient(base_url=site, transport=transport, timeout=WITHIN_SECS)


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """A node of a chain that takes requests and answers none."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in held:
            writer.transport.abort()
        server.close()


async def test_one_address_does_not_hold_all_that_leads_to_the_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request lasts for as long as a node of the chain takes."""
    monkeypatch.setattr("ionet_actions.app.PREPARE_SECS", WITHIN_SECS)
    told = {"account": str(Keypair().pubkey()), "io": "1"}
    async with (
        silent() as chain,
        Rpc(chain, timeout=WITHIN_SECS) as rpc,
        serving(Actions(rpc, rate=1e6, burst=10**6).app()) as building,
    ):
        with pages(NOWHERE, building) as site:
            url = str(site.base_url)
            async with reader(url, GREEDY) as greedy, reader(url, POLITE) as polite:
                asked = [asyncio.create_task(greedy.post("/act/plans/mint", json=told)) for _ in range(100)]
                refused, lasting = set[asyncio.Task[httpx2.Response]](), set(asked)
                while len(lasting) > acting.MOST_OF_AN_ADDRESS:
                    done, lasting = await asyncio.wait(
                        lasting, timeout=WITHIN_SECS, return_when=asyncio.FIRST_COMPLETED
                    )
                    assert done, "more are under way than an address may have"
                    refused |= done
                # The greedy reader's are under way, and the polite one's are answered and built as ever.
                assert (await polite.get("/actions.json")).status_code == 200
                bad = await polite.post("/act/plans/mint", json={**told, "io": "nothing"})
                assert bad.json()["type"] == "bad-request"
                answers = [task.result() for task in refused]
                assert {(each.json()["status"], each.headers["retry-after"]) for each in answers} == {(429, "10")}
                for task in lasting:
                    task.cancel()
                await asyncio.gather(*lasting, return_exceptions=True)


@pytest.fixture
def short(api_dsn: str) -> Iterator[str]:
    """An API that answers an address forty questions in all."""
    with served(api_dsn, rate=1e-6, burst=40) as url:
        yield url


async def test_one_readers_questions_leave_the_indexer_to_others(short: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ionet_web.indexer.FRESH_SECS", WITHIN_SECS)
    with pages(short, asking=(1e-6, 20)) as site:
        url = str(site.base_url)
        async with reader(url, GREEDY) as greedy, reader(url, POLITE) as polite:
            found = [await greedy.get(f"/csv/nodes?max_price={number}") for number in range(1, 60)]
            assert Counter(answer.status_code for answer in found) == {200: 20, 429: 39}
            assert int(found[-1].headers["retry-after"]) > 0
            assert "this address asks too much" in found[-1].text
            for path in ("/nodes", "/clusters", "/rules"):
                assert (await polite.get(path)).status_code == 200, path
            # What others asked a moment ago costs nothing.
            assert (await greedy.get("/clusters")).status_code == 200


async def test_a_readers_questions_wait_for_each_other_and_for_nobody_elses() -> None:
    """An indexer that takes its time: eight of one reader's questions are under way, and another's at once."""
    asked = list[str]()
    go = asyncio.Event()

    async def answer(reading: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reading.readuntil(b"\r\n")).decode().split()[1])
        await reading.readuntil(b"\r\n\r\n")
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Indexer.at(url) as indexer:
        greedy = [asyncio.create_task(indexer.of(GREEDY).get("nodes", str(number))) for number in range(30)]
        polite = asyncio.create_task(indexer.of(POLITE).get("network"))
        await until(lambda: "/v1/network" in asked, "another reader's question is asked")
        assert len(asked) == 9
        go.set()
        assert await polite == {}
        assert await asyncio.gather(*greedy) == [{}] * 30


async def test_who_waits_too_long_for_their_own_questions_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ionet_web.indexer._TURN_SECS", 0.05)
    async with silent() as url, Indexer.at(url) as indexer:
        mine = indexer.of(GREEDY)
        asked = [asyncio.create_task(mine.get("nodes", str(number))) for number in range(9)]
        done, lasting = await asyncio.wait(asked, timeout=WITHIN_SECS, return_when=asyncio.FIRST_COMPLETED)
        assert [type(task.exception()) for task in done] == [AsksTooMuch]
        for task in lasting:
            task.cancel()
        await asyncio.gather(*lasting, return_exceptions=True)

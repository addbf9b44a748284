"""Places of the live stream: how many an address and all have, who makes room, and that none is lost."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx2
import pytest
from indexer.api_server import served
from indexer.recording import Recording
from indexer.test_stream import Messages, add
from ionet_indexer.api import stream
from ionet_indexer.store import Writer


async def test_streams_are_bound_in_number_and_make_room_when_they_end(
    dsn: str, writer: Writer, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_STREAMS", 3)
    monkeypatch.setattr(stream, "MOST_OF_AN_ADDRESS", 2)
    await writer.start("recorded", "program")
    await add(writer, recording, 0, 20)
    asked: Any = {"method": "GET", "url": "/v1/stream", "params": {"after": "0-0"}}
    with served(dsn) as address:
        async with httpx2.AsyncClient(base_url=address, timeout=60) as http, contextlib.AsyncExitStack() as other:
            async with http.stream(**asked) as one, http.stream(**asked) as two:
                assert (one.status_code, two.status_code) == (200, 200)
                refused = await http.get("/v1/stream")
                assert (refused.status_code, refused.json()["type"]) == (429, "too-many-requests")
                assert int(refused.headers["retry-after"]) == 10
                elsewhere: Any = {"headers": {"x-forwarded-for": "10.0.0.1"}}
                three = await other.enter_async_context(http.stream(**asked, **elsewhere))
                assert three.status_code == 200
                assert (await http.get("/v1/stream", **elsewhere)).status_code == 429
            status = 429
            while status == 429:
                async with http.stream(**asked) as again:
                    status = again.status_code
            assert status == 200


async def test_a_stream_of_who_has_most_makes_room_and_goes_on_elsewhere(
    dsn: str, writer: Writer, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends after a whole message; whoever reads it goes on from there."""
    monkeypatch.setattr(stream, "MOST_STREAMS", 3)
    await writer.start("recorded", "program")
    await add(writer, recording, 0, 20)
    asked: Any = {"method": "GET", "url": "/v1/stream", "params": {"after": "0-0"}}
    addresses: list[Any] = [{"headers": {"x-forwarded-for": f"10.0.0.{number}"}} for number in range(4)]
    one, two, three, four = addresses
    with served(dsn) as address:
        async with httpx2.AsyncClient(base_url=address, timeout=60) as http, contextlib.AsyncExitStack() as opened:

            async def begun(whose: Any) -> Any:
                return await opened.enter_async_context(http.stream(**asked, **whose))

            first = await begun(one)
            messages = Messages(first)
            seen = await messages.take(5)
            others = [await begun(whose) for whose in (one, two, three)]
            assert [each.status_code for each in others] == [200] * 3
            seen += await messages.rest()
            assert (await begun(four)).status_code == 429
            for each in others:
                assert (await Messages(each).take(5)) == seen[:5]
            await others[0].aclose()
            again: Any = {"method": "GET", "url": "/v1/stream", "params": {"after": seen[-1]["id"]}}
            status = 429
            while status == 429:
                async with http.stream(**again, **one) as response:
                    status = response.status_code
            assert status == 200


async def test_places_are_taken_before_anything_else_and_come_back(
    dsn: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many that come at once do not get more; HEAD and refusals keep nothing."""
    monkeypatch.setattr(stream, "MOST_OF_AN_ADDRESS", 2)
    await writer.start("recorded", "program")
    with served(dsn) as address:
        async with httpx2.AsyncClient(base_url=address, timeout=60) as http:
            for _ in range(3):
                assert (await http.head("/v1/stream")).status_code == 200
                assert (
                    await http.get("/v1/stream", params={"after": "9" * 18 + "-9999999999999999999"})
                ).status_code == 400

            async def status(done: asyncio.Event) -> int:
                async with http.stream("GET", "/v1/stream") as response:
                    if response.status_code == 200:
                        await done.wait()
                    return response.status_code

            done = asyncio.Event()
            tasks = [asyncio.create_task(status(done)) for _ in range(12)]
            while sum(task.done() for task in tasks) < 10:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            done.set()
            assert sorted(await asyncio.gather(*tasks)) == [200] * 2 + [429] * 10

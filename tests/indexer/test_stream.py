"""The live stream: from where a client left off, nothing twice, and back when the chain goes back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest
import pytest_asyncio
from indexer.api_server import served
from indexer.recording import Recording
from ionet.program import PROGRAM
from ionet_indexer.core.decode import slot_of
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.store import Checkpoint, Writer


class Messages:
    """Server-sent events of one response."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.aiter_lines()

    async def take(self, count: int) -> list[dict[str, Any]]:
        """The next messages as {id, event, data}; comments are skipped."""
        found: list[dict[str, Any]] = []
        fields: dict[str, Any] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name in ("id", "event", "data"):
                    fields[name] = msgspec.json.decode(value) if name == "data" else value
                elif not line and fields:
                    found.append(fields)
                    fields = {}
                    if len(found) == count:
                        return found
        raise AssertionError("the stream ended")


@pytest_asyncio.fixture
async def http(dsn: str) -> AsyncIterator[httpx2.AsyncClient]:
    with served(dsn) as address:
        async with httpx2.AsyncClient(base_url=address, timeout=10) as client:
            yield client


async def add(writer: Writer, recording: Recording, first: int, last: int, undo_after: int | None = None) -> Checkpoint:
    pipeline = Pipeline(writer, PROGRAM.codec)
    chosen = recording.transactions[first:last]
    checkpoint = Checkpoint(chosen[-1].slot if chosen else undo_after or 0, -1)
    await pipeline.commit(chosen, pipeline.decode(chosen), checkpoint, undo_after=undo_after)
    return checkpoint


async def test_a_client_sees_every_event_once_and_goes_on_after_a_pause(
    http: httpx2.AsyncClient, writer: Writer, recording: Recording
) -> None:
    await writer.start("recorded", "program")
    await add(writer, recording, 0, 20)
    async with http.stream("GET", "/v1/stream", params={"after": "0-0"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
        seen = await Messages(response).take(len(stored))
    assert [message["data"] for message in seen] == stored
    await add(writer, recording, 20, 30)
    async with http.stream("GET", "/v1/stream", headers={"last-event-id": seen[-3]["id"]}) as response:
        again = await Messages(response).take(5)
    assert [message["data"]["id"] for message in again[:2]] == [item["id"] for item in stored[-2:]]
    assert all(int(one["data"]["id"]) < int(two["data"]["id"]) for one, two in itertools.pairwise(again))


async def test_new_events_are_pushed(http: httpx2.AsyncClient, writer: Writer, recording: Recording) -> None:
    await writer.start("recorded", "program")
    await add(writer, recording, 0, 10)
    async with http.stream("GET", "/v1/stream") as response:
        await asyncio.sleep(0.3)
        await add(writer, recording, 10, 12)
        (message,) = await Messages(response).take(1)  # long before a heartbeat would look
    assert slot_of(int(message["data"]["id"])) == recording.transactions[10].slot


async def test_a_fork_takes_clients_back(http: httpx2.AsyncClient, writer: Writer, recording: Recording) -> None:
    await writer.start("recorded", "program")
    await add(writer, recording, 0, 30)
    common = recording.transactions[24].slot
    async with http.stream("GET", "/v1/stream", params={"after": "0-0"}) as response:
        messages = Messages(response)
        before = await messages.take(len((await http.get("/v1/events", params={"limit": 200})).json()["items"]))
        await add(writer, recording, 25, 28, undo_after=common)
        undo, *after = await messages.take(3)
    assert (undo["event"], undo["data"]) == ("undo", {"slot": common})
    assert all(message["data"]["slot"] > common for message in after)
    # A client that was away during the fork learns of it from the id it kept.
    async with http.stream("GET", "/v1/stream", params={"after": before[-1]["id"]}) as response:
        (late,) = await Messages(response).take(1)
    assert (late["event"], late["data"]) == ("undo", {"slot": common})


async def test_only_final_events_on_request(http: httpx2.AsyncClient, writer: Writer, recording: Recording) -> None:
    await writer.start("recorded", "program")
    await add(writer, recording, 0, 20)
    final = recording.transactions[9].slot
    async with http.stream("GET", "/v1/stream", params={"after": "0-0", "finalized": "true"}) as response:
        messages = Messages(response)
        await asyncio.sleep(0.3)
        await Pipeline(writer, PROGRAM.codec).commit([], [], Checkpoint(recording.transactions[19].slot, final))
        stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
        expected = [item for item in stored if item["slot"] <= final]
        assert [message["data"] for message in await messages.take(len(expected))] == expected


async def test_what_was_confirmed_before_the_subscription_is_sent_when_it_is_final(
    http: httpx2.AsyncClient, writer: Writer, recording: Recording
) -> None:
    await writer.start("recorded", "program")
    pipeline, transactions = Pipeline(writer, PROGRAM.codec), recording.transactions
    await add(writer, recording, 0, 20)
    indexed, final = transactions[19].slot, transactions[9].slot
    await pipeline.commit([], [], Checkpoint(indexed, final))
    async with http.stream("GET", "/v1/stream", params={"finalized": "true"}) as response:
        messages = Messages(response)
        await asyncio.sleep(0.3)
        await pipeline.commit([], [], Checkpoint(indexed, indexed))
        stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
        expected = [item for item in stored if item["slot"] > final]
        assert len(expected) > 0
        assert [message["data"] for message in await messages.take(len(expected))] == expected


@pytest.mark.parametrize("after", [True, False], ids=["resumed from the other stream", "from now on"])
async def test_a_final_stream_never_undoes(
    after: bool, http: httpx2.AsyncClient, writer: Writer, recording: Recording
) -> None:
    """A fork takes back what was confirmed: who asked for what is final hears nothing of it, and misses nothing."""
    await writer.start("recorded", "program")
    pipeline, transactions = Pipeline(writer, PROGRAM.codec), recording.transactions
    await add(writer, recording, 0, 30)
    common, final = transactions[24].slot, transactions[9].slot
    await pipeline.commit([], [], Checkpoint(transactions[29].slot, final))
    newest = (await http.get("/v1/events", params={"limit": 1})).json()["items"][0]["id"]
    asked = {"finalized": "true"} | ({"after": f"{newest}-0"} if after else {})
    async with http.stream("GET", "/v1/stream", params=asked) as response:
        messages = Messages(response)
        await asyncio.sleep(0.3)
        again = transactions[25:28]
        await pipeline.commit(again, pipeline.decode(again), Checkpoint(again[-1].slot, final), undo_after=common)
        await asyncio.sleep(0.3)
        await pipeline.commit([], [], Checkpoint(again[-1].slot, again[-1].slot))
        stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
        expected = [item for item in stored if item["slot"] > (common if after else final)]
        found = await messages.take(len(expected))
    assert [message["data"] for message in found] == expected
    assert "undo" not in {message["event"] for message in found}

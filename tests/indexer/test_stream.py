"""The live stream: from where a client left off, nothing twice, and back when the chain goes back."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import msgspec
import pytest
import pytest_asyncio
from indexer.api_server import served
from indexer.recording import Recording
from ionet.program import PROGRAM
from ionet_indexer.api import stream
from ionet_indexer.core.decode import slot_of
from ionet_indexer.core.reader import Reader, Snapshot
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.store import Checkpoint, Writer

Waiting = Callable[[], Awaitable[object]]


class Messages:
    """Server-sent events of one response."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.aiter_lines()

    async def take(self, count: int) -> list[dict[str, Any]]:
        """The next messages as {id, event, data}; comments are skipped."""
        found: list[dict[str, Any]] = []
        async for message in self:
            found.append(message)
            if len(found) == count:
                return found
        raise AssertionError("the stream ended")

    async def rest(self) -> list[dict[str, Any]]:
        """All others, once the stream has ended."""
        return [message async for message in self]

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        fields: dict[str, Any] = {}
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                fields[name] = msgspec.json.decode(value) if name == "data" else value
            elif not line and fields:
                yield fields
                fields = {}


@pytest_asyncio.fixture
async def http(dsn: str) -> AsyncIterator[httpx2.AsyncClient]:
    with served(dsn) as address:
        async with httpx2.AsyncClient(base_url=address, timeout=60) as client:
            yield client


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """Waits until a stream has sent all that there is and waits for more; no heartbeat wakes it."""
    waits, plain = threading.Semaphore(0), stream._wait

    async def wait(changed: asyncio.Event) -> bool:
        waits.release()
        return await plain(changed)

    monkeypatch.setattr(stream, "_wait", wait)
    monkeypatch.setattr(stream, "_HEARTBEAT", None)
    return lambda: asyncio.to_thread(waits.acquire)


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


async def test_new_events_are_pushed(
    http: httpx2.AsyncClient, writer: Writer, recording: Recording, waiting: Waiting
) -> None:
    await writer.start("recorded", "program")
    await add(writer, recording, 0, 10)
    async with http.stream("GET", "/v1/stream") as response:
        await waiting()
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


async def test_only_final_events_on_request(
    http: httpx2.AsyncClient, writer: Writer, recording: Recording, waiting: Waiting
) -> None:
    await writer.start("recorded", "program")
    await add(writer, recording, 0, 20)
    final = recording.transactions[9].slot
    async with http.stream("GET", "/v1/stream", params={"after": "0-0", "finalized": "true"}) as response:
        messages = Messages(response)
        await waiting()
        await Pipeline(writer, PROGRAM.codec).commit([], [], Checkpoint(recording.transactions[19].slot, final))
        stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
        expected = [item for item in stored if item["slot"] <= final]
        assert [message["data"] for message in await messages.take(len(expected))] == expected


async def test_what_was_confirmed_before_the_subscription_is_sent_when_it_is_final(
    http: httpx2.AsyncClient, writer: Writer, recording: Recording, waiting: Waiting
) -> None:
    await writer.start("recorded", "program")
    pipeline, transactions = Pipeline(writer, PROGRAM.codec), recording.transactions
    await add(writer, recording, 0, 20)
    indexed, final = transactions[19].slot, transactions[9].slot
    await pipeline.commit([], [], Checkpoint(indexed, final))
    async with http.stream("GET", "/v1/stream", params={"finalized": "true"}) as response:
        messages = Messages(response)
        await waiting()
        await pipeline.commit([], [], Checkpoint(indexed, indexed))
        stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
        expected = [item for item in stored if item["slot"] > final]
        assert len(expected) > 0
        assert [message["data"] for message in await messages.take(len(expected))] == expected


@pytest.mark.parametrize("after", [True, False], ids=["resumed from the other stream", "from now on"])
async def test_a_final_stream_never_undoes(
    after: bool, http: httpx2.AsyncClient, writer: Writer, recording: Recording, waiting: Waiting
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
        await waiting()
        again = transactions[25:28]
        await pipeline.commit(again, pipeline.decode(again), Checkpoint(again[-1].slot, final), undo_after=common)
        await waiting()
        await pipeline.commit([], [], Checkpoint(again[-1].slot, again[-1].slot))
        stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
        expected = [item for item in stored if item["slot"] > (common if after else final)]
        found = await messages.take(len(expected))
    assert [message["data"] for message in found] == expected
    assert "undo" not in {message["event"] for message in found}


LATE = 30  # a cluster is closed: the last event of its entity, and no rule


async def without_one(writer: Writer, recording: Recording, finalized: int) -> Pipeline:
    """Everything but one transaction is stored; slots are final up to that of another."""
    await writer.start("recorded", "program")
    pipeline, transactions = Pipeline(writer, PROGRAM.codec), recording.transactions
    others = [item for number, item in enumerate(transactions[:40]) if number != LATE]
    end = Checkpoint(others[-1].slot, transactions[finalized].slot)
    await pipeline.commit(others, pipeline.decode(others), end)
    return pipeline


async def test_when_final_history_is_mended_a_final_stream_says_so_and_ends(
    http: httpx2.AsyncClient, writer: Writer, recording: Recording
) -> None:
    """It leads to where nothing is missing; whoever comes back with an older id is told the same."""
    pipeline = await without_one(writer, recording, 36)
    late = recording.transactions[LATE]
    end = await writer.start("recorded", "program")
    async with http.stream("GET", "/v1/stream", params={"after": "0-0", "finalized": "true"}) as response:
        messages = Messages(response)
        stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
        before = await messages.take(sum(item["slot"] <= end.finalized for item in stored))
        await pipeline.commit([late], pipeline.decode([late]), end)
        (mended,) = await messages.take(1)
        with pytest.raises(AssertionError, match="the stream ended"):
            await messages.take(1)
    assert (mended["event"], mended["data"]) == ("mended", {"slot": late.slot - 1})
    stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
    expected = [item for item in stored if late.slot <= item["slot"] <= end.finalized]
    assert late.slot in {item["slot"] for item in expected}
    async with http.stream("GET", "/v1/stream", params={"after": mended["id"], "finalized": "true"}) as response:
        again = await Messages(response).take(len(expected))
    assert [message["data"] for message in again] == expected
    for known in (before[-1]["id"], before[-2]["id"]):
        async with http.stream("GET", "/v1/stream", params={"after": known, "finalized": "true"}) as response:
            (told,) = await Messages(response).take(1)
        assert (told["event"], told["data"], told["id"]) == ("mended", mended["data"], mended["id"])


async def test_when_final_history_is_mended_the_other_stream_goes_back(
    http: httpx2.AsyncClient, writer: Writer, recording: Recording
) -> None:
    pipeline = await without_one(writer, recording, 36)
    late = recording.transactions[LATE]
    async with http.stream("GET", "/v1/stream", params={"after": "0-0"}) as response:
        messages = Messages(response)
        await messages.take(len((await http.get("/v1/events", params={"limit": 200})).json()["items"]))
        await pipeline.commit([late], pipeline.decode([late]), await writer.start("recorded", "program"))
        undo, first = await messages.take(2)
    assert (undo["event"], undo["data"]) == ("undo", {"slot": late.slot - 1})
    assert first["data"]["slot"] == late.slot


async def test_an_event_that_comes_before_its_slot_is_final_mends_nothing(
    http: httpx2.AsyncClient, writer: Writer, recording: Recording
) -> None:
    pipeline = await without_one(writer, recording, LATE - 2)
    late = recording.transactions[LATE]
    end = await writer.start("recorded", "program")
    async with http.stream("GET", "/v1/stream", params={"after": "0-0", "finalized": "true"}) as response:
        messages = Messages(response)
        stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
        await messages.take(sum(item["slot"] <= end.finalized for item in stored))
        await pipeline.commit([late], pipeline.decode([late]), Checkpoint(end.indexed, end.indexed))
        stored = (await http.get("/v1/events", params={"limit": 200})).json()["items"][::-1]
        expected = [item for item in stored if item["slot"] > end.finalized]
        found = await messages.take(len(expected))
    assert [message["data"] for message in found] == expected
    assert late.slot in {item["slot"] for item in expected}


async def test_what_keeps_a_connection_alive_is_no_message(
    http: httpx2.AsyncClient, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field of data, even an empty one, would be a message to whoever listens."""
    await writer.start("recorded", "program")
    monkeypatch.setattr(stream, "_HEARTBEAT", 0.1)
    lines: list[str] = []
    async with http.stream("GET", "/v1/stream") as response:
        async for line in response.aiter_lines():
            lines += [line] if line else []
            if len(lines) == 3:
                break
    assert lines == [": alive"] * 3


async def test_followers_at_one_place_ask_the_database_once(
    http: httpx2.AsyncClient, writer: Writer, recording: Recording, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, a change costs one look, and each gets all of it."""
    looks, plain = list[int](), Reader.snapshot

    def snapshot(reader: Reader) -> AbstractAsyncContextManager[Snapshot]:
        looks.append(1)
        return plain(reader)

    await writer.start("recorded", "program")
    await add(writer, recording, 0, 10)
    async with contextlib.AsyncExitStack() as opened:
        streams = [
            await opened.enter_async_context(http.stream("GET", "/v1/stream")) for _ in range(stream.MOST_OF_AN_ADDRESS)
        ]
        for _ in streams:
            await waiting()
        monkeypatch.setattr(Reader, "snapshot", snapshot)
        await add(writer, recording, 10, 20)
        seen = [await Messages(response).take(5) for response in streams]
        for _ in streams:
            await waiting()
    assert all(messages == seen[0] for messages in seen)
    assert len(looks) < len(streams) // 2


async def test_an_address_reads_history_at_a_pace_whatever_its_streams(
    dsn: str, writer: Writer, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has the process for nothing by reading all there is again and again."""
    monkeypatch.setattr(stream, "_BATCH", 10)
    monkeypatch.setattr(stream, "HISTORY_PER_SECOND", 25)
    monkeypatch.setattr(stream, "HISTORY_AT_ONCE", 20)
    await writer.start("recorded", "program")
    await add(writer, recording, 0, 60)
    count = await writer.count_events()
    with served(dsn) as address:
        async with httpx2.AsyncClient(base_url=address, timeout=60) as client, contextlib.AsyncExitStack() as opened:
            began = time.monotonic()
            asked = [client.stream("GET", "/v1/stream", params={"after": "0-0"}) for _ in range(3)]
            responses = [await opened.enter_async_context(each) for each in asked]
            seen = await asyncio.gather(*(Messages(response).take(count) for response in responses))
            took = time.monotonic() - began
    assert seen[0] == seen[1] == seen[2]
    batches = 3 * ((count - 1) // 10)  # the last one is news
    assert took > (10 * batches - 20) / 25 - 0.5 > 4

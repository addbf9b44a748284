"""What other people's nodes were seen to do (tests/indexer/cases), and how the source gets through it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from indexer.proxy import Call, Honest, Proxy, Refusal, Reply, proxy
from indexer.recording import PROGRAM_ID, ConflictRecording, Played, Recording
from ionet.program import PROGRAM
from ionet_indexer.api.stream import shown
from ionet_indexer.core.decode import Transaction
from ionet_indexer.core.keys import readable
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.source import transport
from ionet_indexer.source.base import Seen, SourceError
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Checkpoint, Writer

CASES = Path(__file__).parent / "cases"


def case(name: str) -> Any:
    return msgspec.json.decode((CASES / f"{name}.json").read_bytes())


class Alone(Honest):
    """A node without a chain behind it: `answer` makes each reply, `refuse` an answer to a whole request."""

    def __init__(self, answer: Callable[[Call], Reply], refuse: Callable[[list[Call], bool], Refusal | None]) -> None:
        self.answer = answer
        self.refuse = refuse

    async def request(self, calls: list[Call], *, batch: bool) -> Refusal:
        if (refusal := self.refuse(calls, batch)) is not None:
            return refusal
        replies = [{"jsonrpc": "2.0", "id": call["id"], **self.answer(call)} for call in calls]
        return Refusal(200, msgspec.json.encode(replies if batch else replies[0]).decode(), kind="application/json")


def never(calls: list[Call], batch: bool) -> None:
    """Refuses nothing."""


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Proxy]:
    async with proxy("http://127.0.0.1:1") as found:
        yield found


@pytest_asyncio.fixture
async def source(node: Proxy) -> AsyncIterator[RpcSource]:
    found = RpcSource(node.url, PROGRAM_ID, timeout=5)
    yield found
    await found.close()


def served(recording: Played) -> Callable[[Call], Reply]:
    raw = {item.signature: msgspec.Raw(raw) for item, raw in zip(recording.transactions, recording.raw, strict=True)}
    return lambda call: {"result": raw[call["params"][0]]}


@pytest.mark.parametrize("code", [-32007, 429, -32005, -32429])
async def test_what_a_limited_node_answered_is_kept_and_only_the_rest_asked_again(
    code: int, node: Proxy, source: RpcSource, conflicts: ConflictRecording
) -> None:
    limit = case("node-limit-per-call")
    asked: list[str] = []
    answered: list[float] = []
    serve = served(conflicts)

    def answer(call: Call) -> Reply:
        asked.append(call["params"][0])
        if sum(at > time.monotonic() - 1 for at in answered) >= limit["per_second"]:
            return {"error": {"code": code, "message": limit["error"]["message"]}}
        answered.append(time.monotonic())
        return serve(call)

    node.script = Alone(answer, never)
    wanted = conflicts.seen[: limit["calls"]]
    began = time.monotonic()
    found = await source.transactions(wanted)
    assert time.monotonic() - began < 5
    assert {item.signature for item in found} == {item.signature for item in wanted}
    assert len(answered) == len(wanted) == 50  # nothing that was answered was asked again
    assert len(asked) < 6 * 50


@pytest.mark.parametrize(
    "number", [0, 1, 2], ids=lambda number: case("node-without-batches")["answers"][number]["name"]
)
async def test_a_node_that_takes_no_batches_is_asked_call_by_call(
    number: int, node: Proxy, source: RpcSource, recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    said = case("node-without-batches")["answers"][number]
    body = said["body"] if isinstance(said["body"], str) else msgspec.json.encode(said["body"]).decode()

    def refuse(_: list[Call], batch: bool) -> Refusal | None:
        return Refusal(said["http"], body, kind=said["content_type"]) if batch else None

    serve, heads = served(recording), {"confirmed": 7, "finalized": 5}

    def answer(call: Call) -> Reply:
        match call["method"]:
            case "getGenesisHash":
                return {"result": "chain"}
            case "getSlot":
                return {"result": heads[call["params"][0]["commitment"]]}
        return serve(call)

    node.script = Alone(answer, refuse)
    with caplog.at_level(logging.WARNING):
        assert await source.genesis() == "chain"
        assert await source.heads() == (7, 5)
        wanted = recording.seen[:20]
        assert {item.signature for item in await source.transactions(wanted)} == {item.signature for item in wanted}
    assert [record.message.partition(":")[0] for record in caplog.records] == ["the node takes no batches"]


async def test_an_answer_without_end_is_not_read_to_it(
    node: Proxy, source: RpcSource, conflicts: ConflictRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too much for a batch may be right for each of its calls; what is too much for one call is an error."""
    longest = max(len(raw) for raw in conflicts.raw)
    monkeypatch.setattr(transport, "_MOST_BYTES", longest + 200)
    node.script = Alone(served(conflicts), never)
    seen = conflicts.seen[:20]
    assert {item.signature for item in await source.transactions(seen)} == {item.signature for item in seen}
    monkeypatch.setattr(transport, "_MOST_BYTES", 1_000)
    monkeypatch.setattr(transport, "_ATTEMPTS", 2)
    with pytest.raises(SourceError, match="an answer of more than 1000 bytes"):
        await source.transactions(seen)


async def test_the_text_of_a_refusal_is_part_of_the_error(
    node: Proxy, source: RpcSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_ATTEMPTS", 2)
    node.script = Alone(lambda _: {"result": None}, lambda *_: Refusal(503, "<html>\n down for repairs </html>"))
    with pytest.raises(SourceError, match=r"getGenesisHash: HTTP 503: service unavailable \(<html> down for repairs"):
        await source.genesis()


@pytest.mark.parametrize(("asked_for", "waits"), [("1", 1.0), ("0", 0.1), ("soon", 0.1)])
async def test_a_node_that_names_a_time_is_left_alone_until_then(
    asked_for: str, waits: float, node: Proxy, source: RpcSource
) -> None:
    times: list[float] = []

    def refuse(*_: object) -> Refusal | None:
        times.append(time.monotonic())
        return Refusal(429, "<html>Too Many Requests</html>", {"retry-after": asked_for}) if len(times) == 1 else None

    node.script = Alone(lambda _: {"result": "chain"}, refuse)
    await asyncio.gather(source.genesis(), source.genesis())
    assert waits <= times[-1] - times[0] < waits * 1.25 + 1


@pytest.mark.parametrize(
    ("asked_for", "told"), [("30", 30.0), ("86400", 60.0), ("Fri, 31 Dec 2100 23:59:59 GMT", 60.0)]
)
async def test_a_long_time_is_told_instead_of_waited_for_and_has_a_bound(
    asked_for: str, told: float, node: Proxy, source: RpcSource
) -> None:
    node.script = Alone(lambda _: {"result": "chain"}, lambda *_: Refusal(429, "", {"retry-after": asked_for}))
    with pytest.raises(SourceError, match="HTTP 429: too many requests") as refused:
        await source.genesis()
    assert told * 0.9 < refused.value.retry_after <= told * 1.25
    assert node.requests == 1


async def test_a_transaction_without_outcome_is_named_and_not_asked_for_again_and_again(
    node: Proxy, source: RpcSource, recording: Recording
) -> None:
    lost = case("transaction-without-meta")
    signature, slot = lost["transaction"]["signatures"][0], lost["slot"]
    serve = served(recording)
    node.script = Alone(lambda call: {"result": lost} if call["params"][0] == signature else serve(call), never)
    with pytest.raises(SourceError, match=f"{signature} of slot {slot}: the node has lost its outcome"):
        await source.transactions([*recording.seen[:2], Seen(signature, slot)])
    assert node.requests == 1


async def stored(name: str, writer: Writer, dsn: str, sql: str) -> list[Any]:
    """Rows after a case was read and committed."""
    transaction = msgspec.convert(case(name), Transaction)
    pipeline = Pipeline(writer, PROGRAM.codec)
    await writer.start("chain", PROGRAM_ID)
    await pipeline.commit([transaction], pipeline.decode([transaction]), Checkpoint(transaction.slot, -1))
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(sql)
    await connection.close()
    return list(rows)


async def test_a_block_of_no_time_has_none_in_the_tables_and_answers(writer: Writer, dsn: str) -> None:
    sql = "SELECT e.*, t.block_time AS at FROM events e JOIN transactions t USING (signature)"
    (row,) = await stored("transaction-without-block-time", writer, dsn, sql)
    event = shown(row, PROGRAM.codec)
    assert (row["at"], row["block_time"], event.block_time, event.name) == (None, None, None, "NetworkInitialized")
    assert event.data["at"] == "1795649794"  # what the program itself says of the time stays


async def test_a_zero_byte_in_a_name_is_stored_as_a_sign_and_stays_in_the_bytes(writer: Writer, dsn: str) -> None:
    """The program of today refuses such a name; an event of an earlier one is on the chain for ever."""
    sql = "SELECT m.name, e.data FROM models m JOIN events e USING (position) ORDER BY code"
    rows = await stored("transaction-with-nul-in-a-name", writer, dsn, sql)
    assert [row["name"] for row in rows[:2]] == ["H100\ufffdSXM5", "H200"]
    assert b"H100\0SXM5\0" in rows[0]["data"]


def test_a_name_that_is_no_text_is_shown_all_the_same() -> None:
    assert readable(b"A\xff\0B\0\0") == "A\ufffd\ufffdB"

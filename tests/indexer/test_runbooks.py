"""Every page of docs/runbooks is drilled: its alarm comes, in its words, and what it says to do ends it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import postgres
import pytest
import pytest_asyncio
from indexer.api_server import served
from indexer.followed import change, newest, played_by, truth
from indexer.proxy import Answers, Call, Honest, Proxy, Refusal, Reply
from indexer.tables_of import tables_of
from indexer.test_refill import ask, lose, reached
from indexer.test_unread import codec_without
from ionet import base58
from ionet.codec import EVENT_TAG, ProgramCodec
from ionet.errors import IonetError
from ionet.program import PROGRAM
from ionet_indexer import ingest, metrics, service
from ionet_indexer.api import ops
from ionet_indexer.core.decode import BadTransaction
from ionet_indexer.second import Second
from ionet_indexer.store import Writer, WrongChain
from market import PRICE, Market

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGES = Path(__file__).parents[2] / "docs" / "runbooks"
DRILLS = Path(__file__).read_text()
PATIENCE = 60.0


def words_of(page: str) -> re.Pattern[str]:
    """What the page says that its alarm says: its first indented line, with … for what varies."""
    line = next(line for line in (PAGES / f"{page}.md").read_text().splitlines() if line.startswith("    "))
    return re.compile(".*".join(re.escape(part) for part in line.strip().split("…")))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "_LAST_PAUSE", 0.5)
    monkeypatch.setattr(ingest, "_FIRST_MEND_PAUSE", 0.5)
    monkeypatch.setattr(service, "_RECONCILE_SECS", 0.5)
    monkeypatch.setattr(service, "_SECOND_LOOK_SECS", 0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played() -> AsyncIterator[Market]:
    async with played_by("ab", 100) as found:
        yield found


@contextlib.asynccontextmanager
async def writing(
    url: str, played: Market, dsn: str, *, check_url: str | None = None, codec: ProgramCodec = PROGRAM.codec
) -> AsyncIterator[asyncio.Task[None]]:
    """An indexer without API."""
    settings = service.Settings(dsn, url, played.net.ws_url, poll=0.05, check_url=check_url)
    task = asyncio.create_task(service.run(settings, codec, None))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def health(address: str) -> tuple[int, str]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        response = await client.get(f"{address}/health")
    said = response.json()
    return response.status_code, said["problem" if "problem" in said else "detail"] or ""


async def alarm(address: str, page: str) -> None:
    """Wait until /health fails in the words of the page."""
    said = ""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                status, said = await health(address)
                if status == 503 and words_of(page).search(said):
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"/health said {said!r}, not {words_of(page).pattern!r}")


async def over(address: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await health(address))[0] != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def api(dsn: str) -> AsyncIterator[str]:
    """Address of an API in a thread of its own."""
    with contextlib.ExitStack() as stack:
        yield await asyncio.to_thread(stack.enter_context, served(dsn))
        await asyncio.to_thread(stack.close)


class Away(Honest):
    async def request(self, calls: list[Call], *, batch: bool) -> Refusal:  # noqa: ARG002
        return Refusal(503, "<html>down</html>")


def behind(_: list[Any], reply: Reply) -> Reply:
    return {**reply, "result": max(0, reply["result"] - 50)}


def unserved(_: list[Any], reply: Reply) -> Reply:
    return {**reply, "result": None}


def garbled(_: list[Any], reply: Reply) -> Reply:
    """Every event of the program is cut to less than its name."""
    for inner in reply["result"]["meta"]["innerInstructions"]:
        for instruction in inner["instructions"]:
            if base58.decode(instruction["data"])[:8] == EVENT_TAG:
                instruction["data"] = base58.encode(EVENT_TAG + b"short")
    return reply


def mixed_up(_: list[Any], reply: Reply) -> Reply:
    return {**reply, "result": "0" * 8}


@pytest.mark.parametrize(
    ("page", "script"),
    [
        ("node-away", Away()),
        ("node-behind", Answers("getSlot", behind)),
        ("node-garbled", Answers("getTransaction", mixed_up)),
        ("not-served", Answers("getTransaction", unserved)),
        ("node-without-history", Answers("getSignaturesForAddress", lambda _, reply: {**reply, "result": []})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_another_node_ends_what_one_node_lacks(
    page: str, script: Honest, played: Market, node: Proxy, dsn: str, another: str
) -> None:
    async with api(dsn) as address:
        async with writing(node.url, played, dsn):
            await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
            node.script = script
            await change(played)
            await alarm(address, page)
        async with writing(played.net.rpc_url, played, dsn):
            await over(address)
            played.finalize()
            await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    assert await tables_of(dsn) == await truth(played, another)


async def test_no_writer(played: Market, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "_STALE_SECS", 1.0)
    async with api(dsn) as address:
        assert await health(address) == (503, "nothing was read from the chain yet")
        async with writing(played.net.rpc_url, played, dsn):
            await over(address)
        await alarm(address, "no-writer")
        async with writing(played.net.rpc_url, played, dsn):
            await over(address)


async def test_no_database(played: Market) -> None:
    with postgres.server() as fallible:
        dsn = await postgres.create(fallible, "fallible")
        async with Writer.open(dsn):  # makes the tables
            pass
        async with writing(played.net.rpc_url, played, dsn):
            await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
            async with api(dsn) as address:
                await over(address)
                await asyncio.to_thread(fallible.stop)
                await alarm(address, "no-database")
                await asyncio.to_thread(fallible.start)
                await over(address)


async def test_folding_again(played: Market, dsn: str, another: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an upgrade that needs other tables, and killed meanwhile."""
    full, seen, analyze = asyncio.Event(), asyncio.Event(), Second.analyze

    async def wait_before(second: Second) -> None:
        full.set()
        await seen.wait()
        await analyze(second)

    monkeypatch.setattr(Second, "analyze", wait_before)
    async with writing(played.net.rpc_url, played, dsn):
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    await ask(dsn, "UPDATE checkpoint SET refold = true")
    async with api(dsn) as address:
        async with writing(played.net.rpc_url, played, dsn):
            await asyncio.wait_for(full.wait(), PATIENCE)
            await alarm(address, "folding-again")  # and it is killed: the next one begins again
        async with writing(played.net.rpc_url, played, dsn):
            await alarm(address, "folding-again")
            seen.set()
            await over(address)
            played.finalize()
            await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    assert await tables_of(dsn) == await truth(played, another)


async def test_cannot_start(played: Market, dsn: str, another: str) -> None:
    async with writing(played.net.rpc_url, played, dsn):
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    await ask(dsn, "UPDATE checkpoint SET genesis = 'another chain'")
    before = await tables_of(dsn)
    async with writing(played.net.rpc_url, played, dsn) as task:
        with pytest.raises(WrongChain) as ended:
            await asyncio.wait_for(task, PATIENCE)
    assert words_of("cannot-start").search(str(ended.value))
    assert await tables_of(dsn) == before
    async with api(another) as address, writing(played.net.rpc_url, played, another):
        await over(address)


async def test_event_missing(played: Market, node: Proxy, dsn: str) -> None:
    async with api(dsn) as address, writing(node.url, played, dsn):
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
        known = {row["signature"] for row in (await tables_of(dsn, ("transactions",)))["transactions"]}
        node.script = Answers("getSignaturesForAddress", lambda _, reply: {**reply, "result": keep(reply, known)})
        await change(played)  # the node does not list this one
        await played.admin.node.update(played.machines[0].address, played.terms(3 * PRICE))
        played.net.chain.begin_blocks(2)
        known.add(await newest(played))
        await alarm(address, "event-missing")
        node.script = Honest()
        await over(address)


def keep(reply: Reply, known: set[str]) -> list[Any]:
    """What is listed of these signatures."""
    return [item for item in reply["result"] if item["signature"] in known]


async def test_drift(played: Market, node: Proxy, dsn: str, another: str) -> None:
    async with api(dsn) as address, writing(node.url, played, dsn):
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
        await lose(played, node, dsn, lambda: change(played))
        await alarm(address, "drift")
        node.script = Honest()
        await over(address)
        played.finalize()
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    assert await tables_of(dsn) == await truth(played, another)


async def test_nodes_disagree(played: Market, node: Proxy, dsn: str) -> None:
    async with api(dsn) as address:
        async with writing(node.url, played, dsn, check_url=played.net.rpc_url):
            await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
            known = {row["signature"] for row in (await tables_of(dsn, ("transactions",)))["transactions"]}
            node.script = Answers("getSignaturesForAddress", lambda _, reply: {**reply, "result": keep(reply, known)})
            await change(played)
            played.finalize()
            await alarm(address, "nodes-disagree")
        async with writing(played.net.rpc_url, played, dsn, check_url=played.net.rpc_url):
            await over(address)


async def test_another_fork(played: Market, dsn: str, another: str) -> None:
    """The stored final block is not the chain's: a new database is filled and served."""
    async with writing(played.net.rpc_url, played, dsn):
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
        played.finalize()
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    await ask(dsn, "UPDATE heads SET blockhash = 'another'")
    async with api(dsn) as address, writing(played.net.rpc_url, played, dsn):
        await alarm(address, "another-fork")
    slot = played.net.chain.timeline.committed_slot("finalized")
    settings = service.Settings(another, played.net.rpc_url, played.net.ws_url, check_url=played.net.rpc_url)
    with pytest.raises(IonetError, match="the setting fsync is off"):  # as of every test's server
        await service.fill(settings, PROGRAM.codec, slot, 5)
    async with api(another) as address, writing(played.net.rpc_url, played, another):
        await over(address)


async def test_unreadable_event(played: Market, node: Proxy, dsn: str) -> None:
    async with writing(node.url, played, dsn) as task:
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
        node.script = Answers("getTransaction", garbled)
        await change(played)
        with pytest.raises(BadTransaction) as ended:
            await asyncio.wait_for(task, PATIENCE)
    assert words_of("unreadable-event").search(str(ended.value))
    async with api(dsn) as address, writing(played.net.rpc_url, played, dsn):
        await over(address)


async def test_new_program(played: Market, dsn: str, another: str) -> None:
    """The program is upgraded first, as it should not be; then the indexer that knows it takes over."""
    older = codec_without({"NodeUpdated"})
    assert [metric.name + "_total" for metric in metrics.UNREAD.describe()] == [words_of("new-program").pattern]
    before = metrics.UNREAD._value.get()
    async with writing(played.net.rpc_url, played, dsn, codec=older):
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
        await change(played)
        played.finalize()
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    assert metrics.UNREAD._value.get() > before
    assert await ask(dsn, "SELECT count(*) > 0 FROM events WHERE name = 'Unread'")
    async with writing(played.net.rpc_url, played, dsn):
        played.finalize()
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    assert await tables_of(dsn) == await truth(played, another)


async def test_every_page_is_in_the_list_and_has_a_drill() -> None:
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README"}
    listed = set(re.findall(r"\]\((\S+)\.md\)", (PAGES / "README.md").read_text()))
    drilled = set(re.findall(r'(?:alarm\(address, |words_of\(|\n        \()"([\w-]+)"', DRILLS))
    assert pages == listed == drilled

"""Tables that differ from the accounts hold the running indexer: it says so, reads again by itself, and goes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from indexer.followed import LIST, change, played_by, truth
from indexer.proxy import Honest, Proxy, Reply
from indexer.recording import PROGRAM_ID
from indexer.tables_of import tables_of
from ionet.program import PROGRAM
from ionet_indexer import ingest, service
from ionet_indexer.source.rpc import RpcSource
from market import Market

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played() -> AsyncIterator[Market]:
    async with played_by("a", 100) as found:
        yield found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_RECONCILE_SECS", 0.3)
    monkeypatch.setattr(service, "_SECOND_LOOK_SECS", 0.1)
    monkeypatch.setattr(service, "_SWEEP_EVERY", 2)
    monkeypatch.setattr(ingest, "_FIRST_MEND_PAUSE", 0.5)


@contextlib.asynccontextmanager
async def running(node: Proxy, played: Market, dsn: str) -> AsyncIterator[None]:
    settings = service.Settings(dsn, node.url, played.net.ws_url, poll=0.05)
    task = asyncio.create_task(service.run(settings, PROGRAM.codec, None))
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(dsn: str, sql: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def until(check: Callable[[], Awaitable[bool]], patience: float = 60.0) -> None:
    async with asyncio.timeout(patience):
        while not await check():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def reached(dsn: str, slot: int, patience: float = 60.0) -> None:
    async def there() -> bool:
        return (await ask(dsn, "SELECT max(finalized_slot) FROM checkpoint") or -1) >= slot

    try:
        await until(there, patience)
    except TimeoutError:
        problem = await ask(dsn, "SELECT problem FROM status")
        pytest.fail(f"slot {slot} did not become final here in {patience:.0f} s: {problem}")


def says(dsn: str, word: str | None) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        problem = await ask(dsn, "SELECT problem FROM status")
        return problem is None if word is None else word in (problem or "")

    return look


class ListsNothingNew(Honest):
    """Lists only what happened before."""

    def __init__(self, known: set[str]) -> None:
        self.known = known

    def answered(self, call: dict[str, Any], reply: Reply) -> Reply:
        if call["method"] == LIST:
            reply["result"] = [item for item in reply["result"] if item["signature"] in self.known]
        return reply


async def lose(played: Market, node: Proxy, dsn: str, do: Callable[[], Awaitable[object]]) -> set[str]:
    """Something happens that the node lists nowhere, and it becomes final in the tables without it."""
    node.script = ListsNothingNew(before := await everything(played))
    await do()
    played.finalize()
    await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    return await everything(played) - before


async def everything(played: Market) -> set[str]:
    """Signatures of the program's transactions."""
    source = RpcSource(played.net.rpc_url, PROGRAM_ID)
    seen = await source.seen(-1, await source.heads())
    await source.close()
    return {item.signature for item in seen}


async def test_an_event_that_was_final_and_not_listed_is_read_again(
    played: Market, node: Proxy, dsn: str, another: str
) -> None:
    async with running(node, played, dsn):
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
        (lost,) = await lose(played, node, dsn, lambda: change(played))
        await until(says(dsn, "tables differ from accounts: nodes"))
        node.script = Honest()
        await until(says(dsn, None))
        assert await ask(dsn, f"SELECT count(*) FROM transactions WHERE signature = '{lost}'") == 1
        played.finalize()
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    assert await tables_of(dsn) == await truth(played, another)


async def test_while_it_cannot_be_mended_the_cursor_rests(
    played: Market, node: Proxy, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_FIRST_MEND_PAUSE", 30.0)
    async with running(node, played, dsn):
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
        await lose(played, node, dsn, lambda: change(played))
        await until(says(dsn, "tables differ from accounts: nodes"))
        slots: list[int] = []

        async def rests() -> bool:
            slots.append(await ask(dsn, "SELECT indexed_slot FROM checkpoint"))
            await asyncio.sleep(0.5)
            return slots[-3:] == [slots[-1]] * 3

        await until(rests)
        await asyncio.sleep(1)
        assert await ask(dsn, "SELECT indexed_slot FROM checkpoint") == slots[-1]
        assert slots[-1] < played.net.chain.timeline.committed_slot("confirmed") - 10
        assert await says(dsn, "tables differ from accounts: nodes")()


async def test_a_node_that_nobody_told_of_is_found_by_its_account(
    played: Market, node: Proxy, dsn: str, another: str
) -> None:
    """No row, so no comparison of rows can miss it: the accounts on chain are asked for."""
    async with running(node, played, dsn):
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
        lost = await lose(played, node, dsn, lambda: played.add_machine("unheard of"))
        assert len(lost) == 2  # registered and staked
        await until(says(dsn, "tables differ from accounts: nodes"))
        node.script = Honest()
        await until(says(dsn, None))
        played.finalize()
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    assert await tables_of(dsn) == await truth(played, another)


async def test_a_row_that_was_changed_by_hand_is_made_again(
    played: Market, node: Proxy, dsn: str, another: str
) -> None:
    async with running(node, played, dsn):
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
        await ask(dsn, "UPDATE nodes SET bonded = 1")

        async def whole() -> bool:
            return bool(await ask(dsn, "SELECT count(*) = 0 FROM nodes WHERE bonded = 1"))

        await until(whole)
        await until(says(dsn, None))
        played.finalize()
        await reached(dsn, played.net.chain.timeline.committed_slot("finalized"))
    assert await tables_of(dsn) == await truth(played, another)

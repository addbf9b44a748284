"""What is of a fork that was left neither stops the tables for good nor gets into them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from indexer.followed import LIST, change, ingest_of, played_by, truth
from indexer.proxy import Honest, Proxy, Reply
from indexer.recording import PROGRAM_ID
from indexer.tables_of import tables_of
from ionet_indexer.ingest import Ingest
from ionet_indexer.source.base import Heads
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Writer
from market import Market

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played() -> AsyncIterator[Market]:
    # Slots are long enough for a slow machine to do three things before they are final.
    async with played_by("abc", 200) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def writer(dsn: str) -> AsyncIterator[Writer]:
    async with Writer.open(dsn) as opened:
        assert await opened.take_lock()
        yield opened


async def test_a_block_that_both_nodes_have_left_does_not_stop_the_tables(
    played: Market, source: RpcSource, writer: Writer, dsn: str, another: str
) -> None:
    """The first node was on another fork for one look, and nobody noticed before the next one."""
    witness = RpcSource(played.net.rpc_url, PROGRAM_ID)
    ingest = await ingest_of(source, writer, witness)
    await ingest.run_once()
    await change(played)
    await ingest.run_once()
    left = ingest.checkpoint.indexed
    played.finalize()
    await change(played)
    head = (await source.heads()).confirmed
    [blockhash] = await source.blockhashes([head])
    assert blockhash is not None
    await writer._connection.execute("UPDATE heads SET blockhash = 'of another fork' WHERE slot = $1", left)
    await writer.add_head(head, blockhash, final=-1)
    await ingest.run_once()
    await witness.close()
    assert ingest.checkpoint.finalized >= left
    assert await tables_of(dsn) == await truth(played, another)


async def left_unseen(played: Market, source: RpcSource, writer: Writer, ingest: Ingest) -> int:
    """The node was on another fork for one look, and back before the next one ended; the slot of that look."""
    await change(played)
    await ingest.run_once()
    left = ingest.checkpoint.indexed
    await writer._connection.execute("UPDATE heads SET blockhash = 'of another fork' WHERE slot = $1", left)
    played.net.chain.begin_blocks(6)
    head = (await source.heads()).confirmed
    [blockhash] = await source.blockhashes([head])
    assert blockhash is not None
    await writer.add_head(head, blockhash, final=-1)
    return left


async def test_a_block_that_the_node_has_left_is_not_what_it_is_checked_on(
    played: Market, source: RpcSource, writer: Writer, dsn: str, another: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It became final here as the newest of all heads that were: after the next fork, no node was good enough."""
    ingest = await ingest_of(source, writer)
    await ingest.run_once()
    left = await left_unseen(played, source, writer, ingest)
    played.finalize()
    now = Heads((await source.heads()).confirmed, left)

    async def heads() -> Heads:
        return now

    with monkeypatch.context() as patch:
        patch.setattr(source, "heads", heads)
        await ingest.run_once()
    assert ingest.checkpoint.finalized == left
    await writer._connection.execute("UPDATE heads SET blockhash = 'of a third' WHERE slot > $1", left)
    restarted = await ingest_of(source, writer)
    await restarted.run_once()
    assert restarted._root_checked
    assert await tables_of(dsn) == await truth(played, another)


async def test_only_the_newest_block_that_the_node_still_has_is_kept_of_those_that_become_final(
    played: Market, source: RpcSource, writer: Writer
) -> None:
    ingest = await ingest_of(source, writer)
    await left_unseen(played, source, writer, ingest)
    played.finalize()
    await ingest.run_once()
    newest = (await writer.heads())[0]
    played.finalize()
    await ingest.run_once()
    assert [head for head in await writer.heads() if head[0] <= ingest.checkpoint.finalized] == [newest]
    assert await source.holds(*newest)


class OfAnotherFork(Honest):
    """Goes on listing and serving a transaction, once it `remembers`, although its fork was left; not as final."""

    def __init__(self, signature: str) -> None:
        self.signature = signature
        self.remembers = False
        self.listed: dict[str, Any] = {}
        self.served: dict[str, Any] = {}

    def answered(self, call: dict[str, Any], reply: Reply) -> Reply:
        method, params = call["method"], call["params"]
        if method == LIST and params[1]["commitment"] == "confirmed" and "before" not in params[1]:
            mine = [item for item in reply["result"] if item["signature"] == self.signature]
            self.listed = mine[0] if mine else self.listed
            if self.remembers and not mine:
                page = [*reply["result"], self.listed]
                reply["result"] = sorted(page, key=lambda item: -int(item["slot"]))
        if method == "getTransaction" and params[0] == self.signature:
            self.served = reply["result"] or self.served
            reply["result"] = self.served if self.remembers else reply["result"]
        return reply


async def test_what_is_read_again_is_of_no_fork_that_was_left(
    played: Market, node: Proxy, source: RpcSource, writer: Writer, dsn: str, another: str
) -> None:
    """Nothing would ever take it back from below what is final."""
    ingest = await ingest_of(source, writer)
    await ingest.run_once()
    left = await change(played)
    node.script = script = OfAnotherFork(left)
    assert await ingest.run_once() == 1
    timeline = played.net.chain.timeline
    played.net.node.fork(len(timeline.heights_between(script.listed["slot"], timeline.slot)), 0.0, seed=1)
    played.net.chain.begin_blocks(4)
    await ingest.run_once()
    played.finalize()
    await ingest.run_once()
    script.remembers = True
    key = str(played.machines[0].address)
    assert script.listed["slot"] <= ingest.checkpoint.finalized
    assert await ingest.refill([key], [key]) == 0
    assert await tables_of(dsn) == await truth(played, another)

"""What a node lists late, leaves out, has pruned or never had ends in the right tables, or in a stop that says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from indexer.followed import LIST, change, ingest_of, played_by, truth
from indexer.proxy import Answers, Honest, Proxy, Reply
from indexer.recording import PROGRAM_ID, Recording
from indexer.tables_of import empty, tables_of
from ionet.program import PROGRAM
from ionet_indexer.pipeline import Pipeline, SeqHole
from ionet_indexer.source import rpc
from ionet_indexer.source.base import SourceError
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Checkpoint, Writer
from market import PRICE, Market

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


class Hides(Honest):
    """Leaves signatures out of lists, of one commitment or of all."""

    def __init__(self, signatures: set[str], commitment: str | None = None) -> None:
        self.signatures = signatures
        self.commitment = commitment

    def answered(self, call: dict[str, Any], reply: Reply) -> Reply:
        if call["method"] == LIST and call["params"][1]["commitment"] in (self.commitment or "confirmed finalized"):
            reply["result"] = [item for item in reply["result"] if item["signature"] not in self.signatures]
        return reply


@pytest.mark.parametrize("commitment", [None, "confirmed"])
async def test_a_last_event_that_is_listed_late_is_in_the_tables(
    commitment: str | None, played: Market, node: Proxy, source: RpcSource, writer: Writer, dsn: str, another: str
) -> None:
    """Nothing else of its entities happens. What is hidden as confirmed alone is found when its slot becomes final."""
    ingest = await ingest_of(source, writer)
    await ingest.run_once()
    late = await change(played)
    node.script = Hides({late}, commitment)
    await ingest.run_once()
    before = await tables_of(dsn)
    assert late not in {row["signature"] for row in before["transactions"]}
    if commitment is None:
        node.script = Honest()
    else:
        played.finalize()
    assert await ingest.run_once() == 1
    found = await tables_of(dsn)
    assert found["nodes"] != before["nodes"]
    assert found == await truth(played, another)


async def test_followers_are_sent_back_to_an_event_that_came_late(
    played: Market, node: Proxy, source: RpcSource, writer: Writer, dsn: str
) -> None:
    ingest = await ingest_of(source, writer)
    late = await change(played)
    node.script = Hides({late})
    await played.admin.node.update(played.machines[1].address, played.terms(5 * PRICE))
    played.net.chain.begin_blocks(2)
    await ingest.run_once()
    assert (await tables_of(dsn, ("undos",)))["undos"] == []
    node.script = Honest()
    await ingest.run_once()
    tables = await tables_of(dsn, ("undos", "transactions"))
    slots = {row["signature"]: row["slot"] for row in tables["transactions"]}
    assert [row["slot"] for row in tables["undos"]] == [slots[late] - 1]


@pytest.mark.parametrize("at", ["first", "later"])
async def test_an_empty_page_is_not_the_end_of_history(
    at: str,
    played: Market,
    node: Proxy,
    source: RpcSource,
    writer: Writer,
    dsn: str,
    another: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a page begins is not known to the node that is asked for it, which says so with an empty list."""
    monkeypatch.setattr(rpc, "_FIRST_PAGE", 3)
    monkeypatch.setattr(rpc, "_PAGE", 4)
    ingest = await ingest_of(source, writer)

    def empty(params: list[Any], reply: Reply) -> Reply:
        return {**reply, "result": []} if at == "first" or "before" in params[1] else reply

    node.script = Answers(LIST, empty)
    for _ in range(2):
        with pytest.raises(SourceError, match="lost the history" if at == "first" else "breaks off after"):
            await ingest.run_once()
    assert ingest.checkpoint == Checkpoint(-1, -1)
    node.script = Honest()
    await ingest.run_once()
    node.script = Answers(LIST, empty)
    for _ in range(4):
        await change(played)
    with pytest.raises(SourceError, match="does not reach back" if at == "first" else "breaks off after"):
        await ingest.run_once()
    node.script = Honest()
    await ingest.run_once()
    assert await tables_of(dsn) == await truth(played, another)


async def test_pruned_history_is_refused_from_the_beginning_and_later(
    played: Market, node: Proxy, source: RpcSource, writer: Writer, dsn: str, another: str
) -> None:
    """What is left shares no entity with what was lost, so no numbering tells."""
    ingest = await ingest_of(source, writer)
    await ingest.run_once()
    stored = {row["signature"] for row in (await tables_of(dsn))["transactions"]}
    before = ingest.checkpoint
    await played.add_machine(f"after {before.indexed}")
    played.net.chain.begin_blocks(2)
    node.script = Hides(stored)
    with pytest.raises(SourceError, match="does not reach back to what is stored"):
        await ingest.run_once()
    assert ingest.checkpoint == before
    async with Writer.open(another) as second:
        fresh = await ingest_of(source, second)
        with pytest.raises(SourceError, match=r"history begins in slot [0-9]+ with NodeRegistered: it lost"):
            await fresh.run_once()
        assert fresh.checkpoint == Checkpoint(-1, -1)
    node.script = Honest()
    await ingest.run_once()
    assert await tables_of(dsn) == await truth(played, another)


async def test_what_is_stored_and_no_longer_listed_stops_the_tables(
    played: Market, node: Proxy, source: RpcSource, writer: Writer, dsn: str
) -> None:
    """A block that the node shows with the transaction in it is proof that the list is wrong."""
    ingest = await ingest_of(source, writer)
    left_out = await change(played)
    await ingest.run_once()
    before = await tables_of(dsn)
    node.script = Hides({left_out})
    with pytest.raises(SourceError, match=f"does not list {left_out}, which its block in slot"):
        await ingest.run_once()
    assert await tables_of(dsn) == before
    node.script = Honest()
    await ingest.run_once()


async def test_a_transaction_that_is_listed_and_never_served_stops_the_tables_and_is_named(
    played: Market, node: Proxy, source: RpcSource, writer: Writer, dsn: str, another: str
) -> None:
    ingest = await ingest_of(source, writer)
    await ingest.run_once()
    before = ingest.checkpoint
    never = await change(played)
    node.script = Answers("getTransaction", lambda _, reply: {**reply, "result": None})
    for _ in range(2):
        with pytest.raises(SourceError, match=f"{never} of slot [0-9]+ is listed but not served"):
            await ingest.run_once()
    assert ingest.checkpoint == before
    node.script = Honest()
    await ingest.run_once()
    assert await tables_of(dsn) == await truth(played, another)


SKIPPED = {"code": -32007, "message": "Slot was skipped, or missing due to ledger jump to recent snapshot"}


async def test_a_block_that_the_node_does_not_have_is_no_fork(
    played: Market, node: Proxy, source: RpcSource, writer: Writer, dsn: str
) -> None:
    """Neither the block of our newest head nor those after it: nothing is taken back. With its child, it is known."""
    ingest = await ingest_of(source, writer)
    await change(played)
    await ingest.run_once()
    before, head = await tables_of(dsn), ingest.checkpoint.indexed
    played.net.chain.begin_blocks(3)

    def missing(params: list[Any], reply: Reply) -> Reply:
        gone = head <= params[0] <= head + last
        return {"jsonrpc": "2.0", "id": reply["id"], "error": SKIPPED} if gone else reply

    node.script = Answers("getBlock", missing)
    last = 1
    with pytest.raises(SourceError, match=f"shows no block in slot {head} and none after it"):
        await ingest.run_once()
    last = 0
    await ingest.run_once()
    found = await tables_of(dsn, ("undos", "events"))
    assert (found["undos"], found["events"]) == ([], before["events"])


async def test_a_second_node_that_knows_more_stops_what_would_become_final(
    played: Market, node: Proxy, source: RpcSource, writer: Writer, dsn: str, another: str
) -> None:
    witness = RpcSource(played.net.rpc_url, PROGRAM_ID)
    ingest = await ingest_of(source, writer, witness)
    await ingest.run_once()
    before = ingest.checkpoint
    hidden = await change(played)
    node.script = Hides({hidden})
    played.finalize()
    with pytest.raises(SourceError, match=f"only the second node lists {hidden}"):
        await ingest.run_once()
    assert ingest.checkpoint == before
    node.script = Honest()
    await ingest.run_once()
    await witness.close()
    assert await tables_of(dsn) == await truth(played, another)


async def test_an_event_of_any_kind_may_come_last(recording: Recording, writer: Writer, dsn: str, another: str) -> None:
    """Every transaction that may be missing unnoticed, taken in after all others: the tables are those of the chain."""
    transactions = recording.transactions
    pipeline = Pipeline(writer, PROGRAM.codec)
    await writer.start("chain", PROGRAM_ID)
    end = Checkpoint(recording.heads.confirmed, -1)
    async with Writer.open(another) as other:
        await other.start("chain", PROGRAM_ID)
        whole = Pipeline(other, PROGRAM.codec)
        await whole.commit(transactions, whole.decode(transactions), end)
    expected = await tables_of(another)
    late = 0
    for number, transaction in enumerate(transactions):
        rest = transactions[:number] + transactions[number + 1 :]
        try:
            await pipeline.commit(rest, pipeline.decode(rest), end)
        except SeqHole:
            continue
        await pipeline.commit([transaction], pipeline.decode([transaction]), end)
        late += 1
        assert await tables_of(dsn) == expected, transaction.signature
        async with writer.transaction():
            await writer.undo_after(-1)
        await empty(dsn)
    assert late > 5

"""A market that an indexer follows, what happens in it, and what the tables are to hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from indexer.recording import PROGRAM_ID
from indexer.tables_of import tables_of
from ionet.program import PROGRAM
from ionet_indexer.ingest import Ingest
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.source.base import Source
from ionet_indexer.source.rpc import RpcSource
from ionet_indexer.store import Writer
from market import PRICE, Market, market

LIST = "getSignaturesForAddress"


@asynccontextmanager
async def played_by(machines: str, slot_ms: int) -> AsyncIterator[Market]:
    """A market with a machine of each letter, all of it final."""
    async with market(slot_ms=slot_ms) as found:
        for name in machines:
            await found.add_machine(name)
        found.finalize()
        yield found


async def ingest_of(source: RpcSource, writer: Writer, witness: Source | None = None) -> Ingest:
    start = await writer.start(await source.genesis(), PROGRAM_ID)
    return Ingest(source, writer, Pipeline(writer, PROGRAM.codec), start, witness=witness)


async def truth(played: Market, dsn: str) -> dict[str, list[Any]]:
    """The tables of an indexer that reads from the chain itself, for the first time now."""
    source = RpcSource(played.net.rpc_url, PROGRAM_ID)
    async with Writer.open(dsn) as writer:
        await (await ingest_of(source, writer)).run_once()
    await source.close()
    return await tables_of(dsn)


async def newest(played: Market) -> str:
    """Signature of the newest confirmed transaction of the program."""
    source = RpcSource(played.net.rpc_url, PROGRAM_ID)
    seen = await source.seen(-1, await source.heads())
    await source.close()
    return seen[-1].signature


async def change(played: Market) -> str:
    """A node changes its price; signature of the transaction, the last one of every entity it belongs to."""
    terms = played.terms(PRICE + played.net.chain.timeline.height)
    await played.admin.node.update(played.machines[0].address, terms)
    played.net.chain.begin_blocks(2)
    return await newest(played)

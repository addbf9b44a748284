"""The story of money and trust in tables and API: what the events say is what the accounts hold."""

from __future__ import annotations

from indexer.api_server import RecordedAccounts
from indexer.recording import TrustRecording
from indexer.tables_of import tables_of
from ionet.program import PROGRAM
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.reader import Reader
from ionet_indexer.reconcile import reconcile
from ionet_indexer.store import Checkpoint, Writer


async def test_every_row_agrees_with_its_account(trust: TrustRecording, writer: Writer, dsn: str) -> None:
    await writer.start("chain", "program")
    pipeline = Pipeline(writer, PROGRAM.codec)
    transactions = trust.transactions
    await pipeline.commit(transactions, pipeline.decode(transactions), Checkpoint(trust.heads.confirmed, -1))
    async with Reader.open(dsn) as reader:
        assert await reconcile(reader, RecordedAccounts(trust), PROGRAM.codec) == []
    before = await tables_of(dsn)
    await pipeline.rebuild()
    assert await tables_of(dsn) == before

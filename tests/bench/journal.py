"""Bytes that the local chain's journal keeps per transaction."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from bench.figures import Figures, count
from bench.history import record
from ionet_localnet.journal import Journal, Kind
from ionet_localnet.ledger import JOURNAL_FILE

# Kind, length and checksum of a record.
HEAD = 9


def measure() -> Figures:
    with tempfile.TemporaryDirectory(prefix="ionet-bench-") as folder:
        asyncio.run(record(1, ledger=Path(folder)))
        journal = Journal(Path(folder) / JOURNAL_FILE)
        sizes = [HEAD + len(payload) for kind, payload in journal.read() if kind is Kind.TRANSACTION]
        journal.abandon()
    return {"journal.bytes_per_transaction": count("journal", round(sum(sizes) / len(sizes)), "bytes")}

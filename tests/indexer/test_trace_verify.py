"""`ionet trace --verify` believes an indexer nothing: whatever it alters in an answer is found over an RPC alone."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import httpx2
import pytest
from indexer.api_server import fill, served
from indexer.conflicts import ConflictStory, tell_of_conflicts
from indexer.recording import PROGRAM_ID, ConflictRecording, EndingRecording, Played, Recording
from indexer.serving import leaves_of, results_of
from ionet.leaves import send_upload, sign_upload
from ionet.program import PROGRAM
from ionet.rules import merkle
from ionet.rules.lease_log import log_of
from ionet.trace import Occurrence, TraceRefused, fetch
from ionet.trace_check import verify_all
from ionet_indexer.core.decode import decode
from ionet_indexer.core.reader import Reader
from ionet_indexer.source.rpc import RpcAccounts, RpcSource
from market import Market, key, market
from msgspec import convert, to_builtins
from solders.pubkey import Pubkey


def logs_of(played: Played) -> dict[str, list[tuple[int, str | None, int, int, bool]]]:
    """The log of every lease, by the client's rules from the events alone."""
    by_lease: dict[str, list[Any]] = {}
    for transaction in played.transactions:
        for event in decode(transaction, PROGRAM.codec):
            if type(event.value).__match_args__[0] == "lease":
                by_lease.setdefault(str(event.value.lease), []).append(event.value)
    return {
        lease: [
            (each.interval, each.challenge, each.secs, each.amount, each.payment is not None)
            for _, each in sorted(log_of(events).intervals.items())
        ]
        for lease, events in by_lease.items()
    }


@pytest.mark.parametrize("story", ["ordinary", "conflicts", "endings"])
async def test_the_clients_log_of_a_lease_is_the_indexers(
    story: str, dsn: str, recording: Recording, conflicts: ConflictRecording, endings: EndingRecording
) -> None:
    from indexer.api_server import RecordedAccounts

    stories: dict[str, Played] = {"ordinary": recording, "conflicts": conflicts, "endings": endings}
    await fill(dsn, stories[story], RecordedAccounts(stories[story]))
    logs = logs_of(stories[story])
    assert len(logs) > 3
    async with Reader.open(dsn) as reader, reader.snapshot() as snapshot:
        for lease, log in logs.items():
            rows = await snapshot.fetch("SELECT * FROM lease_log($1) WHERE proof IS NOT NULL ORDER BY interval", lease)
            assert log == [
                (row["interval"], row["challenge"], row["secs"], int(row["amount"]), row["payment"] is not None)
                for row in rows
            ]

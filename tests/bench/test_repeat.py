"""A history told again is one that a chain could have had: other entities, counted from one, later."""

from __future__ import annotations

import asyncio

import msgspec
from bench.history import record
from bench.repeat import Repeated
from ionet.program import PROGRAM
from ionet_indexer.core.decode import Event, Transaction, decode
from ionet_indexer.topics.fold import links


def _read(raw: list[bytes]) -> tuple[list[Transaction], list[Event]]:
    transactions = [msgspec.json.decode(each, type=Transaction) for each in raw]
    return transactions, [event for each in transactions for event in decode(each, PROGRAM.codec)]


def test_every_repetition_continues_the_one_before() -> None:
    repeated = Repeated(asyncio.run(record(1)))
    counts: dict[str, int] = {}
    signatures: set[str] = set()
    slot, at = -1, 0
    for number in range(3):
        transactions, events = _read(repeated.raw(number))
        assert len(events) == repeated.events[min(number, 1)]
        assert transactions[0].slot > slot
        assert events[0].block_time is not None
        assert at < events[0].block_time <= events[0].value.at
        assert signatures.isdisjoint(item.signature for item in transactions)
        signatures.update(item.signature for item in transactions)
        slot, at = transactions[-1].slot, events[-1].value.at
        assert slot <= repeated.heads(number + 1).confirmed
        before = set(counts)
        for event in events:
            for entity, seq in links(event.value):
                assert seq == counts.get(entity, 0) + 1
                counts[entity] = seq
        assert number == 0 or all(entity not in before for event in events for entity, _ in links(event.value))
    assert repeated.history(3).heads == repeated.heads(3)

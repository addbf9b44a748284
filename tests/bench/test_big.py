"""The benchmark of the big cluster, with few enough nodes for every run of the tests: from chain to decision."""

from __future__ import annotations

from collections.abc import Iterator

import postgres
import pytest
from bench import big
from ionet.generated.events import LeaseBooked
from ionet_indexer.postgres import EmbeddedPostgres

NODES = 300


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    with postgres.server() as running:
        yield running


async def test_every_lease_is_booked_indexed_and_planned(server: EmbeddedPostgres) -> None:
    run = await big.book(server, NODES)
    events = [record.event for receipt in run.booking.receipts for record in receipt.events]
    booked = {event.node: event.lease for event in events if isinstance(event, LeaseBooked)}
    assert run.booking.leases == booked
    assert len(booked) == NODES
    assert 0 < run.indexed <= run.planned
    made = big.figures(run)
    full = made["big.nodes_per_transaction"].value
    assert full >= 13
    # Two tables: each begins a transaction of its own, the rest are full.
    assert made["big.transactions"].value <= NODES / full + 2
    assert made["big.cu_per_node"].met is True
    assert made["big.table_rent_per_node"].value < made["big.rent_per_node"].value / 10

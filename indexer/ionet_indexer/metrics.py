"""Prometheus metrics of the indexer; served at /metrics, those of all its processes together."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

# Of the processes that know a value the last one that set it counts.
_NEWEST: dict[str, Any] = {"multiprocess_mode": "mostrecent"}

EVENTS = Counter("ionet_indexer_events", "Events stored")
UNREAD = Counter("ionet_indexer_unread_events", "Events stored that this version does not know")
FORKS = Counter("ionet_indexer_forks", "Times that slots were undone because the chain took another fork")
PROBLEMS = Counter("ionet_indexer_problems", "Passes that could not advance", ["kind"])
INDEXED_SLOT = Gauge("ionet_indexer_indexed_slot", "Newest confirmed slot whose events are stored", **_NEWEST)
FINALIZED_SLOT = Gauge("ionet_indexer_finalized_slot", "Newest slot that can no longer be undone", **_NEWEST)
PASS_SECONDS = Histogram(
    "ionet_indexer_pass_seconds",
    "Duration of a pass that found events, from asking the node to the commit",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
DRIFT_ROWS = Gauge("ionet_indexer_drift_rows", "Rows that differed from their account in the last reconcile", **_NEWEST)
REQUESTS = Counter("ionet_api_requests", "API requests", ["route", "status"])


def text() -> bytes:
    """All of them, as Prometheus reads them."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    collect: Any = multiprocess.MultiProcessCollector  # has no types
    collect(together)
    return generate_latest(together)

"""For operators: /health and /metrics."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST

from ionet_indexer import metrics
from ionet_indexer.core.reader import SQL, Reader

_STALE_SECS = 15.0


class Health(msgspec.Struct):
    """`ok` while the writer follows the chain. `behind` counts slots between the node and the tables."""

    status: str
    slot: int
    finalized_slot: int
    node_slot: int
    behind: int
    checked_secs_ago: float | None
    problem: str | None


@get("/health")
async def health(database: NamedDependency[Reader]) -> Response[Health]:
    """200 while the tables follow the chain, else 503 with the reason."""
    async with database.snapshot() as snapshot:
        row = await snapshot.one(SQL["health"])
    if row is None:
        state = Health("starting", -1, -1, -1, 0, None, "nothing was read from the chain yet")
        return Response(state, status_code=503)
    age = time.time() - row["checked_at"]
    problem = row["problem"]
    if problem is None and age > _STALE_SECS:
        problem = f"no writer has looked at the chain for {age:.0f} s"
    state = Health(
        status="ok" if problem is None else "degraded",
        slot=row["indexed_slot"],
        finalized_slot=row["finalized_slot"],
        node_slot=row["node_slot"],
        behind=max(0, row["node_slot"] - row["indexed_slot"]),
        checked_secs_ago=round(age, 3),
        problem=problem,
    )
    return Response(state, status_code=200 if problem is None else 503)


@get("/metrics", media_type=CONTENT_TYPE_LATEST.partition("; charset")[0], include_in_schema=False)
async def metrics_text() -> bytes:
    """Prometheus text."""
    return metrics.text()


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Description of this API."""
    return request.app.openapi_schema.to_schema()


HANDLERS = [health, metrics_text, openapi]

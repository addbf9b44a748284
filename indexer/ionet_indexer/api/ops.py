"""Where to start, what there is, and for operators /health and /metrics."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST

from ionet_indexer import metrics
from ionet_indexer.api.description.document import document
from ionet_indexer.api.description.page import CONTENT_POLICY, page
from ionet_indexer.api.limits import SharedReader
from ionet_indexer.core.reader import SQL

_STALE_SECS = 15.0


class Health(msgspec.Struct):
    """`ok` while the writer follows the chain. `behind` counts slots between the node and the tables.

    What tables lack is counted, and no reason to fail: `unread` events are of a later version of the program,
    `unfolded` ones name what only those tell of, and no more than 1,000 of either are counted. A later version of the
    indexer reads both.
    """

    status: str
    slot: int
    finalized_slot: int
    node_slot: int
    behind: int
    checked_secs_ago: float | None
    problem: str | None
    unread: int = 0
    unfolded: int = 0


@get("/health", operation_id="get_health")
async def health(database: NamedDependency[SharedReader]) -> Response[Health]:
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
        unread=row["unread"],
        unfolded=row["unfolded"],
    )
    return Response(state, status_code=200 if problem is None else 503)


@get("/metrics", media_type=CONTENT_TYPE_LATEST.partition("; charset")[0], include_in_schema=False)
async def metrics_text() -> bytes:
    """Prometheus text."""
    return metrics.text()


class Start(msgspec.Struct):
    """Where to go on from here."""

    docs: str = "/docs"
    openapi: str = "/openapi.json"
    network: str = "/v1/network"
    health: str = "/health"


@get("/", operation_id="get_start")
async def start() -> Start:
    """Where to start."""
    return Start()


class Description:
    """The document and its page as bytes, made once, when somebody asks: it takes half a second."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._made: tuple[bytes, bytes] | None = None

    async def get(self, app: Litestar) -> tuple[bytes, bytes]:
        """/openapi.json and /docs."""
        async with self._lock:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make, app)
            return self._made

    def _make(self, app: Litestar) -> tuple[bytes, bytes]:
        made = document(app)
        return msgspec.json.encode(made), page(made).encode()


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request[Any, Any, Any], description: NamedDependency[Description]) -> Response[bytes]:
    """Description of this API."""
    return Response((await description.get(request.app))[0], media_type="application/json")


@get("/docs", include_in_schema=False)
async def docs(request: Request[Any, Any, Any], description: NamedDependency[Description]) -> Response[bytes]:
    """The same to read."""
    headers = {"content-security-policy": CONTENT_POLICY, "x-content-type-options": "nosniff"}
    return Response((await description.get(request.app))[1], media_type="text/html", headers=headers)


HANDLERS = [health, metrics_text, start, openapi, docs]

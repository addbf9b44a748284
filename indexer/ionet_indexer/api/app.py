"""The API as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from ionet.buckets import Buckets
from ionet.codec import ProgramCodec
from ionet.leaves import LEAF_LEN, MAX_LEAVES, SIGNED
from ionet.places import Turns
from litestar import Litestar, Request
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from ionet_indexer.api import accounts, days, export, lease_log, network, ops, reputation, search, trace
from ionet_indexer.api.adverts import ADVERTS_AT_ONCE, ADVERTS_PER_SECOND, node_advert, sweep, take_advert
from ionet_indexer.api.caching import AskedReader, Unchanged, Zstd, name_answer, on_unchanged
from ionet_indexer.api.index import index_of_model
from ionet_indexer.api.leaders import leaders
from ionet_indexer.api.leaves import BYTES_AT_ONCE, BYTES_PER_SECOND, upload_leaves
from ionet_indexer.api.limits import BURST, RATE, TURNS, SharedReader, limit
from ionet_indexer.api.problems import on_api_error, on_crash, on_database_error, on_http_error, on_too_deep
from ionet_indexer.api.requests import (
    allow_head,
    answer_without_body,
    check_parameters,
    compress_as_read,
    count_requests,
)
from ionet_indexer.api.routes import ROUTER
from ionet_indexer.api.series import series
from ionet_indexer.api.stream import UNCOMPRESSED, Changes, Histories, Streams, events, stream
from ionet_indexer.core.connection import CONNECTION_ERRORS
from ionet_indexer.core.reader import Reader
from ionet_indexer.core.refusals import ApiError

MAX_BODY = MAX_LEAVES * LEAF_LEN  # bytes
_UPLOAD = [*(name.replace("_", "-") for name in SIGNED), "node"]


def create_app(
    reader: Reader,
    codec: ProgramCodec,
    *,
    rate: float = RATE,
    burst: int = BURST,
    pages: frozenset[str] = frozenset(),
) -> Litestar:
    """The application over an open Reader. rate, burst, pages: see `limit`."""
    changes, latest, exports = Changes(), network.Latest(), export.Exports()
    streams, histories = Streams(), Histories()
    description = ops.Description()
    budgets = Buckets(BYTES_PER_SECOND, BYTES_AT_ONCE)
    pace = Buckets(ADVERTS_PER_SECOND, ADVERTS_AT_ONCE)
    turns = Turns(TURNS)

    def asked(request: Request[Any, Any, Any]) -> AskedReader:
        return AskedReader(reader, turns, request, pages)

    def shared(request: Request[Any, Any, Any]) -> SharedReader:
        return SharedReader(reader, turns, request.scope, pages)

    @asynccontextmanager
    async def follow(_: Litestar) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for work in (changes.run(reader), sweep(reader))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    app = Litestar(
        route_handlers=[
            *(network.network, ROUTER, lease_log.lease_intervals, days.node_days, accounts.account),
            *(reputation.node_reputation, search.search, search.transaction, search.slot_events),
            *(export.export, trace.trace, upload_leaves, take_advert, node_advert),
            *(series, leaders, index_of_model, events, stream, *ops.HANDLERS),
        ],
        dependencies={
            "connections": Provide(lambda: reader, sync_to_thread=False),
            "database": Provide(shared, sync_to_thread=False),
            "reader": Provide(asked, sync_to_thread=False),
            "codec": Provide(lambda: codec, sync_to_thread=False),
            "changes": Provide(lambda: changes, sync_to_thread=False),
            "budgets": Provide(lambda: budgets, sync_to_thread=False),
            "pace": Provide(lambda: pace, sync_to_thread=False),
            "exports": Provide(lambda: exports, sync_to_thread=False),
            "streams": Provide(lambda: streams, sync_to_thread=False),
            "histories": Provide(lambda: histories, sync_to_thread=False),
            "description": Provide(lambda: description, sync_to_thread=False),
            "latest": Provide(lambda: latest, sync_to_thread=False),
        },
        lifespan=[follow],
        middleware=[limit(rate, burst, pages)],
        before_request=check_parameters,
        before_send=[count_requests, name_answer, allow_head],
        compression_config=CompressionConfig(
            backend="zstd", compression_facade=Zstd, gzip_compress_level=4, exclude_opt_key=UNCOMPRESSED
        ),
        exception_handlers={
            HTTPException: on_http_error,
            ApiError: on_api_error,
            Unchanged: on_unchanged,
            **dict.fromkeys(CONNECTION_ERRORS, on_database_error),
            RecursionError: on_too_deep,
            Exception: on_crash,
        },
        cors_config=CORSConfig(
            allow_origins=["*"],
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["content-type", "if-none-match", "last-event-id", *(f"ionet-{each}" for each in _UPLOAD)],
            expose_headers=["etag", "retry-after", "ionet-finalized-slot", "content-disposition", "allow"],
        ),
        request_max_body_size=MAX_BODY,
        openapi_config=OpenAPIConfig(
            title="ionet indexer",
            version=version("ionet"),
            description="History of the ionet network. Amounts are decimal strings in base units.",
            path="/openapi",  # Litestar claims everything below its own path; /openapi.json is ours
            render_plugins=[JsonRenderPlugin()],
            use_handler_docstrings=True,
        ),
        logging_config=None,
    )
    app.asgi_handler = answer_without_body(compress_as_read(app.asgi_handler))
    return app

"""`GET /metrics` and `GET /health`, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import uvicorn
from ionet.http_server import Server
from ionet.listening import listen
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ionet_keeper.keeper import Keeper

_MOST_CONNECTIONS = 32


def application(keeper: Keeper) -> Starlette:
    async def metrics(_request: Request) -> Response:
        return Response(keeper.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def health(_request: Request) -> Response:
        """503 with the reason when it does not see the chain, or cannot pay."""
        trouble = keeper.trouble()
        said = {"status": trouble or "ok"} | ({"warning": keeper.low} if keeper.low else {})
        return JSONResponse(said, 200 if trouble is None else 503)

    return Starlette(routes=[Route("/metrics", metrics), Route("/health", health)])


@contextlib.asynccontextmanager
async def serving(keeper: Keeper, port: int) -> AsyncIterator[str]:
    """Until the block ends. Yields the address. port: 0 takes a free one. Raises CannotListen."""
    with listen("127.0.0.1", port, "--port") as listener:
        config = uvicorn.Config(
            application(keeper),
            log_level="warning",
            lifespan="off",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=2,
            ws="none",
        )
        server = Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task

"""The launcher's HTTP API (`ionet.launcher_api` is its other end): what the launcher noted, for everybody to read.

It runs as a process of its own, which has no key and whose connections read only: nobody who asks can hold up a step,
change anything, or get at what the launcher knows beyond its tables. Every refusal is problem JSON.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from http import HTTPStatus
from typing import Any

import asyncpg
import msgspec
import uvicorn
from ionet.agent_errors import one_line
from ionet.buckets import Buckets, believing, whose
from ionet.crowd import Crowd
from ionet.errors import IonetError
from ionet.http_server import serve_until_cancelled
from ionet.launcher_api import Events, Problem
from solders.pubkey import Pubkey
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ionet_launcher.shown import GONE, QUERY_SECS, Shown, Tables

RATE, BURST = 10.0, 40
"""Requests a second and address, and at once."""
HEADER_SECS = 5.0
"""How long a connection may be open without a request under way."""
MAX_CONNECTIONS, MAX_PER_ADDRESS = 128, 32
_CONNECTIONS = 4
_log = logging.getLogger(__name__)


class Refused(IonetError):
    """the request cannot be answered"""

    status = 400


class NotKnown(Refused):
    """there is no such thing"""

    status = 404


class Api:
    """Answers with what a launcher shows."""

    def __init__(self, shown: Shown, *, rate: float = RATE, burst: int = BURST) -> None:
        self._shown, self._buckets = shown, Buckets(rate, burst)

    def app(self) -> ASGIApp:
        routes = [
            Route("/v1", self.launcher),
            Route("/v1/clusters/{cluster}", self.cluster),
            Route("/v1/clusters/{cluster}/events", self.events),
        ]
        handlers: dict[Any, Any] = {
            Refused: lambda _, error: _problem(error.status, error.detail),
            HTTPException: lambda _, error: _problem(error.status_code, error.detail, error.headers),
            **dict.fromkeys(GONE, _unavailable),
            Exception: _crashed,
        }
        return self._limited(Starlette(routes=routes, exception_handlers=handlers))

    def _limited(self, app: ASGIApp) -> ASGIApp:
        async def limited(scope: Scope, receive: Receive, send: Send) -> None:
            client = scope.get("client")
            wait = self._buckets.take(whose(client[0] if client else ""))
            if not wait:
                await app(scope, receive, send)
                return
            headers = {"retry-after": str(math.ceil(wait))}
            await _problem(429, "too many requests from this address", headers)(scope, receive, send)

        return limited

    async def launcher(self, request: Request) -> Response:
        _known(request)
        return _json(await self._shown.launcher())

    async def cluster(self, request: Request) -> Response:
        query, key = _known(request, "after"), _address(request.path_params["cluster"], "cluster")
        after = _address(query["after"], "after") if "after" in query else ""
        if (found := await self._shown.cluster(key, after)) is None:
            raise NotKnown(f"this launcher has no cluster {key}")
        return _json(found)

    async def events(self, request: Request) -> Response:
        _known(request)
        key = _address(request.path_params["cluster"], "cluster")
        if not (items := await self._shown.events(key)):
            raise NotKnown(f"this launcher has no cluster {key}")
        return _json(Events(key, items))


def _address(text: str, name: str) -> str:
    try:
        return str(Pubkey.from_string(text))
    except ValueError:
        raise Refused(f"{name} is not an address") from None


def _known(request: Request, *names: str) -> dict[str, str]:
    """The query. What is misspelt or repeated must not look like an answer to it."""
    query = request.query_params
    if unknown := sorted(set(query) - set(names)):
        raise Refused(f"unknown parameter: {one_line(', '.join(unknown))}")
    if len(query.multi_items()) > len(query):
        raise Refused("a parameter is given more than once")
    return dict(query)


def _json(value: msgspec.Struct) -> Response:
    # Pages of any site may read it: nothing in it is for one reader only.
    headers = {"access-control-allow-origin": "*", "cache-control": "no-cache", "x-content-type-options": "nosniff"}
    return Response(msgspec.json.encode(value), media_type="application/json", headers=headers)


def _problem(status: int, detail: str = "", headers: Any = None) -> Response:
    title = HTTPStatus(status).phrase
    body = msgspec.json.encode(Problem(title.lower().replace(" ", "-"), title, status, detail))
    headers = {**(headers or {}), "access-control-allow-origin": "*"}
    return Response(body, status, headers=headers, media_type="application/problem+json")


async def _unavailable(_: Request, error: Exception) -> Response:
    _log.warning("the database does not answer: %s", error, extra={"action": "database_lost"})
    return _problem(503, "the database does not answer")


async def _crashed(_: Request, error: Exception) -> Response:
    _log.error("a request failed", exc_info=error, extra={"action": "crash"})
    return _problem(500)


class _Connection(H11Protocol):
    """Dropped when it has no request under way for too long, or takes its answer too slowly: they are few."""

    _late: asyncio.TimerHandle | None = None
    _seen: object = None
    host = ""

    @property
    def is_waiting(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        assert isinstance(self.config, _Config)
        super().connection_made(transport)
        self._crowd, self.host = self.config.crowd, whose(self.client[0] if self.client else "")
        if self._crowd.enter(self):
            self._late = self.loop.call_later(HEADER_SECS, self._look)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def drop(self) -> None:
        self._leave()
        self.transport.abort()

    def _leave(self) -> None:
        self._crowd.leave(self)
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _look(self) -> None:
        if self.is_waiting or self.cycle is self._seen:
            self.drop()
            return
        self._seen = self.cycle
        self._late = self.loop.call_later(2 * QUERY_SECS, self._look)


class _Config(uvicorn.Config):
    def __init__(self, app: ASGIApp, **more: Any) -> None:
        super().__init__(app, http=_Connection, **believing(), **more)
        self.crowd = Crowd(MAX_CONNECTIONS, MAX_PER_ADDRESS)


async def serve(dsn: str, launcher: str, listener: socket.socket) -> None:
    """Answer on this socket until cancelled, whether the database is there or not."""
    pool = asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=_CONNECTIONS,
        timeout=QUERY_SECS,
        command_timeout=QUERY_SECS,
        server_settings={"default_transaction_read_only": "on", "statement_timeout": f"{int(QUERY_SECS * 1000)}"},
    )
    async with pool:
        await serve_shown(Tables(pool, launcher), listener)


async def serve_shown(shown: Shown, listener: socket.socket) -> None:
    """Answer on this socket until cancelled."""
    config = _Config(
        Api(shown).app(),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16 * 1024,
    )
    await serve_until_cancelled(config, listener)

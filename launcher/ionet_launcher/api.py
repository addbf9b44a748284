"""The launcher's HTTP API (`ionet.launcher_api` is its other end): what the launcher noted, for everybody to read.

It runs as a process of its own, which has no key and whose connections read only: nobody who asks can hold up a step,
change anything, or get at what the launcher knows beyond its tables. Every refusal is problem JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import asyncpg
import msgspec
import uvicorn
from ionet.agent_errors import one_line
from ionet.buckets import Buckets, believing, whose
from ionet.crowd import Crowd
from ionet.errors import IonetError
from ionet.http_server import Server
from ionet.launcher_api import (
    MEMBERS_AT_ONCE,
    MOVES_KEPT,
    Check,
    ClusterStatus,
    Event,
    Events,
    Launcher,
    Member,
    Problem,
    Successor,
    Trouble,
)
from ionet.sql import blocks
from solders.pubkey import Pubkey
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ionet_launcher.inspection import Finding
from ionet_launcher.phases import DRAIN_SECS, Reason

RATE, BURST = 10.0, 40
"""Requests a second and address, and at once."""
HEADER_SECS = 5.0
"""How long a connection may be open without a request under way."""
MAX_CONNECTIONS, MAX_PER_ADDRESS = 128, 32
_CONNECTIONS, _QUERY_SECS = 4, 5.0
# What may name an address with a password or a key in it. Whoever runs the launcher has it in the log.
_PRIVATE = (Reason.CHAIN_UNREACHABLE, Reason.INTERNAL_ERROR)
_SQL = blocks("ionet_launcher", "api.sql")
_GONE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
_log = logging.getLogger(__name__)


class Refused(IonetError):
    """the request cannot be answered"""

    status = 400


class NotKnown(Refused):
    """there is no such thing"""

    status = 404


class Api:
    """Answers from the tables of the launcher with this session key."""

    def __init__(self, pool: asyncpg.Pool, launcher: str, *, rate: float = RATE, burst: int = BURST) -> None:
        self._pool, self._launcher, self._buckets = pool, launcher, Buckets(rate, burst)

    def app(self) -> ASGIApp:
        routes = [
            Route("/v1", self.launcher),
            Route("/v1/clusters/{cluster}", self.cluster),
            Route("/v1/clusters/{cluster}/events", self.events),
        ]
        handlers: dict[Any, Any] = {
            Refused: lambda _, error: _problem(error.status, error.detail),
            HTTPException: lambda _, error: _problem(error.status_code, error.detail, error.headers),
            **dict.fromkeys(_GONE, _unavailable),
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
        row = None
        with contextlib.suppress(*_GONE, TimeoutError):  # who it is, it says without a database too
            async with self._snapshot() as connection:
                row = await connection.fetchrow(_SQL["launcher"], self._launcher)
        if row is None:
            return _json(Launcher(self._launcher))
        lamports = None if row["lamports"] is None else int(row["lamports"])
        return _json(Launcher(self._launcher, lamports, row["warning"], row["body"], row["signature"]))

    async def cluster(self, request: Request) -> Response:
        query, key = _known(request, "after"), _address(request.path_params["cluster"], "cluster")
        after = _address(query["after"], "after") if "after" in query else ""
        async with self._snapshot() as connection:
            row = await connection.fetchrow(_SQL["cluster"], self._launcher, key, int(DRAIN_SECS))
            if row is None:
                raise NotKnown(f"this launcher has no cluster {key}")
            rows = await connection.fetch(_SQL["members"], self._launcher, key, after, MEMBERS_AT_ONCE + 1)
        members = [_member(row) for row in rows[:MEMBERS_AT_ONCE]]
        more = members[-1].lease if len(rows) > MEMBERS_AT_ONCE else None
        fields = {**row, "detail": _shown(row["reason"], row["detail"])}
        return _json(ClusterStatus(session_key=self._launcher, members=members, next=more, **fields))

    async def events(self, request: Request) -> Response:
        _known(request)
        key = _address(request.path_params["cluster"], "cluster")
        async with self._snapshot() as connection:
            rows = await connection.fetch(_SQL["moves"], self._launcher, key, MOVES_KEPT)
        if not rows:
            raise NotKnown(f"this launcher has no cluster {key}")
        items = [Event(**{**row, "detail": _shown(row["reason"], row["detail"])}) for row in rows]
        return _json(Events(key, items))

    @contextlib.asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[asyncpg.Connection]:
        async with (
            self._pool.acquire(timeout=_QUERY_SECS) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection


def _member(row: asyncpg.Record) -> Member:
    trouble = replaced = None
    if row["trouble"] is not None:
        trouble = Trouble(row["trouble"], _shown(row["trouble"], row["detail"]), row["since"])
    if row["next_lease"]:
        replaced = Successor(row["next_node"], row["next_lease"], row["arrived"])
    names = ("lease", "node", "role", "status", "until", "phase", "asked_at")
    check = _check(row["finding"], row["problem"])
    return Member(**{name: row[name] for name in names}, trouble=trouble, check=check, replaced_by=replaced)


def _check(finding: str | None, problem: str | None) -> Check | None:
    """Devices by their names alone: who owns a node need not tell the world which cards they have."""
    if finding is None:
        return None if problem is None else Check(problem)
    try:
        found = msgspec.json.decode(finding, type=Finding)
    except msgspec.DecodeError:  # of an older launcher
        return Check(problem)
    return Check(
        problem,
        found.backend,
        [one_line(device.name) for device in found.devices],
        found.fill_secs,
        found.read_secs,
        found.bytes_per_sec,
        found.timed,
    )


def _shown(reason: str, detail: str) -> str:
    return "see the launcher's log" if detail and reason in _PRIVATE else detail


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
        self._late = self.loop.call_later(2 * _QUERY_SECS, self._look)


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
        timeout=_QUERY_SECS,
        command_timeout=_QUERY_SECS,
        server_settings={"default_transaction_read_only": "on", "statement_timeout": f"{int(_QUERY_SECS * 1000)}"},
    )
    async with pool:
        config = _Config(
            Api(pool, launcher).app(),
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=16 * 1024,
        )
        server = Server(config)
        task = asyncio.create_task(server.serve([listener]))
        try:
            await asyncio.shield(task)
        finally:
            server.should_exit = True
            await task

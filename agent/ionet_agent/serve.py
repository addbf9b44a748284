"""Serves an ASGI application in the loop of the process that owns it, to callers that may be hostile.

A connection has five seconds for the headers of a request, and there is a limit to their number, in all and from one
address. Beyond it a new connection takes the place of the oldest one that has not sent its headers yet: callers send
theirs at once, so those who only hold connections open push out each other and nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from ionet.daemon import raise_file_limit
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECS = 5.0
MAX_CONNECTIONS, MAX_PER_ADDRESS = 256, 64
BACKLOG = 32
"""Most connections that are taken at once, before any of them is closed for being too many."""


class Crowd:
    """The connections that are open, oldest first. A quarter of the process's files at most; the rest is reserved."""

    def __init__(self, files: int) -> None:
        self._most = max(1, min(MAX_CONNECTIONS, files // 4))
        self._here: dict[Connection, str] = {}

    def enter(self, new: Connection) -> bool:
        """Make room for a connection; False when all others have a request under way."""
        host = new.host
        while len(self._here) >= self._most or sum(h == host for h in self._here.values()) >= MAX_PER_ADDRESS:
            full = len(self._here) >= self._most
            oldest = next((c for c, h in self._here.items() if c.is_waiting and (full or h == host)), None)
            if oldest is None:
                return False
            self.leave(oldest)
            oldest.transport.abort()
        self._here[new] = host
        return True

    def leave(self, connection: Connection) -> None:
        self._here.pop(connection, None)


class Connection(H11Protocol):
    """One connection, which is dropped when it neither sends the headers of a request in time nor has one answered."""

    _late: asyncio.TimerHandle | None = None
    _crowd: Crowd | None = None

    @property
    def host(self) -> str:
        return self.client[0] if self.client else ""

    @property
    def is_waiting(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        assert isinstance(self.config, _Config)
        self._crowd = self.config.crowd
        if self._crowd.enter(self):
            self._wait()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._crowd is not None:
            self._crowd.leave(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if not self.is_waiting:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        self._wait()
        super().on_response_complete()

    def _wait(self) -> None:
        self._stop_waiting()
        self._late = self.loop.call_later(HEADER_SECS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _Config(uvicorn.Config):
    def __init__(self, app: ASGIApp, crowd: Crowd, **more: Any) -> None:
        super().__init__(app, http=Connection, **more)
        self.crowd = crowd


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the process's own loop, which stops the server last.
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """Serve until the block ends. Yields the port (one that is free when `port` is 0). Raises OSError if taken."""
    with socket.create_server((host, port), backlog=BACKLOG) as listener:
        async with serving_on(app, listener):
            yield listener.getsockname()[1]


@contextlib.asynccontextmanager
async def serving_on(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve on a socket that listens already, until the block ends; then it is closed."""
    config = _Config(
        app,
        Crowd(raise_file_limit()),
        log_level="warning",
        lifespan="off",
        backlog=BACKLOG,
        date_header=False,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=16 * 1024,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task

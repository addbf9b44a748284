"""Serves an ASGI application over TLS in the loop of the process that owns it, to callers that may be hostile.

A connection has five seconds for its handshake and the headers of its first request, and as long again for those of
each other one. There is a limit to their number, in all and from one address, which counts from the first byte. Callers
of a relay are not connections from loopback, where a renter's code may be: each relay counts as an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import uvicorn
from ionet import agent_ports
from ionet.agent_tls import key_of
from ionet.buckets import believing, whose
from ionet.crowd import Crowd
from ionet.daemon import raise_file_limit
from ionet.http_server import Server
from solders.pubkey import Pubkey
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECS = 5.0
MAX_CONNECTIONS, MAX_PER_ADDRESS = 256, 64
BACKLOG = 32
"""Most connections that are taken at once, before any of them is closed for being too many."""


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[str], Awaitable[Stream]]
"""Opens a connection to what is served without an address, which counts as the name that is given. Raises OSError."""
Ports = Callable[[Pubkey, Stream], Awaitable[None]]
"""Serves a connection of the holder of a key that asks for a port of the member."""


class Connection(H11Protocol):
    """One connection, which is dropped when it neither sends the headers of a request in time nor has one answered.

    It is counted before its handshake. The key that the caller has proven in it is `state.key` of each request.
    """

    _late: asyncio.TimerHandle | None = None
    _plain: asyncio.Transport
    _crowd: Crowd
    _greeting: asyncio.Task[None] | None = None
    _served = _gone = _handed_on = False

    def __init__(self, *arguments: Any, host: str = "", **named: Any) -> None:
        """host: whom it counts as, if that is not told by its address."""
        super().__init__(*arguments, **named)
        self.host = host

    @property
    def is_waiting(self) -> bool:
        """Whether no request is under way."""
        return not self._handed_on and (self.cycle is None or self.cycle.response_complete)

    def drop(self) -> None:
        self._leave()
        self._plain.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        assert isinstance(self.config, _Config)
        self._early = bytearray()
        self._plain, self._crowd = transport, self.config.crowd
        if not self.host:
            peer = transport.get_extra_info("peername")
            self.host = whose(str(peer[0])) if peer else ""
        if self._crowd.enter(self):
            self._wait()
            self._greeting = self.loop.create_task(self._greet(self.config.tls))
        else:
            transport.abort()

    async def _greet(self, tls: ssl.SSLContext) -> None:
        """The handshake. Who fails it, or takes too long, is gone."""
        secure = None
        with contextlib.suppress(OSError):  # of which all errors of TLS are
            secure = await self.loop.start_tls(
                self._plain,
                self,
                tls,
                server_side=True,
                ssl_handshake_timeout=HEADER_SECS,
                ssl_shutdown_timeout=HEADER_SECS,
            )
        # None, whatever the types say, where the connection was dropped meanwhile.
        shown = secure.get_extra_info("ssl_object") if secure is not None and not self._gone else None
        key = None if shown is None else key_of(shown.getpeercert(binary_form=True))
        if secure is None or key is None:
            self.drop()
            return
        assert isinstance(self.config, _Config)
        if (
            shown is not None
            and shown.selected_alpn_protocol() == agent_ports.PROTOCOL
            and self.config.ports is not None
        ):
            await self._hand_on(self.config.ports, key, secure)
            return
        self.app_state = {**self.app_state, "key": key}
        self._served = True
        super().connection_made(secure)
        if self._early:
            super().data_received(bytes(self._early))
            self._early.clear()

    async def _hand_on(self, ports: Ports, key: Pubkey, secure: asyncio.Transport) -> None:
        """Not HTTP, for which this connection ends."""
        self._stop_waiting()
        self._handed_on = True
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        secure.set_protocol(protocol)
        protocol.connection_made(secure)
        reader.feed_data(bytes(self._early))
        writer = asyncio.StreamWriter(secure, protocol, reader, self.loop)
        try:
            await ports(key, (reader, writer))
        finally:
            secure.abort()
            self._leave()

    def data_received(self, data: bytes) -> None:
        if self._served:
            super().data_received(data)
        else:  # sent with the last message of the handshake
            self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._leave()
        if self._served:
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
        self._late = self.loop.call_later(HEADER_SECS, self.drop)

    def _leave(self) -> None:
        self._stop_waiting()
        self._crowd.leave(self)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _Config(uvicorn.Config):
    def __init__(self, app: ASGIApp, crowd: Crowd, tls: ssl.SSLContext, ports: Ports | None, **more: Any) -> None:
        super().__init__(app, http=Connection, **more)
        self.crowd, self.tls, self.ports = crowd, tls, ports


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """Serve until the block ends. Yields the port (one that is free when `port` is 0). Raises OSError if taken."""
    with socket.create_server((host, port), backlog=BACKLOG) as listener:
        async with serving_on(app, listener, tls):
            yield listener.getsockname()[1]


@contextlib.asynccontextmanager
async def serving_on(
    app: ASGIApp, listener: socket.socket, tls: ssl.SSLContext, ports: Ports | None = None
) -> AsyncIterator[Connect]:
    """Serve on a socket that listens already, until the block ends; then it is closed.

    ports: what becomes of connections that ask for a port instead of HTTP.
    """
    if ports is not None:
        tls.set_alpn_protocols([agent_ports.PROTOCOL])
    # A quarter of the process's files at most; the rest is reserved.
    crowd = Crowd(max(1, min(MAX_CONNECTIONS, raise_file_limit() // 4)), MAX_PER_ADDRESS)
    config = _Config(
        app,
        crowd,
        tls,
        ports,
        log_level="warning",
        lifespan="off",
        backlog=BACKLOG,
        date_header=False,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=16 * 1024,
        # Nobody stands between: who calls is told by the connection, and by the key that it has proven.
        **believing(""),
    )
    server = Server(config)

    async def connect(name: str) -> Stream:
        near, far = socket.socketpair()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(config, server.server_state, {}, host=name), far
            )
            return await asyncio.open_connection(sock=near)
        except BaseException:
            near.close()  # which ends the other one too
            raise

    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield connect
    finally:
        server.should_exit = True
        await task
        crowd.drop_waiting()

"""Serving HTTP in a process whose own loop decides when it ends. For services, which bring uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import uvicorn

from ionet.buckets import believing

if TYPE_CHECKING:
    from ionet.guarded_http import GuardedConnection


class Server(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_until_cancelled(config: uvicorn.Config, listener: socket.socket) -> None:
    """Answer on this socket; once it is cancelled, what is being answered has the time that the settings give it."""
    server = Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        await asyncio.shield(task)
    finally:
        server.should_exit = True
        await task


async def serve_until_stopped(
    app: Any,
    listener: socket.socket,
    host: str,
    connection: type[GuardedConnection],
    most_connections: int,
    announce: Callable[[str], None],
    proxies: str = "",
) -> None:
    """Answer on this socket until SIGINT or SIGTERM. app: an ASGI application. host: as it was named. announce: is
    told the address. proxies: whose `X-Forwarded-For` is believed where the environment names nobody, with commas."""
    config = uvicorn.Config(
        app,
        http=connection,
        log_level="warning",
        access_log=False,
        limit_concurrency=most_connections,
        timeout_graceful_shutdown=2,
        server_header=False,
        ws="none",
        **believing(otherwise=proxies),
    )
    server = Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    shown = f"[{host}]" if ":" in host else host
    announce(f"http://{shown}:{listener.getsockname()[1]}")
    await server.serve(sockets=[listener])

"""The actions as a process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import ClassVar

import uvicorn
from ionet.buckets import believing
from ionet.daemon import raise_file_limit
from ionet.guarded_http import GuardedConnection
from ionet.listening import listen
from ionet.rpc import Rpc

from ionet_actions.app import BODY_BYTES, Actions

_MOST_CONNECTIONS = 500


class Connection(GuardedConnection):
    """One that may send a request's body."""

    most_body: ClassVar[int] = BODY_BYTES


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the process's own loop.
        yield


async def run(url: str, launcher: str, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Until SIGINT or SIGTERM. url: of the chain. launcher: of its API, empty for none. announce: is told the address.

    Raises CannotListen, InvalidInput.
    """
    raise_file_limit()
    with listen(host, port, "--port") as listener:
        async with Rpc(url) as rpc:
            config = uvicorn.Config(
                Actions(rpc, launcher).app(),
                http=Connection,
                log_level="warning",
                access_log=False,
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_graceful_shutdown=2,
                server_header=False,
                ws="none",
                **believing(),
            )
            server = _Server(config)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, setattr, server, "should_exit", True)
            shown = f"[{host}]" if ":" in host else host
            announce(f"http://{shown}:{listener.getsockname()[1]}")
            await server.serve(sockets=[listener])

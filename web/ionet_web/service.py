"""The pages as a process."""

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

from ionet_web.acting import BODY_BYTES, Acting
from ionet_web.app import create_app
from ionet_web.indexer import Indexer

_MOST_CONNECTIONS = 2_000


class Connection(GuardedConnection):
    """One that may send what a wallet is to sign, or has signed."""

    most_body: ClassVar[int] = BODY_BYTES


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals belong to the process's own loop.
        yield


async def run(host: str, port: int, api: str, public_api: str, actions: str, announce: Callable[[str], None]) -> None:
    """Until SIGINT or SIGTERM. actions: the address of what builds transactions, empty for none. announce: is told the
    address of the pages. Raises CannotListen and InvalidInput."""
    raise_file_limit()
    with listen(host, port, "--port") as listener:
        async with Indexer.at(api) as indexer, Acting.at(actions) as acting:
            config = uvicorn.Config(
                create_app(indexer, public_api or api, acting),
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

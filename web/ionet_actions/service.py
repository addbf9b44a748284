"""The actions as a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ionet.daemon import raise_file_limit
from ionet.guarded_http import GuardedConnection, is_near
from ionet.http_server import serve_until_stopped
from ionet.listening import listen
from ionet.rpc import Rpc

from ionet_actions.app import BODY_BYTES, Actions

_MOST_CONNECTIONS = 500


class Connection(GuardedConnection):
    """One that may send a request's body."""

    most_body: ClassVar[int] = BODY_BYTES


async def run(url: str, launcher: str, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Until SIGINT or SIGTERM. url: of the chain. launcher: of its API, empty for none. announce: is told the address.

    Raises CannotListen, InvalidInput.
    """
    raise_file_limit()
    with listen(host, port, "--port") as listener:
        # Where it listens on this machine alone, those who ask are the pages, which say for whom.
        here = listener.getsockname()[0]
        pages = here if is_near(here) else ""
        async with Rpc(url) as rpc:
            app = Actions(rpc, launcher).app()
            await serve_until_stopped(app, listener, host, Connection, _MOST_CONNECTIONS, announce, pages)

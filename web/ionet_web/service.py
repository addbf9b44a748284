"""The pages as a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ionet.daemon import raise_file_limit
from ionet.guarded_http import GuardedConnection
from ionet.http_server import serve_until_stopped
from ionet.listening import listen

from ionet_web.acting import BODY_BYTES, Acting
from ionet_web.app import create_app
from ionet_web.indexer import Indexer

_MOST_CONNECTIONS = 2_000


class Connection(GuardedConnection):
    """One that may send what a wallet is to sign, or has signed."""

    most_body: ClassVar[int] = BODY_BYTES


async def run(host: str, port: int, api: str, public_api: str, actions: str, announce: Callable[[str], None]) -> None:
    """Until SIGINT or SIGTERM. actions: the address of what builds transactions, empty for none. announce: is told the
    address of the pages. Raises CannotListen and InvalidInput."""
    raise_file_limit()
    with listen(host, port, "--port") as listener:
        async with Indexer.at(api) as indexer, Acting.at(actions) as acting:
            app = create_app(indexer, public_api or api, acting)
            await serve_until_stopped(app, listener, host, Connection, _MOST_CONNECTIONS, announce)

"""Connections to a server that no stranger can hold or fill: a head comes soon, and all is as long as was announced.

For services, which bring uvicorn: it waits for the rest of a head for ever, and keeps it however long it gets.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ionet.buckets import whose

HEAD_SECS = 15.0  # for a head to arrive; a body has its own time where one is read
HEAD_BYTES = 64 << 10
MOST_OF_AN_ADDRESS = 128
MOST_WAITING = 16  # requests of a connection that were sent before those before them were answered


class _TooMuch(Exception):
    """Ends the parsing of what came in one piece."""


class GuardedConnection(HttpToolsProtocol):
    """One connection. Closed where a head is late or long, or more comes than was announced."""

    most_body: ClassVar[int] = 0
    """Bytes of a body."""
    _open: ClassVar[Counter[str]] = Counter()  # by address, in this process

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._owner: str | None = None
        self._late: asyncio.TimerHandle | None = None
        self._received = 0  # bytes of this request
        self._most = HEAD_BYTES

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, and wait for a head."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not is_near(address):
            self._owner = whose(address)
            self._open[self._owner] += 1
            if self._open[self._owner] > MOST_OF_AN_ADDRESS:
                transport.abort()
                return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        super().connection_lost(exc)
        self._wait_no_more()
        if self._owner is not None:
            self._open[self._owner] -= 1
            if not self._open[self._owner]:
                del self._open[self._owner]

    def data_received(self, data: bytes) -> None:
        """Part of a request. What comes where none is being answered is a head, or what is left of a body."""
        self._received += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._received > self._most:
            self.send_400_response("The request is longer than it may be.")
        elif not self._is_answering():
            self._wait()

    def on_message_begin(self) -> None:
        """A request begins: up to its head nobody knows how long it is."""
        super().on_message_begin()
        self._received, self._most = 0, HEAD_BYTES
        if len(self.pipeline) >= MOST_WAITING:  # uvicorn keeps whatever comes in one piece: thousands
            self.transport.abort()
            raise _TooMuch

    def on_headers_complete(self) -> None:
        """The head is there, and says how long the body is; one that does not say is not read."""
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:  # in one piece
            raise _TooMuch  # uvicorn answers 400
        announced = dict(self.headers).get(b"content-length", b"0")
        body = int(announced) if announced.isdigit() else 0
        self._most = 2 * HEAD_BYTES + min(body, self.most_body)
        self._wait_no_more()
        super().on_headers_complete()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECS, self._is_late)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _is_late(self) -> None:
        self._late = None
        if self._is_answering():  # and a second request, which is not read before
            self._wait()
        elif not self.transport.is_closing():
            self.transport.abort()


def is_near(address: str) -> bool:
    """Whether it is of this machine: a proxy, which limits itself, or no address at all."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback

"""Whom a TLS caller asks for, read by OpenSSL from the first bytes it sends. Nothing is answered, no key is needed."""

from __future__ import annotations

import contextlib
import ssl
import sys
from collections.abc import Iterator

MAX_HELLO = 16 * 1024
"""Most bytes that may come before the name is known; today's hellos take 0.5 to 2 KiB."""


class BadHello(Exception):
    """what came is not the beginning of TLS with a server name"""


class _Tls(ssl.SSLObject):
    name: str | None = None


def _note(tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int:
    assert isinstance(tls, _Tls)
    tls.name = name
    return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME  # ends the handshake, which is not the relay's


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_TICKET
    context.sslobject_class = _Tls
    context.sni_callback = _note
    return context


_CONTEXT = _context()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """A name that is not ASCII is no error that Python raises: it would write a page about it for each caller."""
    before, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
    finally:
        sys.unraisablehook = before


class Hello:
    """Takes bytes until they say a name. What was taken is the caller's to keep: it is passed on as it came."""

    def __init__(self) -> None:
        self._bytes = ssl.MemoryBIO()
        self._tls = _CONTEXT.wrap_bio(self._bytes, ssl.MemoryBIO(), server_side=True)
        self._taken = 0

    def feed(self, data: bytes) -> str | None:
        """The name, None while it is not said yet. Raises BadHello for anything else, and for too many bytes."""
        assert isinstance(self._tls, _Tls)
        self._taken += len(data)
        self._bytes.write(data)
        try:
            with _quiet():
                self._tls.do_handshake()
        except ssl.SSLWantReadError:
            if self._taken > MAX_HELLO:
                raise BadHello from None
            return None
        except ssl.SSLError:
            if self._tls.name:
                return self._tls.name
        raise BadHello

"""One TCP connection of a relay: what it says first, then lines of an agent, or bytes for the other end of a pair.

Every connection has a bound: 16 KiB until it is known what it is, one line of an agent, 128 KiB on their way to a slow
reader. Nothing is read from whoever sends faster than the other end takes, or more than its node's share.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from ionet.buckets import whose
from ionet.relay_wire import CONTROL, DATA, MAX_LINE, TOKEN_LEN
from solders.pubkey import Pubkey

from ionet_relay.server_name import MAX_HELLO, BadHello, Hello

_SCRATCH = memoryview(bytearray(64 * 1024))
"""Where the loop reads into, for all connections in turn."""
_HIGH_WATER = 64 * 1024
_TLS_HANDSHAKE = 0x16
_CLOSING_SECS = 10.0
UNKNOWN_NAME, INTERNAL_ERROR = 112, 80
"""TLS alerts by which a caller learns that no such node is here, or that it cannot be reached now."""


class Owner(Protocol):
    """Who is told what a connection wants."""

    def arrived(self, link: Link) -> bool:
        """A new one; False when there is no room."""

    def called(self, link: Link, name: str) -> None:
        """It is a caller's."""

    def controls(self, link: Link) -> None:
        """It is an agent's control connection."""

    def said(self, link: Link, line: bytes) -> None:
        """A line on a control connection."""

    def dialled(self, link: Link, token: str) -> None:
        """It is an agent's, for a caller."""

    def carried(self, link: Link, size: int) -> bool:
        """Bytes were passed on; False when no more are to be read for now."""

    def left(self, link: Link) -> None:
        """It is closed."""


class Alone(Protocol):
    """What a connection is for that is no part of a pair."""

    def took(self, size: int) -> None:
        """Bytes have come."""

    def ended(self) -> None:
        """No more will come."""

    def wait(self) -> None:
        """What was written has not gone out yet."""

    def go_on(self) -> None:
        """It has."""


class Link(asyncio.BufferedProtocol):
    """host: whom its address counts as. node: whose share its bytes count for. other: the other end of the pair."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.host = ""
        self.node: Pubkey | None = None
        self.other: Link | None = None
        self.held = bytearray()
        self._hello: Hello | None = None
        self._speaks = False
        self._pauses: set[str] = set()
        self._deadline: asyncio.TimerHandle | None = None
        self._ended = False
        self._alone: Alone | None = None
        self.transport: asyncio.Transport

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        peer = transport.get_extra_info("peername")
        self.host = whose(str(peer[0])) if peer else ""
        if not self._owner.arrived(self):
            self.drop()

    def get_buffer(self, _sizehint: int) -> memoryview:
        if self.other is not None or self._alone is not None:
            return _SCRATCH
        room = MAX_LINE + 1 if self._speaks else MAX_HELLO + 1
        return _SCRATCH[: max(1, room - len(self.held))]

    def buffer_updated(self, size: int) -> None:
        data = bytes(_SCRATCH[:size])
        if self.other is not None:
            self._pass_on(self.other, data)
        elif self._alone is not None:
            self._alone.took(size)
        elif not self.transport.is_closing():
            self.held += data
            if self._speaks:
                self._lines()
            else:
                self._begin(data)

    def eof_received(self) -> bool:
        self._ended = True
        if self._alone is not None:
            self._alone.ended()
            return True
        if self.other is None:
            return False
        if self.other._ended:
            return False
        with contextlib.suppress(OSError, RuntimeError):
            self.other.transport.write_eof()
        # Half of a pair is of no use to TLS: the other half has as long as one that is being closed.
        self.within(_CLOSING_SECS)
        return True

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.pause("full")
        elif self._alone is not None:
            self._alone.wait()
        elif self._speaks:
            self.drop()  # an agent that does not listen

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.resume("full")
        elif self._alone is not None:
            self._alone.go_on()

    def connection_lost(self, _: Exception | None) -> None:
        self.within(None)
        self._owner.left(self)
        other, self.other = self.other, None
        if other is not None:
            other.other = None
            other.close()

    # -- what the owner calls

    def within(self, secs: float | None) -> None:
        """Close it unless this is called again in time; None lifts the deadline."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if secs is not None:
            self._deadline = asyncio.get_running_loop().call_later(secs, self.drop)

    def pause(self, why: str) -> None:
        """Read nothing until every reason is gone."""
        if not self._pauses and not self.transport.is_closing():
            self.transport.pause_reading()
        self._pauses.add(why)

    def resume(self, why: str) -> None:
        if why in self._pauses:
            self._pauses.discard(why)
            if not self._pauses and not self.transport.is_closing():
                self.transport.resume_reading()

    def speak(self) -> None:
        """From now on it sends lines."""
        self._speaks = True

    def join(self, other: Link, node: Pubkey) -> None:
        """Make a pair of it and another one, and pass on what both have said so far."""
        for one, two in ((self, other), (other, self)):
            one.within(None)
            one.node, one.other = node, two
        for one, two in ((self, other), (other, self)):
            held, one.held = bytes(one.held), bytearray()
            if held:
                one._pass_on(two, held)
        for one in (self, other):
            one.resume("waiting")

    def take_alone(self, alone: Alone) -> None:
        """What has come and will come is for `alone`."""
        self._alone = alone
        held, self.held = len(self.held), bytearray()
        if held:
            alone.took(held)
        self.resume("waiting")

    def refuse(self, alert: int) -> None:
        """Close a caller's with a TLS alert."""
        if not self.transport.is_closing():
            self.transport.write(bytes([0x15, 3, 3, 0, 2, 2, alert]))
        self.close()

    def close(self) -> None:
        """Close it when what is on its way has arrived, or soon anyway."""
        self.transport.close()
        self.within(_CLOSING_SECS)

    def drop(self) -> None:
        self.transport.abort()

    # -- inside

    def _begin(self, data: bytes) -> None:
        if self.held[0] == _TLS_HANDSHAKE:
            self._hello = self._hello or Hello()
            try:
                name = self._hello.feed(data)
            except BadHello:
                self.drop()
                return
            if name is not None:
                self._hello = None
                self.pause("waiting")
                self._owner.called(self, name)
        elif self.held.startswith(CONTROL):
            del self.held[: len(CONTROL)]
            self.speak()
            self._owner.controls(self)
            self._lines()
        elif self.held.startswith(DATA) and b"\n" in self.held:
            line, _, self.held = self.held.partition(b"\n")
            self.pause("waiting")
            self._owner.dialled(self, line[len(DATA) :].decode("latin-1"))
        elif not _may_become(bytes(self.held)):
            self.drop()

    def _lines(self) -> None:
        while (end := self.held.find(b"\n")) >= 0 and not self.transport.is_closing():
            line = bytes(self.held[:end])
            del self.held[: end + 1]
            self._owner.said(self, line)
        if len(self.held) > MAX_LINE:
            self.drop()

    def _pass_on(self, other: Link, data: bytes) -> None:
        if other.transport.is_closing():
            return
        other.transport.write(data)
        if not self._owner.carried(self, len(data)):
            self.pause("share")


def _may_become(held: bytes) -> bool:
    """Whether an agent's first line can still come of it."""
    whole = DATA + b"0" * TOKEN_LEN
    if held.startswith(DATA):
        return len(held) <= len(whole)
    return CONTROL.startswith(held) or DATA.startswith(held)

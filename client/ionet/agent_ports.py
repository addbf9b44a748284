"""Ports of a member, and programs beside it, through its agent: who is not a member reaches them so.

A TLS connection to the agent's API that asks for `PROTOCOL` (ALPN) carries one line of JSON each way instead of HTTP,
and then bytes to and from the port. Keys are proven as for any other call (`ionet.agent_tls`), and a key that the
renter's wallet names (`ionet.agent_delegation`) shows that in the line.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.agent_errors import AgentUnreachable, BadAnswer, OtherKey, Problem, one_line, refusal_of
from ionet.agent_tls import calling_context
from ionet.relay_name import sni_of

PROTOCOL = "ionet-port/1"
MAX_LINE, MAX_PROGRAM = 4096, 64 * 1024
_PIECE = 64 * 1024
_CONNECT_SECS, _ANSWER_SECS = 5.0, 15.0
# The first who asks for it has it started.
_START_SECS = 90.0
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Port(StrEnum):
    """Those that have names. The check is for the session key alone; a program is no port, it is sent along."""

    CHECK = "check"
    RAY = "ray"
    DASHBOARD = "dashboard"
    PROGRAM = "program"


ON_DEMAND = (Port.DASHBOARD, Port.RAY)
"""What a head serves once it is asked for."""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. lease: whose member is meant. size: bytes of a program, which follow the line."""

    lease: str
    port: Port | Annotated[int, msgspec.Meta(ge=1, le=65535)]
    delegation: str | None = None
    size: int = 0


class Opened(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer. problem: why there is no connection; None where bytes follow."""

    problem: Problem | None = None


class Ports:
    """Opens ports at the agent behind one of `urls` that holds the key `device`."""

    def __init__(
        self,
        urls: Sequence[str],
        device: Pubkey,
        caller: Keypair,
        node: Pubkey | None,
        delegation: str | None = None,
    ) -> None:
        self._delegation = delegation
        self._places = [urlsplit(url) for url in urls]
        self._name = "" if node is None else sni_of(node)
        self._device, self._caller = device, caller

    @contextlib.asynccontextmanager
    async def open(self, port: Port, lease: str) -> AsyncIterator[socket.socket]:
        """A socket that is connected to the port, for whoever makes a stream of it, open within the block.

        Raises AgentUnreachable, BadAnswer, and what the agent refuses with.
        """
        reader, writer = await self.reach(port, lease)
        try:
            near, far = socket.socketpair()
            with contextlib.closing(near):
                there = await asyncio.open_connection(sock=far, limit=_PIECE)
                passing = asyncio.ensure_future(pass_on((reader, writer), there))
                try:
                    yield near
                finally:
                    passing.cancel()
                    await asyncio.gather(passing, return_exceptions=True)
                    there[1].transport.abort()
        finally:
            writer.transport.abort()

    async def reach(self, port: Port | int, lease: str, program: bytes = b"") -> Stream:
        """A stream to it, for the caller to close. Raises as `open` does."""
        reader, writer = await self._connect()
        try:
            wanted = Wanted(lease, port, self._delegation, len(program))
            content = msgspec.json.encode(wanted) + b"\n" + program
            await self._ask(reader, writer, content, _START_SECS if port in ON_DEMAND else _ANSWER_SECS)
        except BaseException:
            writer.transport.abort()
            raise
        return reader, writer

    async def _connect(self) -> Stream:
        tls = calling_context(self._device, self._caller)
        tls.set_alpn_protocols([PROTOCOL])
        error: BaseException = AgentUnreachable("it names no address")
        for place in self._places:
            try:
                async with asyncio.timeout(_CONNECT_SECS):
                    return await asyncio.open_connection(
                        place.hostname, place.port, ssl=tls, server_hostname=self._name, limit=_PIECE
                    )
            except ssl.SSLCertVerificationError:
                error = OtherKey()
            except (OSError, TimeoutError) as failed:
                error = AgentUnreachable(str(failed) or type(failed).__name__)
        raise error

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wanted: bytes, secs: float
    ) -> None:
        spoken = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        if spoken != PROTOCOL:
            raise BadAnswer("the agent hands on no ports")
        try:
            async with asyncio.timeout(secs):
                writer.write(wanted)
                line = await reader.readuntil(b"\n")
            if len(line) > MAX_LINE:
                raise BadAnswer(f"a line of more than {MAX_LINE} bytes")
            opened = msgspec.json.decode(line, type=Opened)
        except TimeoutError:
            raise AgentUnreachable(f"no answer within {secs:g} s") from None
        except (OSError, asyncio.IncompleteReadError) as error:
            raise AgentUnreachable(str(error)) from None
        except (asyncio.LimitOverrunError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer(f"not an answer about a port: {type(error).__name__}") from None
        if opened.problem is not None:
            raise refusal_of(opened.problem.status, msgspec.json.encode(opened.problem))


def host_port(text: str) -> tuple[str, int]:
    """The parts of `host:port`, of `[host]:port` where the host is an IPv6 address. Raises BadAnswer."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not (host and port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 2**16):
        raise BadAnswer(f"{one_line(text)} is not host:port")
    return host, int(port)


async def pass_on(one: Stream, other: Stream) -> None:
    """Both ways, until either has ended; then both are."""
    ways = [asyncio.ensure_future(_copy(a[0], b[1])) for a, b in ((one, other), (other, one))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for _, writer in (one, other):
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()

"""What hostile callers do to an agent: connections held open, requests cut short. Loopback only, bounded."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def holding(port: int, count: int, sent: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[list[Stream]]:
    """`count` connections to a port of this machine, on each of which `sent` is all that ever comes.

    tls: makes a handshake first; without it a connection stays before it.
    """
    streams: list[Stream] = []
    name = None if tls is None else "agent"
    try:
        for _ in range(count):
            streams.append(await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name))
            streams[-1][1].write(sent)
        yield streams
    finally:
        for _, writer in streams:
            writer.transport.abort()


async def is_dropped(stream: Stream, within_secs: float) -> bool:
    """Whether the other end closes a connection, whatever it answers before."""
    try:
        async with asyncio.timeout(within_secs):
            while await stream[0].read(65536):
                pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True

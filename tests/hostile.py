"""Agents of hostile suppliers: real sockets on loopback that answer as no agent should."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from ionet.agent_api import MAX_ANSWER
from ionet.agent_tls import serving_context
from leases import DEVICE

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]
_HEAD = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n"
NESTED = b'{"x":' + b"[" * 7000 + b"]" * 7000 + b"}"
"""JSON that takes a stack to read."""
TLS = serving_context(DEVICE)
"""Every agent's here: they hold the key that the chain names for their nodes, and misbehave all the same."""
_GOOD = {"phase": "idle", "address": "127.0.7.1:7000", "ip": "127.0.7.1"}


class Hostile:
    """A server that answers every request with `answer`. asked: requests so far; free: no connection is open."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.asked, self.url = answer, 0, ""
        self.free = asyncio.Event()
        self.free.set()
        self._held: set[asyncio.Task[None]] = set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._held.add(task)
        self.free.clear()
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._held.discard(task)
        if not self._held:
            self.free.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the caller goes away."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                await reader.readuntil(b"\r\n\r\n")
                self.asked += 1
                answer = asyncio.ensure_future(self._answer(writer))
                try:
                    while await reader.read(65536):
                        pass
                finally:
                    answer.cancel()
            finally:
                writer.transport.abort()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await self.answer(writer)
            await writer.drain()
            writer.close()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Hostile]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=TLS)
        self.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in self._held:
                task.cancel()
            await asyncio.gather(*self._held, return_exceptions=True)


async def _forever(writer: asyncio.StreamWriter, part: bytes, pause: float) -> None:
    while not writer.is_closing():
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(pause)


async def hang(_writer: asyncio.StreamWriter) -> None:
    """It takes the request and says nothing."""
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    """A body that comes byte by byte, so that every single read is in time."""
    writer.write(_HEAD + b"content-length: 100000\r\n\r\n")
    await _forever(writer, b" ", 0.2)


async def drip_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD)
    await _forever(writer, b"a: b\r\n", 0.2)


async def garbage(writer: asyncio.StreamWriter) -> None:
    body = b"\xff\xfe{]"
    writer.write(_HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def nested(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD + b"content-length: %d\r\n\r\n" % len(NESTED) + NESTED)
    await writer.drain()


async def no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()


async def endless_body(writer: asyncio.StreamWriter) -> None:
    """An endless number of lines, as fast as they are read."""
    writer.write(_HEAD + b"\r\n")
    await _forever(writer, b'{"output": ""}\n' * 4096, 0)


async def endless_line(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD + b"\r\n")
    await _forever(writer, b"x" * 65536, 0)


async def endless_refusal(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 500 No\r\n\r\n")
    await _forever(writer, b"x" * 65536, 0)


async def bomb(writer: asyncio.StreamWriter) -> None:
    """A small answer that would be a large one when decompressed."""
    import gzip

    body = gzip.compress(b" " * (64 * MAX_ANSWER))
    writer.write(_HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


def says(**fields: object) -> Answer:
    """A status like that of an idle node, but for these fields."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        body = json.dumps({**_GOOD, **fields}).encode()
        writer.write(_HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    return answer

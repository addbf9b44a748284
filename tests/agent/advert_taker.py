"""An indexer's side of adverts: a real server that notes what comes, and answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Taker:
    """status, body: of each answer; silent: none ever comes. taken: headers and body of each request."""

    def __init__(self, *, status: int = 201, body: bytes = b"{}", silent: bool = False) -> None:
        self._status, self._body, self._silent = status, body, silent
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self._came = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Taker]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def until(self, count: int) -> None:
        """This many have come."""
        async with asyncio.timeout(30), self._came:
            await self._came.wait_for(lambda: len(self.taken) >= count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            pairs = (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            async with self._came:
                self.taken.append((headers, body))
                self._came.notify_all()
            if self._silent:
                await reader.read()
            else:
                length = len(self._body)
                writer.write(
                    b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % (self._status, length)
                )
                writer.write(self._body)
                await writer.drain()
        writer.close()

"""An HTTP server on loopback that answers as a test wants, whatever it is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Node:
    """A node that answers in the given order, the last answer for ever."""

    answers: list[bytes]
    url: str = ""
    asked: list[float] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            lengths = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
            await reader.readexactly(sum(lengths))
            writer.write(self.answers[min(len(self.asked), len(self.answers) - 1)])
            self.asked.append(time.monotonic())
            with suppress(ConnectionError):
                await writer.drain()
        finally:
            writer.close()


def answered(status: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"content-length: {len(body)}", "connection: close", "", body]
    return "\r\n".join(lines).encode()


@asynccontextmanager
async def node(*answers: bytes) -> AsyncIterator[Node]:
    made = Node(list(answers))
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield made

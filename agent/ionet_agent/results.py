"""Takes the results of a lease's tasks over a socket in the member's folder (`ionet.ray` is its other end).

The renter's code is the caller: a connection has a few seconds for one short line, and where there are too many the
oldest is dropped. What arrives goes into a spool that the renter's code cannot reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from pathlib import Path

import msgspec
from ionet.ray import MAX_LINE, REFUSED, TAKEN, Result

from ionet_agent import spool
from ionet_agent.files import opened_folder

NAME = "results.sock"
MAX_CONNECTIONS, LINE_SECS = 64, 5.0
_BACKLOG = 32


class Results:
    """The socket of one member."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, None] = {}
        self._spool = Path()

    async def open(self, folder: Path, file: Path) -> None:
        """Listen in `folder`, in the place of what is there, and add what comes to the spool `file`. Raises OSError."""
        await self.close()
        listener = socket.socket(socket.AF_UNIX)
        try:
            with opened_folder(folder) as descriptor:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(NAME, dir_fd=descriptor)
                # By descriptor: a renter's code can put a link in the place of the folder.
                listener.bind(f"/proc/self/fd/{descriptor}/{NAME}")
                # The lease may be another user; nobody else's way leads through the folder.
                os.chmod(NAME, 0o666, dir_fd=descriptor)
            self._spool = file
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, backlog=_BACKLOG, limit=MAX_LINE)
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        try:
            async with asyncio.timeout(LINE_SECS):
                line = await reader.readline()
                if line:
                    writer.write(TAKEN if self._take(line) else REFUSED)
                    await writer.drain()
        except (TimeoutError, ValueError, OSError):  # too slow, too long, gone
            pass
        finally:
            self._open.pop(writer, None)
            writer.close()

    def _take(self, line: bytes) -> bool:
        try:
            result = msgspec.json.decode(line, type=Result)
            entry = spool.Entry(result.task, result.sha256, time.time_ns())
            return spool.is_pair(result.task, result.sha256) and spool.append(self._spool, entry)
        except (ValueError, OSError):
            return False

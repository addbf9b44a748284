"""Downloads that begin and are not read, each from an address of its own, and the time that exports have."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import httpx2
import pytest
from ionet_indexer.api import export


def ask_from(api: httpx2.Client, host: str, path: str) -> httpx2.Response:
    """As a proxy on this machine asks for a client elsewhere."""
    return api.get(path, headers={"x-forwarded-for": host})


@contextlib.contextmanager
def unread(api: httpx2.Client, path: str, hosts: list[str]) -> Iterator[list[socket.socket]]:
    """An answer to each of these, which has begun and is not read."""
    with contextlib.ExitStack() as stack:
        opened = []
        for host in hosts:
            where = (str(api.base_url.host), api.base_url.port or 80)
            connection = stack.enter_context(socket.create_connection(where))
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: api\r\nx-forwarded-for: {host}\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
            opened.append(connection)
        yield opened


def ended(connection: socket.socket) -> bool:
    """Read such an answer; whether it has its end."""
    tail = b""
    while part := connection.recv(1 << 20):
        tail = (tail + part)[-5:]
        if tail == b"0\r\n\r\n":
            return True
    return False


async def until_there_is_room(api: httpx2.Client, path: str) -> httpx2.Response:
    """Ask until the answer is not 429."""
    while (found := await asyncio.to_thread(ask_from, api, "10.9.9.9", path)).status_code == 429:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return found


class Time:
    """What exports may take: as long as nobody says that it is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._running: list[tuple[asyncio.AbstractEventLoop, asyncio.Timeout]] = []
        monkeypatch.setattr(export, "_time", self._begin)
        monkeypatch.setattr(export, "UNREAD_SECS", None)

    def _begin(self) -> asyncio.Timeout:
        found = asyncio.timeout(None)
        self._running.append((asyncio.get_running_loop(), found))
        return found

    def is_over(self) -> None:
        """For all that run."""
        for loop, timeout in self._running:
            loop.call_soon_threadsafe(self._end, timeout, loop.time())
        self._running.clear()

    @staticmethod
    def _end(timeout: asyncio.Timeout, now: float) -> None:
        with contextlib.suppress(RuntimeError):  # of one that came to its end itself
            timeout.reschedule(now)

"""The API as a process of its own, so that no request can hold up the writer, nor the writer a request."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys

from ionet.errors import IonetError

log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl
_PAUSE_SECS = 0.5
_MOST_FAILURES = 3  # one after the other, before it is given up
_GRACE_SECS = 5.0


class ApiEnded(IonetError):
    """the process of the API ends again and again"""


def end_with(parent: int) -> None:
    """Have the kernel end this process when its parent dies, however it dies."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


async def serve_apart(dsn: str, listener: socket.socket) -> None:
    """Keep a process that serves the API on this socket until cancelled. One that is killed is followed by another.

    Requests wait on the socket meanwhile. Raises ApiEnded when it fails by itself several times in a row.
    """
    failures = 0
    while failures < _MOST_FAILURES:
        code = await _one(dsn, listener)
        failures = failures + 1 if code > 0 else 0
        log.warning("the API's process ended (%d); another one starts", code, extra={"action": "api_ended"})
        await asyncio.sleep(_PAUSE_SECS)
    raise ApiEnded(f"exit code {code}")


async def _one(dsn: str, listener: socket.socket) -> int:
    """One process, from its start to its end; its exit code, negative where a signal ended it."""
    number = listener.fileno()
    command = [sys.executable, "-m", "ionet", "indexer", "api", "--inherited", f"{number}:{os.getpid()}"]
    # The address of the database may hold a password: not on a command line that anyone may read.
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "IONET_DATABASE": dsn}, pass_fds=(number,), stdin=asyncio.subprocess.DEVNULL
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_GRACE_SECS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def inherited(number: int) -> socket.socket:
    """The listening socket that the parent process left open for this one."""
    return socket.socket(fileno=number)

"""A service's API as a process of its own, so that no request can hold up the service, nor the service a request."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence

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


async def serve_apart(command: Sequence[str], variables: Mapping[str, str], listener: socket.socket) -> None:
    """Keep `ionet COMMAND`, which serves the API on this socket, running until cancelled. One that is killed is
    followed by another.

    It gets `--inherited`, see `inherited`. variables: added to its environment; the address of a database may hold a
    password, which is not for a command line that anyone may read. Requests wait on the socket meanwhile. Raises
    ApiEnded when it fails by itself several times in a row.
    """
    failures = 0
    while failures < _MOST_FAILURES:
        code = await _one(command, variables, listener)
        failures = failures + 1 if code > 0 else 0
        log.warning("the API's process ended (%d); another one starts", code, extra={"action": "api_ended"})
        await asyncio.sleep(_PAUSE_SECS)
    raise ApiEnded(f"exit code {code}")


async def _one(command: Sequence[str], variables: Mapping[str, str], listener: socket.socket) -> int:
    """One process, from its start to its end; its exit code, negative where a signal ended it."""
    number = listener.fileno()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ionet", *command, "--inherited", f"{number}:{os.getpid()}"),
        env={**os.environ, **variables},
        pass_fds=(number,),
        stdin=asyncio.subprocess.DEVNULL,
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


@contextlib.contextmanager
def inherited(option: str) -> Iterator[socket.socket]:
    """In the process that `serve_apart` starts: the socket, and from now on an end together with the parent.

    option: SOCKET:PARENT, number of the open file and process id.
    """
    number, _, parent = option.partition(":")
    end_with(int(parent))
    with socket.socket(fileno=int(number)) as listener:
        yield listener

"""A shell in a cluster's head, in the lease's isolation, over the agent's own channel; no sshd is needed.

`ionet.renting.shell_driver` is what it speaks to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from importlib.resources import files

from ionet.agent_errors import AgentUnreachable, BadAnswer
from ionet.agent_ports import Port, Stream
from ionet.renting import shell_driver
from ionet.renting.tunnel import Head

_PIECE = 16 * 1024
_INTERRUPT = b"\x03"


async def shell(head: Head, command: Sequence[str], *, terminal: bool | None = None) -> int:
    """Run a command, or a shell, there, with this process's input and output; its exit code.

    terminal: None for where this process has one. Raises BadAnswer, AgentUnreachable where its end is not told, and
    what the agent refuses with.
    """
    has_one = sys.stdin.isatty() and sys.stdout.isatty() if terminal is None else terminal
    async with head.agent() as (agent, lease):
        stream = await agent.ports.reach(Port.PROGRAM, lease, _program(command, has_one))
        try:
            with _raw() if has_one and sys.stdin.isatty() else contextlib.nullcontext():
                return await _talk(stream, has_one)
        finally:
            stream[1].transport.abort()


def _program(command: Sequence[str], terminal: bool) -> bytes:
    wanted = {
        "command": list(command),
        "term": os.environ.get("TERM", ""),
        "terminal": terminal,
        "window": list(_window()),
    }
    source = (files("ionet.renting") / "shell_driver.py").read_text()
    return f"{source}\n\nmain({json.dumps(wanted)!r})\n".encode()


def _window() -> tuple[int, int]:
    with contextlib.suppress(OSError):
        size = os.get_terminal_size(sys.stdout.fileno())
        return size.lines, size.columns
    return 24, 80


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Keys go there as they are, Ctrl-C too."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin, termios.TCSADRAIN)  # what was typed meanwhile is kept
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


async def _talk(stream: Stream, has_terminal: bool) -> int:
    loop, (reader, writer) = asyncio.get_running_loop(), stream
    keys: asyncio.Queue[bytes] = asyncio.Queue(1)

    def resized() -> None:
        writer.write(_frame(b"w", shell_driver.WINDOW.pack(*_window())))

    def interrupted() -> None:
        writer.write(_frame(b"i", _INTERRUPT))

    handlers = {signal.SIGINT: interrupted} | ({signal.SIGWINCH: resized} if has_terminal else {})
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    # A thread, since not all that can be an input can be waited for; it ends with the process.
    threading.Thread(target=_read_keys, args=(loop, keys), daemon=True).start()
    sending = asyncio.ensure_future(_send(writer, keys))
    try:
        return await _receive(reader)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        for number in handlers:
            loop.remove_signal_handler(number)


def _read_keys(loop: asyncio.AbstractEventLoop, keys: asyncio.Queue[bytes]) -> None:
    with contextlib.suppress(RuntimeError, OSError, CancelledError):  # nobody listens any more
        while True:
            data = os.read(sys.stdin.fileno(), _PIECE)
            asyncio.run_coroutine_threadsafe(keys.put(data), loop).result()
            if not data:
                return


async def _send(writer: asyncio.StreamWriter, keys: asyncio.Queue[bytes]) -> None:
    while data := await keys.get():
        writer.write(_frame(b"i", data))
        await writer.drain()
    writer.write(_frame(b"e", b""))


async def _receive(reader: asyncio.StreamReader) -> int:
    """Write what comes to this process's output; the exit code."""
    try:
        while True:
            kind, size = shell_driver.HEADER.unpack(await reader.readexactly(shell_driver.HEADER.size))
            if size > shell_driver.MOST:
                raise BadAnswer(f"a frame of more than {shell_driver.MOST} bytes")
            content = await reader.readexactly(size)
            if kind == b"x" and size == 1:
                return content[0]
            if kind == b"o":
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
    except (asyncio.IncompleteReadError, OSError):
        raise AgentUnreachable("the connection ended before the command did") from None


def _frame(kind: bytes, content: bytes) -> bytes:
    return shell_driver.HEADER.pack(kind, len(content)) + content

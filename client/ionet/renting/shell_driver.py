"""Runs beside the head of a cluster, where nothing of ours is imported: a command on a terminal of the room's own.

Both ways it speaks in frames: a kind, the length of what follows (four bytes, the highest first), and that. What comes
in: `i` keys, `w` the window's rows and columns (two bytes each), `e` no more keys. What goes out: `o` output and, last,
`x` the exit code (one byte). A room without terminals (`/dev/ptmx`) gives the command pipes instead.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import selectors
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from typing import IO, Any

PIECE, MOST = 32 * 1024, 64 * 1024
HEADER = struct.Struct(">cI")
WINDOW = struct.Struct(">HH")


def main(text: str) -> None:
    """What `shell` asks for: a command, or the user's shell, and what the terminal is called."""
    wanted = json.loads(text)
    words = wanted["command"] or ["/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"]
    environment = {**os.environ, "TERM": wanted["term"] or "dumb"}
    home = place()
    try:
        master, slave = pty.openpty() if wanted["terminal"] else (-1, -1)
    except OSError:
        master, slave = -1, -1
        say(b"o", b"this node's rooms have no terminals: without one\r\n")
    if master < 0:
        child = plain(words, environment, home)
        assert child.stdin is not None
        assert child.stdout is not None
        output, keys = child.stdout.fileno(), child.stdin
        relay(output, child, lambda kind, content: feed(kind, content, child, keys))
    else:
        resize(master, *wanted["window"])
        child = on_terminal(words, environment, home, slave)
        os.close(slave)
        relay(master, child, lambda kind, content: type_in(kind, content, master))
    say(b"x", bytes([code_of(child)]))


def on_terminal(words: list[str], environment: dict[str, str], home: str, slave: int) -> subprocess.Popen[bytes]:
    def own() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    return start(words, env=environment, cwd=home, stdin=slave, stdout=slave, stderr=slave, preexec_fn=own)


def plain(words: list[str], environment: dict[str, str], home: str) -> subprocess.Popen[bytes]:
    """Without a terminal: input and output are pipes."""
    pipe = subprocess.PIPE
    return start(words, env=environment, cwd=home, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)


def start(words: list[str], **how: Any) -> subprocess.Popen[bytes]:
    """In a session of its own; where there is no such command, that is all that is said."""
    try:
        return subprocess.Popen(words, start_new_session=True, **how)
    except OSError as error:
        say(b"o", f"{words[0]}: {error.strerror}\r\n".encode())
        say(b"x", bytes([127]))
        sys.exit(0)


def place() -> str:
    """Where the newest job's files are, else the home."""
    home = pathlib.Path(os.environ["HOME"])
    names = [path.name for path in (home / "jobs").glob("[!.]*")] if (home / "jobs").is_dir() else []
    work = home / "jobs" / max(names, default="none") / "work"
    return str(work if work.is_dir() else home)


def relay(output: int, child: subprocess.Popen[bytes], take: Callable[[bytes, bytes], None]) -> None:
    """Until nobody holds the command's output any more, or who is at the other end has gone.

    take: gets each frame that comes in.
    """
    waiting, held = selectors.DefaultSelector(), bytearray()
    waiting.register(0, selectors.EVENT_READ)
    waiting.register(output, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            try:
                data = os.read(key.fd, PIECE)
            except OSError:  # the terminal, once its last process has ended
                data = b""
            if key.fd == output:
                if not data:
                    return
                say(b"o", data)
            elif not data:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGHUP)
                waiting.unregister(0)
            else:
                held += data
                for frame in frames(held):
                    take(*frame)
        if child.poll() is not None and not waiting.select(0.2):
            return  # what it left in the background may hold its output


def type_in(kind: bytes, content: bytes, master: int) -> None:
    """What a frame says, on a terminal."""
    if kind == b"i":
        while content:
            content = content[os.write(master, content) :]
    elif kind == b"e":
        os.write(master, b"\x04")
    elif kind == b"w" and len(content) == WINDOW.size:
        resize(master, *WINDOW.unpack(content))


def feed(kind: bytes, content: bytes, child: subprocess.Popen[bytes], keys: IO[bytes]) -> None:
    """The same without one: an interrupt is a signal where there is no terminal to make it one."""
    with contextlib.suppress(OSError, ValueError):  # it takes no more
        if kind == b"i" and content == b"\x03":
            os.killpg(child.pid, signal.SIGINT)
        elif kind == b"i":
            keys.write(content)
            keys.flush()
        elif kind == b"e":
            keys.close()


def frames(held: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Those that are whole, which are taken out."""
    while len(held) >= HEADER.size:
        kind, size = HEADER.unpack_from(held)
        if size > MOST:
            sys.exit(1)
        if len(held) < HEADER.size + size:
            return
        content = bytes(held[HEADER.size : HEADER.size + size])
        del held[: HEADER.size + size]
        yield kind, content


def resize(master: int, rows: int, columns: int) -> None:
    """Its processes are told (SIGWINCH)."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def code_of(child: subprocess.Popen[bytes]) -> int:
    """As a shell says it."""
    code = child.wait()
    return code if code >= 0 else 128 - code


def say(kind: bytes, content: bytes) -> None:
    sys.stdout.buffer.write(HEADER.pack(kind, len(content)) + content)
    sys.stdout.buffer.flush()

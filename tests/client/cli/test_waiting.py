"""A person at a terminal sees that something is waited for; what is printed stays what it is."""

from __future__ import annotations

import http.server
import os
import pty
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from client.cli.conftest import IONET


@contextmanager
def slow_node(go: threading.Event) -> Iterator[str]:
    """An RPC node that answers, with an error, when it is told to."""

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            go.wait(60)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        go.set()
        server.shutdown()
        thread.join()
        server.server_close()


def seen(reading: int, until: Callable[[str], bool]) -> str:
    """What comes from a terminal, until it is enough or the other side is closed."""
    text = ""
    while not until(text):
        try:
            part = os.read(reading, 1024)
        except OSError:  # closed
            return text
        if not part:
            return text
        text += part.decode(errors="replace")
    return text


@pytest.mark.parametrize(
    "words", [["node", "list"], ["keys", "balance", "1" * 32], ["network", "show"], ["keeper", "due"]]
)
def test_who_waits_for_the_chain_is_told(words: list[str]) -> None:
    go = threading.Event()
    reading, writing = pty.openpty()
    try:
        with slow_node(go) as url:
            command = [*IONET, "--url", url, *words]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=writing, text=True) as process:
                os.close(writing)
                shown = seen(reading, lambda text: "asking the chain" in text)
                assert "asking the chain" in shown
                go.set()
                shown = seen(reading, lambda _text: False)
                assert process.stdout is not None
                assert process.stdout.read() == ""
            assert process.returncode == 4
            assert "error: " in shown
    finally:
        os.close(reading)


def test_without_a_terminal_nothing_is_said_meanwhile() -> None:
    go = threading.Event()
    go.set()
    with slow_node(go) as url:
        done = subprocess.run([*IONET, "--url", url, "node", "list"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr.count("\n"), done.stderr[:7]) == ("", 1, "error: ")

"""`ionet up` as a process: everything answers, and an interrupt leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from client.cli.conftest import IONET, Shell


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own folder: as root PostgreSQL runs as `nobody`, who must get in."""
    made = Path(tempfile.mkdtemp(prefix="ionet-up-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def free_ports() -> tuple[int, int]:
    """A port with a free one behind it for the websocket, and one for the API."""
    for _ in range(50):
        with socket.socket() as http, socket.socket() as websocket, socket.socket() as api:
            http.bind(("127.0.0.1", 0))
            api.bind(("127.0.0.1", 0))
            port = http.getsockname()[1]
            with contextlib.suppress(OSError):
                websocket.bind(("127.0.0.1", port + 1))
                return port, api.getsockname()[1]
    raise AssertionError("no two ports in a row are free")


def descendants(pid: int) -> set[int]:
    """Process ids below `pid`."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | descendants(child)
    return found


def test_up_and_down(folder: Path) -> None:
    port, api_port = free_ports()
    options = [
        "--folder",
        str(folder),
        "--port",
        str(port),
        "--api-port",
        str(api_port),
        "--launcher-port",
        "0",
        "--web-port",
        "0",
    ]
    options += ["--slot-ms", "100", "--json"]
    with subprocess.Popen([*IONET, "up", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        try:
            assert up.stdout is not None
            line = up.stdout.readline()
            assert line, up.stderr.read() if up.stderr else ""
            fields = json.loads(line)
            children = descendants(up.pid)
            assert len(children) >= 4
            shell = Shell(fields["chain"], Path(fields["wallet with IO"]))
            assert shell.json("network", "show")["profile"] == 1
            # The renter's wallet has the rest.
            assert int(shell.json("keys", "balance")["io_units"]) == 499_999_000 * 10**8
            with urllib.request.urlopen(f"{fields['api']}/health", timeout=10) as answer:
                assert json.load(answer)["status"] == "ok"
            with urllib.request.urlopen(f"{fields['launcher']}/v1", timeout=10) as answer:
                assert json.load(answer)["session_key"] == fields["session key"]
            with urllib.request.urlopen(f"{fields['keeper']}/health", timeout=10) as answer:
                assert json.load(answer)["status"] == "ok"
            code, message = shell.refused("trace", "ab" * 32, "--api", fields["api"])
            assert (code, "leaves missing" in message) == (1, True)
            with socket.create_connection(("127.0.0.1", int(fields["relay"].rpartition(":")[2])), timeout=10) as relay:
                relay.sendall(b"ionet-relay:control:1\n")
                assert b'"nonce"' in relay.recv(1024)
        finally:
            up.send_signal(signal.SIGINT)
            code = up.wait(60)
    assert code == 0
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []

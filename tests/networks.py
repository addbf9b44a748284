"""Networks of `ionet up`, as tests start and end them."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.commands import Run, ionet
from leftovers import left_after

END_SECS = 120


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


def up(folder: Path, *more: str, slot_ms: int = 100) -> list[str]:
    """The words after `ionet` that start one below `folder`, on ports that are free now."""
    port, api_port = map(str, free_ports())
    ports = ["--port", port, "--api-port", api_port, "--launcher-port", "0"]
    ports += ["--web-port", "0", "--actions-port", "0"]
    return ["up", "--folder", str(folder / "up"), *ports, "--slot-ms", str(slot_ms), *more]


def started(run: Run) -> dict[str, str]:
    """What `ionet up --json` prints once everything answers."""
    assert run.process.stdout is not None
    line = run.process.stdout.readline()
    assert line, run.errors
    return dict(json.loads(line))


def stop(run: Run) -> None:
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(END_SECS) == 0


@contextmanager
def network(folder: Path, *more: str, slot_ms: int = 100) -> Iterator[dict[str, str]]:
    """One that runs, by what it prints; at the end it is stopped in order, and has left nothing behind."""
    with ionet(folder, *up(folder, "--json", *more, slot_ms=slot_ms)) as run:
        yield started(run)
        stop(run)
    assert left_after(folder, 5) == {}

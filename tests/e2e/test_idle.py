"""A cluster that nobody uses ends by itself, whoever is killed; one with a job or a connection goes on."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e.renter import Renter, rented_from

IDLE_SECS, SECS = 20, 240
IN_USE = f"in use; {IDLE_SECS} s"


def watchers(renter: Renter) -> list[int]:
    """Processes of this renter that end what nobody uses."""
    found = []
    ours = f"XDG_CONFIG_HOME={renter.environment['XDG_CONFIG_HOME']}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[-2:] == [b"idle", b""] and ours in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@contextmanager
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server of the renter's own: its URL, and what it has heard."""
    heard: list[dict[str, Any]] = []

    class Heard(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Heard) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/budget", heard
        finally:
            server.shutdown()
            thread.join()


def status(renter: Renter) -> list[dict[str, str]]:
    done = renter.run("status", "--json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.drill
def test_a_cluster_that_nobody_uses_ends_by_itself(temporary: Path) -> None:
    with rented_from(temporary) as renter, hook() as (url, heard):
        before = renter.balance()
        # The job says when it begins, and ends when it is told to.
        job = "while [ ! -e go ]; do sleep 0.1; done"
        options = ("--gpu", "4090", "--name", "warm", "--idle", str(IDLE_SECS), "--detach", "--yes")
        alerts = ("--alert-at", "1,100", "--alert-url", url)
        begun = renter.run("run", *options, *alerts, "--", "sh", "-c", job)
        assert begun.returncode == 0, begun.stderr
        [first] = watchers(renter)
        until = time.monotonic() + SECS
        while (row := status(renter)[0])["idle"] != IN_USE:  # its agent looks at it every few seconds
            assert time.monotonic() < until, row

        # While the job runs it is in use, longer than the policy allows without one.
        begun_at = time.monotonic()
        while time.monotonic() < begun_at + IDLE_SECS + 10:
            [row] = status(renter)
            assert (row["phase"], row["idle"]) == ("running", IN_USE), row
            time.sleep(1)

        # Whoever is to end it is killed; the next look at the clusters has another one do it.
        os.kill(first, signal.SIGKILL)
        until = time.monotonic() + SECS
        while first in watchers(renter):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert len(status(renter)) == 1
        [second] = watchers(renter)
        assert second != first
        assert renter.run("exec", "warm", "--", "touch", "go").returncode == 0

        seen = set()
        until = time.monotonic() + SECS
        while rows := status(renter):
            seen |= {row.get("idle", "") for row in rows}
            assert time.monotonic() < until, (rows, (temporary / "config/ionet/idle.log").read_text())
            time.sleep(0.5)
        assert any(said.startswith("ends in ") for said in seen), seen
        # Nobody looked, and the renter's own server has heard that a hundredth of the budget was used.
        assert [(told["name"], told["level"], told["budget"]) for told in heard] == [("warm", 1, "250625")]
        assert "warm was not used for " in (temporary / "config/ionet/idle.log").read_text()
        assert 0 < before - renter.balance() < 250_625  # the rest of the hour came back
        while watchers(renter):
            assert time.monotonic() < until
            time.sleep(0.1)

"""`ionet up` as an operator runs it: started, stopped by SIGTERM, started again on what it kept."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path

import pytest
from client.cli.conftest import Shell
from e2e.commands import Run, ionet
from leftovers import left_after, processes_of
from stack.test_up import free_ports


@pytest.fixture
def options(temporary: Path) -> list[str]:
    port, api_port = free_ports()
    ports = ["--port", str(port), "--api-port", str(api_port), "--launcher-port", "0"]
    return ["up", "--folder", str(temporary / "up"), *ports, "--slot-ms", "100", "--json"]


def started(run: Run) -> dict[str, str]:
    assert run.process.stdout is not None
    line = run.process.stdout.readline()
    assert line, run.errors
    return dict(json.loads(line))


def test_up_keeps_its_network_over_a_restart(temporary: Path, options: list[str]) -> None:
    networks = []
    for _ in range(2):
        with ionet(temporary, *options) as run:
            fields = started(run)
            print(f"up: {run.seconds:.0f} s")
            networks.append(Shell(fields["chain"], Path(fields["wallet with IO"])).json("network", "show"))
            with urllib.request.urlopen(f"{fields['api']}/health", timeout=10) as answer:
                assert json.load(answer)["status"] == "ok"
            run.process.send_signal(signal.SIGTERM)
            assert run.finish(60) == (0, "", [])
        assert left_after(temporary, 5) == {}
    assert networks[0] == networks[1]


def test_up_whose_part_dies_fails(temporary: Path, options: list[str]) -> None:
    with ionet(temporary, *options) as run:
        started(run)
        [launcher] = [pid for pid, command in processes_of(temporary).items() if " launcher run " in command]
        os.kill(launcher, signal.SIGKILL)
        code, output, problems = run.finish(60)
    assert (code, output, len(problems)) == (1, "", 1)
    assert "launcher" in problems[0]
    assert left_after(temporary, 5) == {}


def test_up_with_a_port_taken_fails(temporary: Path, options: list[str]) -> None:
    port = int(options[options.index("--port") + 1])
    with socket.create_server(("127.0.0.1", port)), ionet(temporary, *options) as run:
        code, output, problems = run.finish(60)
    assert (code, output, len(problems)) == (1, "", 1)
    assert left_after(temporary, 5) == {}

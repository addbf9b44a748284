"""`ionet up` as an operator runs it: started, stopped by SIGTERM, started again on what it kept."""

from __future__ import annotations

import json
import os
import shlex
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
    ports = ["--port", str(port), "--api-port", str(api_port), "--launcher-port", "0", "--web-port", "0"]
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
    api_port = int(options[options.index("--api-port") + 1])
    for taken, option in ((port, "--port"), (port + 1, "--port"), (api_port, "--api-port")):
        with socket.create_server(("127.0.0.1", taken)), ionet(temporary, *options) as run:
            code, output, problems = run.finish(60)
        said = f"error: cannot listen: port {taken} is in use; choose another with {option}\n"
        assert (code, output, problems) == (1, "", [said])
        assert left_after(temporary, 5) == {}


def test_what_up_prints_is_enough_to_begin(temporary: Path, options: list[str]) -> None:
    """Every command that it names for a role runs as it is, but for the addresses that are its own results."""
    said = [word for word in options if word != "--json"]
    with ionet(temporary, *said) as run:
        fields, commands = guide(run)
        home = Path(fields["renter's wallet"]).parent
        assert json.loads(Path(fields["agents"]).read_text()) == {}
        shell = Shell(fields["chain"], home / "renter.json")
        balance = shell.json("keys", "balance")
        assert int(balance["sol_units"]) > 10**9
        assert int(balance["io_units"]) > 0
        assert int(balance["iosd_units"]) > 5_000_000
        assert int(shell.json("keys", "balance", fields["session key"])["sol_units"]) > 10**9
        device = str(temporary / "device.json")
        known = {"device.json": device}
        roles = (commands[3:6], commands[:3], commands[6:])  # a renter needs the supplier's node
        for words in (line for role in roles for line in role):
            done = shell.run("--json", *[known.get(word, word) for word in words[1:]])
            assert done.returncode == 0, (words, done.stderr)
            for event in json.loads(done.stdout).get("events", []) if done.stdout.startswith("{") else []:
                known |= {name.upper(): event[name] for name in ("node", "cluster") if name in event}
        assert known.keys() == {"device.json", "NODE", "CLUSTER"}

        # A second one in the same folder says who is there and leaves it alone.
        with ionet(temporary, *options) as second:
            code, output, problems = second.finish(60)
        assert (code, output) == (1, "")
        assert problems == [
            f"error: another process works here already: `ionet up` runs already in {home} (pid {run.process.pid})\n"
        ]
        assert shell.json("network", "show")["address"]
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(60) == 0
    assert left_after(temporary, 5) == {}


def guide(run: Run) -> tuple[dict[str, str], list[list[str]]]:
    """The fields and the commands that a person sees."""
    assert run.process.stdout is not None
    fields: dict[str, str] = {}
    commands: list[list[str]] = []
    while len(commands) < 9:
        line = run.process.stdout.readline()
        assert line, run.errors
        if line.startswith("  ionet "):
            commands.append(shlex.split(line))
        elif "  " in line and not commands:
            name, _, value = line.strip().partition("  ")
            fields[name] = value.strip()
    return fields, commands

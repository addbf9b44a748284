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
from launcher.ports import free_range
from leftovers import left_after, processes_of
from networks import started, up


@pytest.fixture
def options(temporary: Path) -> list[str]:
    return up(temporary, "--json")


def test_up_answers_leaves_nothing_and_keeps_its_network_over_a_restart(temporary: Path, options: list[str]) -> None:
    shown = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with ionet(temporary, *options) as run:
            fields = started(run)
            print(f"up: {run.seconds:.0f} s")
            shell = Shell(fields["chain"], Path(fields["wallet with IO"]))
            shown.append(shell.json("network", "show"))
            answers(fields, shell)
            run.process.send_signal(number)
            assert run.finish(60) == (0, "", [])
        assert left_after(temporary, 5) == {}
    assert shown[0] == shown[1]


def answers(fields: dict[str, str], shell: Shell) -> None:
    """Every part of it does."""
    # The renter's wallet has the rest.
    assert int(shell.json("keys", "balance")["io_units"]) == 499_999_000 * 10**8
    for name in ("api", "keeper"):
        assert asked(f"{fields[name]}/health")["status"] == "ok"
    assert asked(f"{fields['launcher']}/v1")["session_key"] == fields["session key"]
    code, message = shell.refused("trace", "ab" * 32, "--api", fields["api"])
    assert (code, "leaves missing" in message) == (1, True)
    with socket.create_connection(("127.0.0.1", int(fields["relay"].rpartition(":")[2])), timeout=10) as relay:
        relay.sendall(b"ionet-relay:control:1\n")
        assert b'"nonce"' in relay.recv(1024)


def asked(url: str) -> dict[str, str]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return dict(json.load(answer))


@pytest.mark.drill
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
    """Every command that it names for suppliers and stakers runs as it is, but for the address of the node.

    `test_node_up` types the renter's, beside the supplier's agent.
    """
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
        _, (supply, *supplier), staker = commands[:3], commands[3:6], commands[6:]
        assert supply[-6:-2] == ["node", "up", "--country", "DE"], supply
        # What the guide says for a machine without a GPU, on ports and in a folder of the test's own, without serving.
        supply += ["--model", "4090", "--pretend", "--price", "0.25", "--trust-renters", "--yes", "--no-serve"]
        supply += ["--no-test", "--folder", str(temporary / "node"), "--listen", "127.0.0.1:0"]
        ports = free_range(40)
        supply += ["--ports", f"{ports.start}-{ports.stop - 1}"]
        known: dict[str, str] = {}
        for words in (supply, *supplier, *staker):
            done = shell.run("--json", *[known.get(word, word) for word in words[1:]])
            assert done.returncode == 0, (words, done.stderr)
            if words is supply:
                known = {"NODE": json.loads(done.stdout)["node"]}

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

"""A port that is taken, and the option that chooses another: what each service says before it does anything."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from client.cli.conftest import IONET
from ionet.listening import CannotListen, listen, packets, refuse_taken
from ionet.wallet import write_keypair
from solders.keypair import Keypair

WALLET = "{folder}/id.json"
NODE = ["--device-key", WALLET, "--base", "{folder}/node", "--ip", "127.0.9.9", "--ports", "24000-24020"]
TRUSTING = ["--isolation", "none", "--trust-renters"]
# What each service is started with, and the option that its error has to name. {port} is taken.
SERVICES: list[tuple[Sequence[str], str]] = [
    (["localnet", "run", "--port", "{port}"], "--port"),
    (["localnet", "run", "--port", "0", "--ws-port", "{port}"], "--ws-port"),
    (["indexer", "run", "--port", "{port}", "--data", "{folder}/data"], "--port"),
    (["indexer", "api", "--port", "{port}", "--dsn", "postgresql://127.0.0.1:1/none"], "--port"),
    (
        ["launcher", "run", "--session-key", WALLET, "--dsn", "postgresql://127.0.0.1:1/none", "--listen", "{at}"],
        "--listen",
    ),
    (["launcher", "api", "1" * 32, "--dsn", "postgresql://127.0.0.1:1/none", "--listen", "{at}"], "--listen"),
    (["keeper", "run", "--keypair", WALLET, "--port", "{port}"], "--port"),
    (["relay", "run", "--listen", "{at}"], "--listen"),
    (["relay", "run", "--listen", "127.0.0.1:0", "--udp", "{at}"], "--udp"),
    (["relay", "run", "--listen", "127.0.0.1:0", "--metrics", "{at}"], "--metrics"),
    (["agent", "run", *NODE, *TRUSTING, "--listen", "{at}"], "--listen"),
]


@pytest.mark.parametrize(("words", "option"), SERVICES, ids=[" ".join(words[:4]) for words, _ in SERVICES])
def test_a_service_whose_port_is_taken_says_which_option_to_use(
    words: Sequence[str], option: str, tmp_path: Path
) -> None:
    write_keypair(tmp_path / "id.json", Keypair())
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(type=socket.SOCK_DGRAM) as other:
        port = taken.getsockname()[1]
        other.bind(("127.0.0.1", port))
        places = {"port": port, "at": f"127.0.0.1:{port}", "folder": tmp_path}
        command = [*IONET, "--url", "http://127.0.0.1:1", *[word.format_map(places) for word in words]]
        environment = {**os.environ, "IONET_LOG": "ERROR"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.stdout == ""
    said = f"error: cannot listen: port {port} is in use; choose another with {option}"
    assert (done.returncode, [line for line in done.stderr.splitlines() if not _is_log(line)]) == (1, [said])


def _is_log(line: str) -> bool:
    return line.startswith("{") or re.match(r"\d{4}-\d\d-\d\d ", line) is not None


def test_what_is_free_is_taken() -> None:
    with listen("127.0.0.1", 0, "--port") as first:
        port = first.getsockname()[1]
        for taken in (lambda: listen("127.0.0.1", port, "--here"), lambda: refuse_taken(port, "--here")):
            with pytest.raises(
                CannotListen, match=f"^cannot listen: port {port} is in use; choose another with --here"
            ):
                taken()
    refuse_taken(port, "--here")
    with packets("127.0.0.1", 0, "--udp") as bound, pytest.raises(CannotListen, match="choose another with --udp"):
        packets("127.0.0.1", bound.getsockname()[1], "--udp")


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [("203.0.113.1", 0, "203.0.113.1 is not an address of this machine"), ("127.0.0.1", 70_000, "ports end at 65535")],
)
def test_what_cannot_be_listened_on_says_why(host: str, port: int, reason: str) -> None:
    for attempt in (listen, packets):
        with pytest.raises(CannotListen, match=reason):
            attempt(host, port, "--port")


def test_an_ipv6_address_can_be_for_ipv6_alone() -> None:
    with listen("::", 0, "--listen", only_v6=True) as first:
        listen("0.0.0.0", first.getsockname()[1], "--listen").close()

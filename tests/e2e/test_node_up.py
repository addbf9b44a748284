"""`ionet node up` as a supplier uses it, on a network of `ionet up`: an empty folder becomes a node that serves a lease
and is paid, whatever is killed on the way."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest
from client.cli.conftest import IONET, Shell
from e2e.renter import CLIENT
from ionet.wallet import read_keypair
from ionet_stack.guide import next_steps
from launcher.ports import free_range
from leftovers import processes_of
from networks import network
from quick_starts import words as typed
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

# As small as the stack's own nodes: one machine carries all of it.
SMALL = ["--trust-renters", "--num-cpus", "1", "--object-store-mib", "80", "--disk-mib", "2048"]
PATIENT = ["--", "--check-secs", "600", "--poll-secs", "0.25"]
PRETENDED = ["--model", "4090", "--pretend", "--price", "0.25"]
IO, USD = 10**8, 10**6


@dataclass
class Place:
    """A network, and the machine of a supplier with a wallet of its own."""

    fields: dict[str, str]
    folder: Path
    supplier: Shell
    renter: Shell
    options: list[str]

    def command(self, *words: str) -> list[str]:
        shell = self.supplier
        up = typed("supplier")[1]
        where = ["--url", shell.url, "--keypair", str(shell.keypair)]
        return [*IONET, *where, *up, "--folder", str(self.folder / "node"), "--json", *self.options, *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.folder.parent), "XDG_CONFIG_HOME": str(self.folder / "config")}

    @contextmanager
    def started(self, *words: str, stderr: int | None = None) -> Iterator[subprocess.Popen[str]]:
        """Killed where the block leaves it running."""
        with subprocess.Popen(
            self.command(*words),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def node(self) -> dict[str, Any]:
        [node] = self.supplier.json("node", "list")
        return dict(node)


@pytest.fixture
def place(temporary: Path) -> Iterator[Place]:
    with network(temporary) as fields:
        folder = temporary / "supplier"
        folder.mkdir()
        supplier = Shell(fields["chain"], folder / "wallet.json")
        supplier.json(*typed("supplier")[0])
        supplier.json("keys", "airdrop", "10")
        treasury = Shell(fields["chain"], Path(fields["wallet with IO"]))
        treasury.json("keys", "send", supplier.json("keys", "show")["address"], "300")
        ports = free_range(40)
        told = ["--indexer", fields["api"], "--listen", "127.0.0.1:0"]
        told += ["--ports", f"{ports.start}-{ports.stop - 1}", *SMALL]
        yield Place(fields, folder, supplier, Shell(fields["chain"], Path(fields["renter's wallet"])), told)


def test_nothing_is_paid_before_every_check_has_passed(place: Place) -> None:
    refused = place.run("--model", "4090", "--price", "0.25", "--yes")
    assert refused.returncode == 1
    assert "this machine shows no RTX 4090, not 1 (it shows none)" in refused.stderr
    assert place.supplier.json("node", "list") == []

    unpriced = place.run("--model", "4090", "--pretend")
    assert (unpriced.returncode, unpriced.stderr) == (1, "error: invalid input: say --price\n")
    declined = place.run(*PRETENDED, "--no-test")
    assert (declined.returncode, "not confirmed, so nothing was sent" in declined.stderr) == (1, True), declined.stderr
    assert place.supplier.json("node", "list") == []

    # Killed in the self-test: what it left is ended by the next one.
    with place.started(*PRETENDED, "--yes", *PATIENT) as killed:
        until(lambda: "raylet" in str(processes_of(place.folder.parent)) or killed.poll() is not None)
        assert killed.poll() is None
        killed.kill()
    assert place.supplier.json("node", "list") == []
    assert int(place.supplier.json("keys", "balance")["io_units"]) == 300 * IO

    # All of it, but for the serving: one transaction, which a wallet elsewhere signs that has got a link.
    more = ["--no-serve", "--relay", place.fields["relay"], "--link", place.fields["page"], *PATIENT]
    with place.started(*PRETENDED, *more, stderr=subprocess.PIPE) as waits:
        assert waits.stderr is not None
        while "or on a phone: solana:" not in (line := waits.stderr.readline()):
            assert line
        sign(place, unquote(line.strip().rpartition("solana:")[2]))
        output, errors = waits.communicate(timeout=240)
    assert waits.returncode == 0, errors
    told = json.loads(output)
    assert told["transactions"] == [], "the wallet sent it"
    states = {check["name"]: check["state"] for check in told["checks"]}
    assert (states["self-test"], states[f"relay {place.fields['relay']}"], states["indexer"]) == ("ok", "ok", "ok")
    node = place.node()
    assert (node["address"], node["state"], node["price"]) == (told["node"], "free", str(USD // 4))
    assert int(place.supplier.json("keys", "balance")["io_units"]) == 50 * IO


def sign(place: Place, link: str) -> None:
    """As a wallet: ask what is to be signed, sign it, send it. Another wallet is told why there is nothing for it."""
    poor = httpx2.post(link, json={"account": str(Pubkey.new_unique())}, timeout=60)
    assert poor.status_code in (400, 422), poor.text
    wallet = read_keypair(place.folder / "wallet.json")
    answer = httpx2.post(link, json={"account": str(wallet.pubkey())}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert "−250 IO" in answer.json()["message"]
    made = VersionedTransaction.from_bytes(b64decode(answer.json()["transaction"]))
    signature = wallet.sign_message(to_bytes_versioned(made.message))
    signed = VersionedTransaction.populate(made.message, [signature, *made.signatures[1:]])
    place.supplier.json("keys", "submit", b64encode(bytes(signed)).decode())


@pytest.mark.drill
def test_an_empty_folder_becomes_a_node_that_is_paid(place: Place) -> None:
    """Its agent killed on the way: once all is there nothing is signed again, and it serves. It only dials out."""
    more = ["--no-test", "--relay", place.fields["relay"], *PATIENT]
    first, again = [*PRETENDED, "--yes", *more], [*PRETENDED[:3], *more]
    for words, sent, ending in ((first, 1, signal.SIGKILL), (again, 0, signal.SIGTERM)):
        with place.started(*words) as agent:
            assert agent.stdout is not None
            told, ready = (json.loads(agent.stdout.readline()) for _ in range(2))
            assert len(told["transactions"]) == sent
            assert ready["node"] == told["node"] == place.node()["address"]
            if ending == signal.SIGTERM:
                rent(place)
            agent.send_signal(ending)
            agent.wait(60)


def rent(place: Place) -> None:
    """A job on the node, its end, and what the supplier was paid for it."""
    until(lambda: bool(get(place.fields["api"], "/v1/nodes?rentable=true")["items"]))
    ports = free_range(40)
    options = [*place.options[:4], "--ports", f"{ports.start}-{ports.stop - 1}", "--trust-renters"]
    other = replace(place, folder=place.folder.parent / "other", options=options)
    another = other.run("--model", "4090", "--pretend", "--no-test")
    assert "price: $0.25/h per processor (the median of what others ask now)" in another.stderr
    # What `ionet up` tells renters; all goes through the relay, and so do a tunnel and a shell.
    said = f"/v1/nodes/{place.node()['address']}/advert"
    until(lambda: get(place.fields["api"], said)["item"]["relays"] == [place.fields["relay"]])
    assert get(place.fields["api"], said)["item"]["endpoints"] == []
    run, status, down = guided(place)
    assert as_renter(place, *run) == "hello\n"
    assert "first" in as_renter(place, *status)
    base = run[: run.index("run")]
    assert as_renter(place, *base, "tunnel", "first", "0:ray", "--", sys.executable, "-c", CLIENT) == "285\n"
    assert as_renter(place, *base, "ssh", "first", "--", "echo", "from afar") == "from afar\n"
    as_renter(place, *down)
    paid = int(place.supplier.json("keys", "balance")["iosd_units"])
    assert paid > 0

    # What the owner sees of it, by the page's other commands.
    api = place.fields["api"]
    status, earnings, update = typed("supplier", NODE=place.node()["address"])[2:]
    until(lambda: place.supplier.json(*status, "--api", api)["today"]["income"])
    found = place.supplier.json(*status, "--api", api)
    [income] = found["today"]["income"]
    assert (income["currency"], income["supplier"], found["unknown"]) == ("IOSD", str(paid), "")
    assert found["advert"]["online"]
    assert 0 < found["score"]["score"] < found["score"]["served"]
    [_, *rows] = place.supplier.run(*earnings, "--api", api).stdout.splitlines()
    assert sum(round(float(row.split(",")[6]) * USD) for row in rows) == paid
    place.supplier.json(*update)
    assert place.node()["price"] == str(USD // 2)


def as_renter(place: Place, *words: str) -> str:
    """What it prints."""
    command, environment = [*IONET, *words], place.environment
    done = subprocess.run(command, env=environment, input="y\n", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def guided(place: Place) -> list[list[str]]:
    """The words after `ionet` of the guide's commands for renters."""
    _, renter, *_ = next_steps(place.fields).split("\nAs a ")
    assert renter.startswith("renter")
    return [shlex.split(line)[1:] for line in renter.splitlines() if line.startswith("  ionet ")]


def get(api: str, path: str) -> Any:
    with urllib.request.urlopen(api + path, timeout=10) as answer:
        return json.load(answer)


def until(seen: Any) -> None:
    deadline = time.monotonic() + 120
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.1)

"""Each quick start is five commands, and they do what they say: typed as they are, but for ports that are free here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.renter import Renter, rented_from
from lib.walks import PAGES
from networks import free_ports
from quick_starts import lines, page

ROOT = Path(__file__).parents[2]
# Ray takes minutes to start on a busy machine.
WITHIN_SECS = 600


@dataclass
class Reader:
    """Who types a page's commands in a shell beside a network of `ionet up`."""

    renter: Renter

    def type(self, command: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, **changes}
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.renter.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_SECS,
        )

    def begin(self, command: str) -> subprocess.Popen[bytes]:
        """One that goes on."""
        return subprocess.Popen(
            ["bash", "-c", f"exec {command.removesuffix('&').strip()}"],
            cwd=self.renter.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**self.renter.environment, "PATH": path, "IONET_URL": self.renter.shell.url}

    @property
    def api(self) -> str:
        return self.renter.environment["IONET_API"]


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    folder = Path(tempfile.mkdtemp(prefix="", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with rented_from(folder) as renter:
            yield Reader(renter)
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("role", PAGES)
def test_a_quick_start_has_five_commands_and_fits_a_page(role: str) -> None:
    """The renter's is typed by `test_reach`, the supplier's by `test_node_up`, the staker's by `test_stake_nodes`."""
    assert len(lines(role)) == 5
    assert len(page(role).splitlines()) <= 40
    assert PAGES[role] == f"start/{role}.md"
    assert f"](docs/{PAGES[role]})" in "\n".join((ROOT / "README.md").read_text().splitlines()[:25])


def test_analyst(reader: Reader) -> None:
    up, *asks = lines("analyst")
    assert up == "ionet up --nodes 1"
    for command in asks:
        done = reader.type(command.replace("http://127.0.0.1:8080", reader.api))
        assert done.returncode == 0, (command, done.stderr)
        if "/v1/nodes" in command:
            assert '"country":276' in done.stdout, done.stdout
    assert (reader.renter.folder / "leases.csv").read_text().startswith("slot,lease,")


def test_operator(reader: Reader) -> None:
    keeper_port, indexer_port = map(str, free_ports())
    typed = [text.replace("9082", keeper_port).replace("9080", indexer_port) for text in lines("operator")]
    new, airdrop, keeper, indexer, status = typed
    for command in (new, airdrop):
        done = reader.type(command)
        assert done.returncode == 0, (command, done.stderr)
    processes = []
    try:
        for command in (keeper, indexer):
            assert command.endswith(" &")
            processes.append(reader.begin(command))
        deadline = time.monotonic() + WITHIN_SECS
        while (done := reader.type(status)).returncode:
            assert time.monotonic() < deadline, done.stderr
            assert all(process.poll() is None for process in processes)
        health = f"curl -fsS --retry 60 --retry-all-errors http://127.0.0.1:{keeper_port}/health"
        done = reader.type(health)
        assert '"status":"ok"' in done.stdout, done
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(60)
    assert [process.returncode for process in processes] == [0, 0]

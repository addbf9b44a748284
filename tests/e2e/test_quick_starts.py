"""Each quick start is five commands, and they do what they say: typed as they are, but for ports that are free here."""

from __future__ import annotations

import os
import re
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
from stack.test_up import free_ports

PAGES = Path(__file__).parents[2] / "docs" / "start"
# Ray takes minutes to start on a busy machine.
WITHIN_SECS = 600


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (PAGES / f"{name}.md").read_text(), re.DOTALL)


def commands(name: str) -> list[str]:
    [block] = blocks(name, "sh")
    return block.splitlines()


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


@pytest.mark.parametrize("name", ["renter", "analyst", "operator"])
def test_a_quick_start_has_five_commands_and_fits_a_page(name: str) -> None:
    assert len(commands(name)) == 5
    assert len((PAGES / f"{name}.md").read_text().splitlines()) <= 40
    assert f"docs/start/{name}.md" in "\n".join((PAGES.parents[1] / "README.md").read_text().splitlines()[:40])


def test_analyst(reader: Reader) -> None:
    up, *asks = commands("analyst")
    assert up == "ionet up --nodes 1"
    for command in asks:
        done = reader.type(command.replace("http://127.0.0.1:8080", reader.api))
        assert done.returncode == 0, (command, done.stderr)
        if "/v1/nodes" in command:
            assert '"country":276' in done.stdout, done.stdout
    assert (reader.renter.folder / "leases.csv").read_text().startswith("slot,lease,")


def test_operator(reader: Reader) -> None:
    keeper_port, indexer_port = map(str, free_ports())
    typed = [text.replace("9082", keeper_port).replace("9080", indexer_port) for text in commands("operator")]
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


def test_renter(reader: Reader) -> None:
    """Up to what would be paid; the rest, which starts Ray, `test_run` types in the same words."""
    up, wallet, run, *_ = commands("renter")
    assert up == "ionet up --nodes 1"
    assert wallet == "export IONET_KEYPAIR=~/.local/share/ionet/up/renter.json"
    [job] = blocks("renter", "python")
    (reader.renter.folder / "job.py").write_text(job)
    assert " --keep -- " in run
    done = reader.type(run.replace("--keep", "--keep --explain"), IONET_KEYPAIR=str(reader.renter.shell.keypair))
    assert done.returncode == 0, done.stderr
    assert "1 fit" in done.stderr

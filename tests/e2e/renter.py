"""A renter beside a network of `ionet up` that has nodes to rent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from client.cli.conftest import IONET, Shell
from e2e.commands import ionet
from e2e.test_up import started
from leftovers import left_after
from stack.test_up import free_ports


@dataclass
class Renter:
    """Runs `ionet` in `folder`, with indexer and launcher of the network in its environment."""

    shell: Shell
    folder: Path
    environment: dict[str, str]

    def command(self, *words: str) -> list[str]:
        return [*IONET, "--url", self.shell.url, "--keypair", str(self.shell.keypair), *words]

    def run(self, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
        command = self.command(*words)
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, input=said, capture_output=True, text=True, timeout=300
        )

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """In a session of its own, so that it is interrupted alone."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def until_rentable(self, api: str) -> None:
        """Its agent has said where it is."""
        deadline = time.monotonic() + 90
        while True:
            with urllib.request.urlopen(f"{api}/v1/nodes?rentable=true", timeout=10) as answer:
                if json.load(answer)["items"]:
                    return
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def balance(self) -> int:
        return int(self.shell.json("keys", "balance")["iosd_units"])


@contextmanager
def rented_from(temporary: Path, *, slot_ms: int = 100) -> Iterator[Renter]:
    """A network with one node, ended in order. temporary: a folder whose name is short enough for Ray's sockets."""
    port, api_port = free_ports()
    options = [
        "--port",
        str(port),
        "--api-port",
        str(api_port),
        "--launcher-port",
        "0",
        "--web-port",
        "0",
        "--nodes",
        "1",
    ]
    with ionet(temporary, "up", "--folder", str(temporary / "up"), *options, "--slot-ms", str(slot_ms), "--json") as up:
        fields = started(up)
        environment = {**os.environ, "IONET_API": fields["api"], "IONET_LAUNCHER": fields["launcher"]}
        environment["XDG_CONFIG_HOME"] = str(temporary / "config")
        (temporary / "work").mkdir()
        made = Renter(Shell(fields["chain"], Path(fields["renter's wallet"])), temporary / "work", environment)
        made.until_rentable(fields["api"])
        yield made
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(60) == 0
    assert left_after(temporary, 5) == {}

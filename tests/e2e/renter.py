"""A renter beside a network of `ionet up` that has nodes to rent."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from client.cli.conftest import IONET, Shell
from networks import network

# Computes on the cluster to which a tunnel leads.
CLIENT = """
import os, ray
assert os.environ["RAY_ADDRESS"].startswith("ray://127.0.0.1:"), os.environ["RAY_ADDRESS"]
ray.init(logging_level="error")
square = ray.remote(num_gpus=1)(lambda number: number * number)
print(sum(ray.get([square.remote(number) for number in range(10)])), flush=True)
"""


@dataclass
class Renter:
    """Runs `ionet` in `folder`, with indexer and launcher of the network in its environment."""

    shell: Shell
    folder: Path
    environment: dict[str, str]
    page: str = ""
    """Where the network is shown."""

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

    def until_rentable(self, api: str, nodes: int) -> None:
        """Their agents have said where they are."""
        deadline = time.monotonic() + 90
        while True:
            with urllib.request.urlopen(f"{api}/v1/nodes?rentable=true", timeout=10) as answer:
                if len(json.load(answer)["items"]) == nodes:
                    return
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def balance(self) -> int:
        return int(self.shell.json("keys", "balance")["iosd_units"])


@contextmanager
def rented_from(temporary: Path, *, nodes: int = 1, slot_ms: int = 100) -> Iterator[Renter]:
    """A network with nodes, ended in order. temporary: a folder whose name is short enough for Ray's sockets."""
    with network(temporary, "--nodes", str(nodes), slot_ms=slot_ms) as fields:
        environment = {**os.environ, "IONET_API": fields["api"], "IONET_LAUNCHER": fields["launcher"]}
        environment["XDG_CONFIG_HOME"] = str(temporary / "config")
        (temporary / "work").mkdir()
        made = Renter(
            Shell(fields["chain"], Path(fields["renter's wallet"])), temporary / "work", environment, fields["page"]
        )
        made.until_rentable(fields["api"], nodes)
        yield made

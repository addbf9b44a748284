"""The local chain is a Solana node: it works where nothing else of this project is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

ALONE = """
import sys

OURS = ("ionet", "ionet_agent", "ionet_indexer", "ionet_launcher", "ionet_stack")

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in OURS:
            raise ModuleNotFoundError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
from ionet_localnet.cli import app
app()
"""


@pytest.mark.parametrize("command", ["run", "status"])
def test_the_local_chain_imports_nothing_else_of_this_project(command: str) -> None:
    start = [sys.executable, "-c", ALONE, command, "--help"]
    done = subprocess.run(start, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    assert "chain" in done.stdout

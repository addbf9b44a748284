"""The command line against a chain in another process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import pytest
from ionet import addresses
from ionet.cli import main
from ionet.program import PROGRAM
from ionet.wallet import read_keypair, write_keypair
from solders.keypair import Keypair

if TYPE_CHECKING:
    from client.cli.village import Village

ARTIFACTS = Path(addresses.__file__).parent / "artifacts"
IONET = [sys.executable, "-m", "ionet"]


class Result(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@dataclass
class Shell:
    """Runs `ionet` with a url and keypair of its own."""

    url: str
    keypair: Path

    def run(self, *arguments: str, keypair: Path | None = None, answer: str = "") -> Result:
        """The whole command line, run in this process: a new one takes a second to import everything.

        answer: what somebody types when asked.
        """
        argv = ["ionet", "--url", self.url, "--keypair", str(keypair or self.keypair), *arguments]
        out, err = io.StringIO(), io.StringIO()
        code: object = 0
        with (
            patch.object(sys, "argv", argv),
            patch.object(sys, "stdin", io.StringIO(answer)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as ended:
                code = ended.code
        return Result(int(str(code or 0)), out.getvalue(), err.getvalue())

    def json(self, *arguments: str, keypair: Path | None = None) -> Any:
        """What a command that must succeed prints with --json."""
        result = self.run(*arguments, "--json", keypair=keypair)
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        return json.loads(result.stdout)

    def refused(self, *arguments: str, keypair: Path | None = None) -> tuple[int, str]:
        """Exit code and message of a command that must fail with one line on stderr."""
        result = self.run(*arguments, keypair=keypair)
        assert result.stdout == ""
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
        return result.returncode, result.stderr


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keypair file of the programs' upgrade authority."""
    given = os.environ.get("IONET_TEST_AUTHORITY")
    if given:
        return Path(given)
    path = tmp_path_factory.mktemp("keys") / "authority.json"
    write_keypair(path, Keypair())
    return path


@pytest.fixture(scope="session")
def shell(authority: Path) -> Iterator[Shell]:
    url = os.environ.get("IONET_TEST_RPC_URL")
    if url:
        yield Shell(url, authority)
        return
    options = ["--port", "0", "--slot-ms", "40", "--clock-factor", "10", "--json"]
    options += ["--upgrade-authority", str(read_keypair(authority).pubkey())]
    options += ["--program", f"{PROGRAM.id}={ARTIFACTS / 'ionet.so'}"]
    options += ["--program", f"{addresses.PYTH_RECEIVER}={ARTIFACTS / 'price_poster.so'}"]
    with subprocess.Popen([*IONET, "localnet", "run", *options], stdout=subprocess.PIPE, text=True) as chain:
        try:
            assert chain.stdout is not None
            yield Shell(json.loads(chain.stdout.readline())["rpc_url"], authority)
        finally:
            chain.terminate()
            chain.wait(20)


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    from client.cli.village import founded

    with founded(tmp_path_factory.mktemp("village")) as people:
        yield people

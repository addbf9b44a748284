"""People on a chain of their own, whose clock the tests move."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from client.cli.conftest import ARTIFACTS, IONET, Shell
from client.cli.test_commands import Town, only_event
from ionet import addresses
from ionet.program import PROGRAM
from ionet.wallet import read_keypair, write_keypair
from solders.keypair import Keypair

T4 = "36"


class Village(Town):
    """The people, and the hands of the clock. The authority is pauser and arbiter too."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        super().__init__(shell, folder)
        self.shell = shell

    def pass_time(self, seconds: int) -> None:
        body = {"jsonrpc": "2.0", "id": 1, "method": "localnet_advance", "params": [seconds]}
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.shell.url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert "result" in json.load(answer)

    def event(self, who: str | None, *command: str) -> dict[str, Any]:
        """The only event of a command that somebody runs; without a name the authority."""
        return only_event(self.json(who, *command))

    def json(self, who: str | None, *command: str) -> Any:
        return self.shell.json(*command, keypair=self.file(who) if who else None)

    def refused(self, who: str | None, *command: str) -> tuple[int, str]:
        return self.shell.refused(*command, keypair=self.file(who) if who else None)


@contextmanager
def founded(folder: Path) -> Iterator[Village]:
    """A chain of its own whose clock stands still but for `pass_time`, with everybody on it."""
    write_keypair(folder / "authority.json", Keypair())
    options = ["--port", "0", "--slot-ms", "20", "--clock-factor", "0.001", "--cheats", "--json"]
    options += ["--upgrade-authority", str(read_keypair(folder / "authority.json").pubkey())]
    options += ["--program", f"{PROGRAM.id}={ARTIFACTS / 'ionet.so'}"]
    options += ["--program", f"{addresses.PYTH_RECEIVER}={ARTIFACTS / 'price_poster.so'}"]
    with subprocess.Popen([*IONET, "localnet", "run", *options], stdout=subprocess.PIPE, text=True) as chain:
        try:
            assert chain.stdout is not None
            url = json.loads(chain.stdout.readline())["rpc_url"]
            yield settled(Village(Shell(url, folder / "authority.json"), folder))
        finally:
            chain.terminate()
            chain.wait(20)


def settled(village: Village) -> Village:
    """Everybody with SOL, supplier, renter and guest with IO; a price of 2.5 dollars."""
    village.json(None, "keys", "new", str(village.file("guest")))
    village.json(None, "keys", "airdrop", "100")
    village.json(None, "network", "init", "--genesis-owner", village.address("treasury"))
    for name in ("treasury", "supplier", "renter", "guest", "device", "session"):
        village.json(name, "keys", "airdrop", "10")
    for name in ("supplier", "renter", "guest"):
        village.json("treasury", "keys", "send", village.address(name), "2000")
    village.json("renter", "iosd", "post-price", "2.5")
    return village

"""`ionet node up` for an owner whose key is elsewhere: it prints what to sign, and goes on once that has landed."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from client.cli.village import Village
from ionet.wallet import read_keypair
from launcher.ports import free_range
from solders.transaction import VersionedTransaction

NOWHERE = "http://127.0.0.1:9"
IO = 10**8


@pytest.fixture
def command(village: Village, tmp_path: Path) -> list[str]:
    ports = free_range(20)
    where = [
        "--folder",
        str(tmp_path / "node"),
        "--ports",
        f"{ports.start}-{ports.stop - 1}",
        "--listen",
        "127.0.0.1:0",
    ]
    what = ["--model", "4090", "--pretend", "--price", "0.25", "--country", "DE"]
    quick = ["--no-test", "--trust-renters", "--indexer", NOWHERE, "--json"]
    return ["--signer", village.address("supplier"), "node", "up", *where, *what, *quick]


def test_what_was_signed_elsewhere_is_seen_on_the_chain(village: Village, command: list[str], tmp_path: Path) -> None:
    refused = village.shell.run(*command, "--yes")
    assert (refused.returncode, "signs elsewhere: use --unsigned" in refused.stderr) == (1, True), refused.stderr
    printed = village.shell.run(*command, "--unsigned")
    assert printed.returncode == 0, printed.stderr
    unsigned = json.loads(printed.stdout)
    assert unsigned["signers"] == [village.address("supplier")]

    made = VersionedTransaction.from_bytes(base64.b64decode(unsigned["transaction"]))
    device = read_keypair(tmp_path / "node/device.json")
    signed = VersionedTransaction(made.message, [read_keypair(village.file("supplier")), device])
    village.json(None, "keys", "submit", base64.b64encode(bytes(signed)).decode())

    # No wallet is needed any more, nor its file.
    done = village.shell.run(*command[2:], "--no-serve", keypair=tmp_path / "nobody.json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["transactions"] == []
    node = village.json(None, "node", "show", told["node"])
    assert (node["owner"], node["state"], node["device_key"]) == (
        village.address("supplier"),
        "free",
        str(device.pubkey()),
    )
    assert node["bonded"]["amount"] == str(250 * IO)
    assert {check["name"]: check["state"] for check in told["checks"]}["indexer"] == "warning"

    # Another model or number is not what is registered.
    other = village.shell.run(*command[2:], "--processors", "2", "--no-serve")
    assert (other.returncode, "registered as 1 x RTX 4090" in other.stderr) == (1, True)

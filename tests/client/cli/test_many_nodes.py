"""Many nodes and lookup tables from the command line, on a chain of its own: its tables have to cool."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from client.cli.conftest import ARTIFACTS, IONET, Shell
from client.cli.test_commands import Town, only_event
from ionet import addresses
from ionet.program import PROGRAM
from ionet.wallet import read_keypair, write_keypair
from solders.keypair import Keypair

MANY = 12


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A chain that makes a block every 20 ms: 513 of them, which a table has to wait for, take ten seconds."""
    authority = tmp_path_factory.mktemp("quick") / "authority.json"
    write_keypair(authority, Keypair())
    options = ["--port", "0", "--slot-ms", "20", "--json", "--upgrade-authority", str(read_keypair(authority).pubkey())]
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
def place(quick: Shell, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """Supplier and renter with SOL and IO; the renter with IOSD."""
    town = Town(quick, tmp_path_factory.mktemp("place"))
    quick.json("keys", "airdrop", "100")
    quick.json("network", "init", "--genesis-owner", town.address("treasury"))
    for name in ("treasury", "supplier", "renter"):
        quick.json("keys", "airdrop", "10", keypair=town.file(name))
    for name in ("supplier", "renter"):
        quick.json("keys", "send", town.address(name), "5000", keypair=town.file("treasury"))
    quick.json("iosd", "post-price", "2.5", "--confidence", "0.001", keypair=town.file("renter"))
    quick.json("iosd", "mint", "10", keypair=town.file("renter"))
    return town


@pytest.fixture(scope="module")
def nodes(quick: Shell, place: Town) -> list[str]:
    """Hireable machines of the supplier, and one that is paused."""
    made = []
    for number in range(MANY):
        device = place.file(f"device {number}")
        quick.json("keys", "new", str(device))
        options = ["--device", str(device), "--model", "36", "--processors", "1", "--price", "3", "--country", "276"]
        options += ["--min-duration", "3", "--max-duration", "600"]
        event = only_event(quick.json("node", "register", *options, keypair=place.file("supplier")))
        quick.json("stake", "add", event["node"], "200", keypair=place.file("supplier"))
        made.append(event["node"])
    quick.json("node", "pause", made[-1], keypair=place.file("supplier"))
    return made


def opened(shell: Shell, town: Town) -> str:
    receipt = shell.json("cluster", "open", "2", keypair=town.file("renter"))
    return str(only_event(receipt)["cluster"])


def test_many_nodes_from_a_file_with_tables(quick: Shell, place: Town, nodes: list[str]) -> None:
    renter, listed = place.file("renter"), place.folder / "nodes.txt"
    listed.write_text("\n".join(["", *nodes, ""]))
    assert quick.json("table", "list", keypair=renter) == []
    book = ["cluster", "add", opened(quick, place), "--nodes-from", str(listed), "--duration", "12"]
    booked = quick.json(*book, "--tables", "make", keypair=renter)
    assert list(booked["leases"]) == nodes[:-1]
    assert "(NodePaused, " in booked["left_out"][nodes[-1]]
    assert [len(receipt["events"]) for receipt in booked["receipts"]] == [MANY - 1]
    [table] = quick.json("table", "list", keypair=renter)
    assert table["active"] is True
    assert table["addresses"] > MANY

    # Nobody can be booked twice: then nothing is done, and the command says so.
    result = quick.run(*book, keypair=renter)
    assert result.returncode == 3
    assert result.stdout == ""
    assert result.stderr.count("left out  ") == MANY
    assert result.stderr.splitlines()[-1] == f"error: no node could be booked: {MANY} were left out"

    assert list(quick.json("table", "close", keypair=renter)["cooling"]) == [table["address"]]
    assert quick.json("table", "list", keypair=renter)[0]["active"] is False
    done = quick.json("table", "close", "--wait", keypair=renter)
    assert done == {"closed": [table["address"]], "cooling": {}}
    assert quick.json("table", "list", keypair=renter) == []


def test_budget_that_ends_fails(quick: Shell, place: Town, nodes: list[str]) -> None:
    """What was booked before is printed, the reason is the error."""
    renter, cluster = place.file("renter"), opened(quick, place)
    quick.json("cluster", "withdraw", cluster, "1.999999", keypair=renter)
    quick.json("node", "resume", nodes[-1], keypair=place.file("supplier"))
    result = quick.run("cluster", "add", cluster, nodes[-1], "--duration", "12", keypair=renter)
    assert result.returncode == 3
    assert result.stdout == ""
    assert result.stderr.startswith("error: The cluster's free budget does not cover this. (BudgetTooSmall, 6042): ")


def test_no_nodes_fails(quick: Shell, place: Town) -> None:
    missing = str(place.folder / "missing.txt")
    for options, message in (([], "no node to book"), (["--nodes-from", missing], "cannot read")):
        code, said = quick.refused("cluster", "add", place.address("renter"), "--duration", "12", *options)
        assert (code, message in said) == (1, True)

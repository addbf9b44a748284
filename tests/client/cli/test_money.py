"""What a named cluster costs, more time for it, and its receipt, also when it is over."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client.cli.test_commands_over_time import prove
from client.cli.test_receipt_and_stop import nodes, opened, started
from client.cli.village import Village
from ionet.cli.named import names_file
from ionet.client import Client
from ionet.receipt import Bill
from ionet.renting.bills import BillRefused, verify
from ionet.renting.names import Named
from msgspec import convert
from solders.pubkey import Pubkey

__all__ = ["nodes"]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def called(name: str, village: Village, cluster: str) -> None:
    url = village.shell.url
    names_file().add(
        name, Named(cluster, url, village.address("renter"), "http://127.0.0.1:1", "http://127.0.0.1:1", 1)
    )


def test_a_clusters_money_by_its_name(village: Village, nodes: dict[str, str], tmp_path: Path) -> None:
    cluster = opened(village)
    leases = [started(village, cluster, nodes[device], device) for device in ("device", "second")]
    called("mine", village, cluster)
    before = village.json("renter", "cost", "mine")
    assert (before["nodes"], before["hourly"], before["spent"]) == (2, "12000000", "0")
    assert int(before["locked"]) + int(before["free"]) == 5_000_000

    # More time for all, out of what is free; too much is refused, and nothing is sent unasked.
    asked = village.shell.run("extend", "mine", "1m", keypair=village.file("renter"))
    assert (asked.returncode, "2 nodes for 1 min more: 0.2005 IOSD at most" in asked.stderr) == (1, True), asked.stderr
    longer = village.json("renter", "extend", "mine", "1m", "--yes")
    after = village.json("renter", "cost", "mine")
    assert int(after["locked"]) - int(before["locked"]) == int(longer["cost"]) == 200_500
    assert after["until"] == before["until"] + 60 == longer["until"]
    code, said = village.refused("renter", "extend", "mine", "3h", "--yes")
    assert (code, "36.09 IOSD needed, " in said, "--budget" in said) == (1, True, True), said

    prove(village, leases[0], nodes["device"], 0)
    early = village.shell.run("receipt", "mine", "--json")
    assert "you paid so far 0 IOSD" in village.shell.run("receipt", "mine").stdout
    village.json("renter", "cluster", "stop", cluster, "--no-wait", "--yes")
    village.pass_time(100)
    done = village.json("renter", "cluster", "stop", cluster, "--yes")
    [closed] = [e for receipt in done["receipts"] for e in receipt["events"] if e["event"] == "ClusterClosed"]
    names_file().close("mine")

    # Over, and still found by its name, or by its address.
    bills = village.json(None, "receipt", "mine")
    assert bills == village.json(None, "receipt", cluster)
    assert [bill["lease"] for bill in bills] == leases
    total = sum(int(bill["total"]) for bill in bills)
    assert total == int(closed["paid"]) + int(closed["fees"]) > 0
    rows = list(csv.DictReader(io.StringIO(village.shell.run("receipt", "mine", "--csv").stdout)))
    assert [(row["lease"], row["served_secs"]) for row in rows] == [(leases[0], "3")]
    assert "2 leases, you paid " in village.shell.run("receipt", "mine").stdout

    # What was saved is what the chain has, or it is said that it is not.
    saved = tmp_path / "saved.json"
    for text in (early.stdout, json.dumps(bills)):
        saved.write_text(text)
        checked = village.shell.run("receipt", "mine", "--verify", str(saved))
        assert (checked.returncode, checked.stdout) == (0, "2 leases, all as the chain has them\n"), checked.stderr
    saved.write_text(json.dumps(bills[1:]))
    code, said = village.refused(None, "receipt", "mine", "--verify", str(saved))
    assert (code, "the chain does not have what the receipt says: lease " in said) == (6, True), said
    asyncio.run(refuse_all(village, cluster, bills))
    saved.write_text(json.dumps(bills[:1]))
    checked = village.shell.run("receipt", "mine", "--verify", str(saved))
    assert checked.stdout.startswith("1 lease, all as the chain has them; 1 were booked later, or are left out")
    for text, why in (("{}", "no receipt in JSON"), ("[]x", "no receipt in JSON")):
        saved.write_text(text)
        assert why in village.refused(None, "receipt", "mine", "--verify", str(saved))[1]


async def refuse_all(village: Village, cluster: str, bills: list[dict[str, Any]]) -> None:
    async with Client(village.shell.url) as client:
        assert await verify(client, Pubkey.from_string(cluster), convert(bills, list[Bill])) == len(bills)
        for what, altered in alterations(bills):
            with pytest.raises(BillRefused):
                assert not await verify(client, Pubkey.from_string(cluster), convert(altered, list[Bill])), what


def alterations(bills: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What somebody could write into a receipt, one of each kind of field at a time."""
    yield "one left out", bills[1:]
    yield "one twice", [bills[0], *bills]
    yield "another order", bills[::-1]
    for name in ("node", "currency", "price", "processors", "started_at", "end_reason", "closed_at", "total", "burned"):
        yield name, [{**bills[0], name: other(bills[0][name])}, bills[1]]
    for part in ("lines", "payments"):
        first, *rest = bills[0][part]
        yield part, [{**bills[0], part: rest}, bills[1]]
        for name in first:
            yield f"{part}: {name}", [{**bills[0], part: [{**first, name: other(first[name])}, *rest]}, bills[1]]


def other(value: Any) -> Any:
    """Something else of the same kind."""
    if isinstance(value, int):
        return value + 1
    return "1" if value is None else str(int(value) + 1) if value.isdecimal() else value[::-1]


def test_a_receipt_of_nothing_is_refused(village: Village) -> None:
    code, said = village.refused(None, "receipt", "none")
    assert (code, "no cluster is called 'none'" in said) == (1, True), said
    code, said = village.refused(None, "receipt", village.address("guest"))
    assert code == 1, said

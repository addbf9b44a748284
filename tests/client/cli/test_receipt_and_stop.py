"""The receipt of a lease adds up to the unit, open or closed; one command winds a cluster up."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from typing import Any

import pytest
from client.cli.test_commands_over_time import prove
from client.cli.village import T4, Village
from ionet.client import Client
from ionet.generated.accounts import Lease
from ionet.generated.enums import LeaseStatus
from ionet.stopping import stop
from ionet.wallet import KeypairSigner, read_keypair, write_keypair
from msgspec.structs import replace
from solders.keypair import Keypair
from solders.pubkey import Pubkey

INTERVALS = 4


@pytest.fixture(scope="module")
def nodes(village: Village) -> dict[str, str]:
    """Hireable nodes by the name of their device's key."""
    made = {}
    for device in ("device", "second", "third"):
        if not village.file(device).exists():
            write_keypair(village.file(device), Keypair())
            village.json(device, "keys", "airdrop", "1")
        terms = ["--price", "3", "--country", "DE", "--min-duration", "3", "--max-duration", "600"]
        options = ["--device", str(village.file(device)), "--model", T4, "--processors", "2", *terms]
        made[device] = str(village.event("supplier", "node", "register", *options)["node"])
        village.json("supplier", "stake", "add", made[device], "400")
    village.json("renter", "iosd", "mint-exact", "20")
    return made


def opened(village: Village) -> str:
    return str(village.event("renter", "cluster", "open", "5", "--session-key", village.address("session"))["cluster"])


def booked(village: Village, cluster: str, node: str) -> str:
    (receipt,) = village.json("renter", "cluster", "add", cluster, node, "--duration", "30s")["receipts"]
    return str(receipt["events"][0]["lease"])


def started(village: Village, cluster: str, node: str, device: str) -> str:
    lease = booked(village, cluster, node)
    village.json("supplier", "lease", "ready", lease, "--device", str(village.file(device)))
    village.json("renter", "lease", "accept", lease)
    return lease


def sums(bill: dict[str, Any]) -> dict[str, int]:
    """What the lines and payments of a receipt add up to."""
    paid = [line for line in bill["lines"] if line["paid_in"]]
    of = {
        name: sum(int(payment[name]) for payment in bill["payments"]) for name in bill["payments"][0] if name[0] != "t"
    }
    assert sum(int(line["amount"]) for line in paid) == of["intervals"]
    return of


def test_the_receipt_adds_up_to_what_the_cluster_paid(village: Village, nodes: dict[str, str]) -> None:
    cluster = opened(village)
    lease = started(village, cluster, nodes["device"], "device")
    for interval in range(INTERVALS):
        prove(village, lease, nodes["device"], interval)
    open_bill = village.json(None, "lease", "receipt", lease)
    assert (open_bill["closed_at"], open_bill["total"], open_bill["payments"]) == (None, "0", [])
    assert [(line["interval"], line["served_secs"], line["paid_in"]) for line in open_bill["lines"]] == [
        (number, 3, None) for number in range(INTERVALS)
    ]

    # One question, and nothing happens without an answer.
    renter = village.file("renter")
    asked = village.shell.run("cluster", "stop", cluster, keypair=renter)
    assert (asked.returncode, "End all of them now" in asked.stderr) == (1, True)
    assert "1 lease open, 5 IOSD are in the budget" in asked.stderr
    first = village.json("renter", "cluster", "stop", cluster, "--no-wait", "--yes")
    assert (first["closed"], list(first["waiting"])) == (False, [lease])
    assert first["receipts"][0]["events"][0]["event"] == "LeaseEnded"
    village.pass_time(30)
    last = village.json("renter", "cluster", "stop", cluster, "--yes")
    events = {event["event"]: event for receipt in last["receipts"] for event in receipt["events"]}
    assert last["closed"] is True
    assert {"LeaseSettled", "LeaseClosed", "ClusterClosed"} <= events.keys()

    bill = village.json(None, "lease", "receipt", lease)
    closed = events["ClusterClosed"]
    assert int(bill["total"]) == int(closed["paid"]) + int(closed["fees"]) > 0
    assert int(closed["refunded"]) == 5_000_000 - int(bill["total"])
    assert int(bill["to_supplier"]) == int(closed["paid"])
    assert int(bill["fees"]) + int(bill["burned"]) == int(closed["fees"])
    assert bill["closed_at"] == int(events["LeaseClosed"]["at"])
    assert (bill["currency"], bill["end_reason"], len(bill["lines"])) == ("IOSD", "renter", INTERVALS)
    of = sums(bill)
    assert of["price"] - of["supplier_fee"] == of["supplier_amount"]
    assert of["intervals"] <= of["price"]
    settlements = {receipt["signature"] for receipt in [*first["receipts"], *last["receipts"]]}
    assert {line["paid_in"] for line in bill["lines"]} <= settlements

    rows = list(csv.DictReader(io.StringIO(village.shell.run("lease", "receipt", lease, "--csv").stdout)))
    assert [row["amount"] for row in rows] == [line["amount"] for line in bill["lines"]]
    assert [row["paid_in"] for row in rows] == [line["paid_in"] for line in bill["lines"]]
    shown = village.shell.run("lease", "receipt", lease).stdout
    assert "you paid" in shown
    assert "3 IOSD/h for each of 2 processors" in shown
    assert "not both" in village.refused("renter", "lease", "receipt", lease, "--csv", "--json")[1]
    assert "no such account" in village.refused("renter", "lease", "receipt", cluster)[1]
    code, said = village.refused("renter", "lease", "show", lease)
    assert code == 1
    assert re.fullmatch(rf"error: lease {lease} was closed at [\d: -]+ UTC; see `ionet lease receipt {lease}`\n", said)


def test_stop_takes_leases_in_every_state(village: Village, nodes: dict[str, str]) -> None:
    """One runs and proves nothing, one is ready, one is only booked: it waits until its deadline has passed."""
    cluster = opened(village)
    running = started(village, cluster, nodes["device"], "device")
    # Named twice it is booked once.
    again = village.json("renter", "cluster", "add", cluster, nodes["second"], nodes["second"], "--duration", "30s")
    ready = again["leases"][nodes["second"]]
    assert len(again["receipts"][0]["events"]) == 1
    village.json("supplier", "lease", "ready", ready, "--device", str(village.file("second")))
    waiting = booked(village, cluster, nodes["third"])
    step = village.json("renter", "cluster", "stop", cluster, "--no-wait", "--yes")
    assert step["closed"] is False
    assert step["waiting"][waiting] == "The deadline has not passed yet."
    assert "only its renter may" in village.refused("guest", "cluster", "stop", cluster, "--yes")[1]
    village.pass_time(300)
    done = village.json("renter", "cluster", "stop", cluster, "--yes")
    assert (done["closed"], done["waiting"]) == (True, {})
    [closed] = [
        event for receipt in done["receipts"] for event in receipt["events"] if event["event"] == "ClusterClosed"
    ]
    bills = [village.json(None, "lease", "receipt", lease) for lease in (running, ready, waiting)]
    assert sum(int(bill["total"]) for bill in bills) == int(closed["paid"]) + int(closed["fees"])
    assert [bill["end_reason"] for bill in bills] == ["renter", "rejected", "not-ready"]
    assert village.refused("renter", "cluster", "stop", cluster, "--yes")[0] == 1


def test_what_others_close_between_look_and_transaction_is_closed(
    village: Village, nodes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = opened(village)
    started(village, cluster, nodes["device"], "device")

    async def work() -> None:
        signer = KeypairSigner(read_keypair(village.file("renter")))
        async with Client(village.shell.url, signer) as client:
            key = Pubkey.from_string(cluster)
            before = await client.lease.all(cluster=key)
            assert len(before) == 1
            for waits in ("--no-wait", "--wait"):
                await asyncio.to_thread(village.json, "renter", "cluster", "stop", cluster, "--yes", waits)
                village.pass_time(300)

            for status in (LeaseStatus.BOOKED, LeaseStatus.ACTIVE, LeaseStatus.ENDED):
                seen = [(address, replace(lease, status=status)) for address, lease in before]

                async def all_of_before(
                    seen: list[tuple[Pubkey, Lease]] = seen, **_: object
                ) -> list[tuple[Pubkey, Lease]]:
                    return seen

                monkeypatch.setattr(client.lease, "all", all_of_before)
                step = await stop(client, key)
                assert (step.closed, step.waiting, step.receipts) == (True, {}, [])

    asyncio.run(work())

"""The API over the story of money and conflicts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from indexer.api_server import client_over, get, items
from indexer.recording import ConflictRecording
from indexer.serving import leaves_of, results_of
from ionet.generated import pdas
from ionet.leaves import send_upload, sign_upload
from ionet.program import PROGRAM
from ionet.rules import merkle
from ionet_indexer.postgres import EmbeddedPostgres
from market import IO, PRICE, USD, key
from solders.pubkey import Pubkey

pytestmark = pytest.mark.matrix

LISTS = (
    *("cases", "approvals", "disputes", "defences", "co-stake-terms", "rewards", "redemptions", "buybacks", "prices"),
    *("owed", "owed-balances", "network-changes", "stakes", "stake-moves", "payments", "clusters", "leases"),
)


@pytest.fixture(scope="module")
def api(server: EmbeddedPostgres, conflicts: ConflictRecording) -> Iterator[httpx2.Client]:
    with client_over(server, "conflicts", conflicts) as client:
        yield client


@pytest.mark.parametrize("name", LISTS)
def test_lists_page_through_everything_once(name: str, api: httpx2.Client) -> None:
    whole, paged = items(api, name), []
    cursor: dict[str, Any] = {}
    for _ in whole:
        page = get(api, name, limit=1, **cursor)
        paged += page["items"]
        cursor = {"cursor": page["next"]}
    assert len(whole) > 0
    assert (paged, page["next"]) == (whole, None)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("disputes", {"outcome": "lost"}),
        ("disputes", {"currency": "DOGE"}),
        ("cases", {"status": "shut"}),
        ("owed", {"owner": "me"}),
        ("prices", {"kind": "guess"}),
        ("network-changes", {"kind": "all"}),
        ("cases/short", {}),
    ],
)
def test_bad_requests_are_problems(path: str, parameters: dict[str, Any], api: httpx2.Client) -> None:
    assert get(api, path, 400, **parameters)["detail"]


def test_every_new_path_is_described(api: httpx2.Client) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    assert {f"/v1/{name}" for name in LISTS} <= set(paths)
    assert all(paths[f"/v1/{name}"]["get"]["description"] for name in LISTS)


def test_disputes_say_what_came_of_them(api: httpx2.Client, conflicts: ConflictRecording) -> None:
    story = conflicts.story
    defended, half = items(api, "disputes", lease=str(story.paid_in_io))
    assert (defended["outcome"], defended["defended_secs"], defended["undefended_secs"]) == ("defended", 6, 0)
    assert (half["outcome"], half["defended_secs"], half["undefended_secs"]) == ("undefended", 3, 3)
    assert int(half["bond"]) == int(half["bond_lost"]) + int(half["bond_returned"])
    (lost,) = items(api, "disputes", currency="USDC")
    assert (lost["lease"], lost["outcome"], lost["bond_lost"]) == (str(story.refunded), "undefended", "0")
    assert lost["bond_returned"] == lost["bond"]
    (still,) = items(api, "disputes", outcome="open")
    assert (still["lease"], still["undefended_to"], still["ended_at"]) == (str(story.disputed), 2, None)
    lease = get(api, f"leases/{story.disputed}")["item"]
    assert (lease["dispute_from"], lease["dispute_to"], lease["disputed_secs"]) == (1, 2, 3)
    assert [each["lease"] for each in items(api, "leases", disputed="true")] == [str(story.disputed)]
    steps = items(api, "defences", lease=str(story.paid_in_io))
    assert [(step["interval"], step["defended"]) for step in reversed(steps)] == [
        (2, False),
        (1, True),
        (5, False),
        (4, True),
        (3, True),
    ]
    assert get(api, f"leases/{story.refunded}")["item"]["undefended_secs"] == 6


def test_what_nobody_defended_is_burned(api: httpx2.Client, conflicts: ConflictRecording) -> None:
    """Intervals 1 and 2 of 3 s: less than makes a fault."""
    lease = get(api, f"leases/{conflicts.story.refunded}")["item"]
    assert lease["burned"] == str(2 * PRICE * 6 // 3600)
    assert sum(int(each["burned"]) for each in items(api, "payments", lease=lease["lease"])) == int(lease["burned"])
    assert get(api, f"clusters/{lease['cluster']}")["item"]["burned"] == lease["burned"]
    assert lease["paid"] == str(2 * PRICE * 6 // 3600)


def test_intervals_named_on_leaving_are_paid_to_nobody(api: httpx2.Client, conflicts: ConflictRecording) -> None:
    lease = get(api, f"leases/{conflicts.story.left}")["item"]
    assert (lease["end_reason"], lease["currency"], lease["burned_secs"]) == ("unchallenged", "IOSD", 6)
    assert (lease["paid"], lease["burned"]) == (str(2 * PRICE * 3 // 3600), str(2 * PRICE * 6 // 3600))
    assert lease["ended_by"] == get(api, f"nodes/{lease['node']}")["item"]["owner"]
    traced = [trace(api, "device iosd", conflicts.story.left, interval, challenged=False) for interval in range(3)]
    assert [each["dispute"] for each in traced] == [None, "unchallenged", "unchallenged"]
    assert [each["amount"] for each in traced] == [lease["paid"], "0", "0"]
    assert [each["paid"] for each in traced] == [lease["paid"], "0", "0"]


def test_an_interval_is_traced_to_what_was_really_paid_for_it(api: httpx2.Client, conflicts: ConflictRecording) -> None:
    lease = conflicts.story.paid_in_io
    traced = [trace(api, "device io", lease, interval) for interval in range(6)]
    assert [each["dispute"] for each in traced] == [None, "defended", "undefended", "defended", "defended", None]
    assert {each["currency"] for each in traced} == {"IO"}
    # At $2 per IO, 2 processors at $2 an hour are 2 IO an hour.
    assert traced[0]["price"] == str(IO * PRICE // (2 * USD))
    amounts = [int(each["amount"]) for each in traced]
    assert sum(amounts) == int(get(api, f"leases/{lease}")["item"]["paid"]) == 2 * IO * 15 // 3600
    assert [int(each["paid"]) for each in traced] == amounts
    assert amounts[2] == 0
    payments = [each["signature"] for each in reversed(items(api, "payments", lease=str(lease)))]
    settled = [each["settlement"] and payments.index(each["settlement"]["signature"]) for each in traced]
    assert settled == [0, 1, None, 3, 2, 3]


def test_what_is_in_dispute_is_not_paid(api: httpx2.Client, conflicts: ConflictRecording) -> None:
    lease = conflicts.story.disputed
    traced = [trace(api, "device last", lease, interval) for interval in range(1, 4)]
    assert [each["dispute"] for each in traced] == ["open", "defended", None]
    assert [each["paid"] for each in traced] == ["0", "0", "0"]
    assert int(traced[0]["amount"]) > 0


def trace(api: httpx2.Client, device: str, lease: Pubkey, interval: int, *, challenged: bool = True) -> Any:
    """Upload an interval's leaves and trace one of its results."""
    pairs = leaves_of(lease, interval, challenged=challenged)
    numbered = enumerate(pairs)
    hashes = [merkle.leaf(bytes(lease), interval, index, task, result) for index, (task, result) in numbered]
    upload = sign_upload(key(device), lease, interval, merkle.root(hashes), pairs)

    async def send() -> None:
        async with httpx2.AsyncClient() as http:
            await send_upload(http, str(api.base_url), upload)

    asyncio.run(send())
    (found,) = (
        each
        for each in items_of_trace(api, results_of(interval)[0])
        if (each["lease"], each["interval"]) == (str(lease), interval)
    )
    return found


def items_of_trace(api: httpx2.Client, result: bytes) -> list[Any]:
    response = api.get(f"/v1/trace/{merkle.result_hash(result).hex()}")
    assert response.status_code == 200, response.text
    found: list[Any] = response.json()["items"]
    return found


def test_currencies_are_never_added_up(api: httpx2.Client) -> None:
    network = get(api, "network")["item"]
    totals = {each["currency"]: each for each in network["currencies"]}
    assert set(totals) == {"IO", "IOSD", "USDC"}
    for currency, each in totals.items():
        clusters = items(api, "clusters", currency=currency)
        assert each["clusters"] == len(clusters)
        for column in ("deposit", "paid", "burned", "refunded", "escrow"):
            assert int(each[column]) == sum(int(cluster[column]) for cluster in clusters)
        assert int(each["fees"]) == sum(int(cluster["fees"]) - int(cluster["burned"]) for cluster in clusters)
        parts = ("escrow", "paid", "fees", "burned", "refunded")
        assert int(each["deposit"]) == sum(int(each[name]) for name in parts)
    nodes = items(api, "nodes")
    assert sum(int(node["earned_io"]) for node in nodes) == 2 * IO * 15 // 3600
    usdc = sum(int(item["amount"]) for item in items(api, "payments", currency="USDC"))
    iosd = sum(int(item["amount"]) for item in items(api, "payments", currency="IOSD"))
    assert sum(int(node["earned_usdc"]) for node in nodes) == usdc > 0
    assert sum(int(node["earned"]) for node in nodes) == usdc + iosd


def test_what_could_not_be_received_waits(api: httpx2.Client, conflicts: ConflictRecording) -> None:
    (paid,) = items(api, "payments", lease=str(conflicts.story.refunded))
    assert paid["owed"] is True
    claimed, owed = items(api, "owed", owner=paid["payout"])
    assert (owed["reason"], owed["source"], owed["currency"]) == ("payment", str(conflicts.story.refunded), "USDC")
    assert (claimed["kind"], claimed["amount"]) == ("claimed", owed["amount"]) == ("claimed", paid["supplier_amount"])
    (waiting,) = items(api, "owed-balances")
    assert (waiting["owner"], waiting["currency"]) == (str(conflicts.story.waiting), "USDC")
    assert get(api, "network")["item"]["currencies"][2]["owed"] == waiting["amount"]
    (refund,) = items(api, "owed", owner=waiting["owner"])
    assert refund["reason"] == "refund"


def test_fees_that_the_frozen_vault_could_not_receive_waited(api: httpx2.Client, conflicts: ConflictRecording) -> None:
    """Beside the renter's refund, of the same event."""
    network = str(pdas.network(PROGRAM.id))
    (cluster,) = items(api, "clusters", currency="USDC")
    collected, fees = items(api, "owed", owner=network)
    assert (fees["reason"], fees["source"], fees["currency"]) == ("fees", cluster["cluster"], "USDC")
    assert (collected["kind"], collected["amount"]) == ("claimed", fees["amount"]) == ("claimed", cluster["fees"])
    (refund,) = items(api, "owed", owner=str(conflicts.story.waiting))
    assert refund["id"] == fees["id"]


def test_co_stakers_share_what_the_terms_say(api: httpx2.Client, conflicts: ConflictRecording) -> None:
    node = str(conflicts.story.shared.address)
    worse, better = items(api, "co-stake-terms", node=node)
    assert (better["share_before"], better["share"], better["pending_at"]) == (0, 5_000, None)
    assert (worse["share"], worse["pending_share"]) == (5_000, 1_000)
    assert worse["pending_at"] == worse["at"] + 5
    added = list(reversed(items(api, "rewards", node=node, kind="added")))
    assert all(int(each["amount"]) == int(each["to_owner"]) + int(each["to_co_stakers"]) for each in added)
    # Half of the co-stakers' pro-rata part while the old terms bind, a tenth afterwards.
    assert int(added[0]["to_co_stakers"]) == (33 * IO + 1) * 300 // 12_301 // 2
    assert int(added[1]["to_co_stakers"]) < int(added[0]["to_co_stakers"]) // 4
    claims = items(api, "rewards", node=node, kind="claimed")
    stakes = {each["owner"]: each for each in items(api, "stakes", node=node)}
    assert stakes[False]["rewards"] == "0"
    assert items(api, "stakes", owner="false") == [stakes[False]]
    paid = sum(int(each["amount"]) for each in claims if each["wallet"] == stakes[False]["staker"])
    assert int(stakes[False]["rewards_claimed"]) == paid
    item = get(api, f"nodes/{node}")["item"]
    assert (item["flags"], item["vault_closed"], item["co_share_bps"]) == (["retired"], True, 1_000)


def test_cases_and_their_slash(api: httpx2.Client, conflicts: ConflictRecording) -> None:
    cases = items(api, "cases", node=str(conflicts.story.shared.address))
    decided, dismissed = sorted(cases, key=lambda case: int(case["number"]))
    assert (decided["status"], decided["reason"], decided["bps"]) == ("decided", "false-proofs", 500)
    (slash,) = items(api, "slashes", reason="case")
    assert (slash["amount"], slash["lease"]) == (decided["slashed"], None)
    assert (slash["burned"], slash["to_renter"], slash["to_reporter"]) == (slash["amount"], "0", "0")
    assert (dismissed["status"], dismissed["slashed"], dismissed["appealed_at"]) == ("dismissed", "0", None)
    assert get(api, f"cases/{decided['case']}")["item"] == decided
    (refill,) = items(api, "stake-moves", kind="refill")
    assert (refill["amount"], refill["position"]) == (str(20 * IO), None)


def test_the_books_of_iosd(api: httpx2.Client) -> None:
    network = get(api, "network")["item"]
    last, fresh = items(api, "redemptions")
    assert (last["last_rate"], fresh["last_rate"]) == (True, False)
    assert last["price"] == fresh["price"] == network["io_price_high"] == "1992000"
    assert network["io_price"] == "1988000"
    assert int(network["iosd_redeemed"]) == int(last["iosd_burned"]) + int(fresh["iosd_burned"])
    assert int(network["backing"]) == int(network["io_burned_for_iosd"]) - int(network["io_redeemed"])
    assert int(network["iosd_supply"]) == (
        int(network["iosd_minted"]) - int(network["iosd_redeemed"]) - int(network["iosd_fee_burned"])
    )
    (sold,) = items(api, "buybacks")
    assert (sold["io_burned"], sold["usdc_paid"]) == ("1000", str(1_000 * 1_988_000 // IO))
    assert [each["kind"] for each in items(api, "prices")] == ["buyback", "mint", "redeem", "refresh", "mint"]


def test_rules_and_roles_change_in_the_open(api: httpx2.Client) -> None:
    network = get(api, "network")["item"]
    assert network["params"]["reject_floor_secs"] == 12
    assert network["params"]["stake_per_processor"] == str(200 * IO)
    assert (network["pending_role"], network["pending_params_at"]) == ("feed", None)
    (proposed,) = items(api, "network-changes", kind="params-proposed")
    (changed,) = items(api, "network-changes", kind="params-changed")
    assert proposed["params"] == changed["params"] == network["params"]
    assert changed["at"] >= proposed["effective_at"]
    (role,) = items(api, "network-changes", kind="role-changed")
    assert (role["subject"], role["after"]) == ("pauser", network["pauser"])
    assert [each["after"] for each in items(api, "network-changes", kind="model-switched")] == [
        "disabled",
        "enabled",
        "disabled",
    ]
    assert {model["code"]: model["enabled"] for model in items(api, "models")}[2] is False

"""The story of time and trust in the tables and in the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx2
import pytest
from indexer.api_server import RecordedAccounts, client_over, get, items
from indexer.endings import CO_STAKE, MODEL, SHARE
from indexer.recording import EndingRecording
from ionet.program import PROGRAM
from ionet_indexer.core.reader import Reader
from ionet_indexer.pipeline import Pipeline
from ionet_indexer.postgres import EmbeddedPostgres
from ionet_indexer.reconcile import Drift, reconcile
from ionet_indexer.store import Checkpoint, Writer
from market import PRICE, key

pytestmark = pytest.mark.matrix

HOURLY = 2 * PRICE  # of two processors
RENTER, STRANGER = (str(key(name).pubkey()) for name in ("renter", "stranger"))
FEE_BPS = 25
EARLY = 6  # seconds of which nothing is refunded, of the local profile
LISTS = ("income", "income-vaults", "payout-locks", "co-stake-terms", "network-changes", "payments", "leases")


def price(secs: int) -> int:
    return HOURLY * secs // 3600


def fee(amount: int) -> int:
    return -(-amount * FEE_BPS // 10_000)


@pytest.fixture(scope="module")
def api(server: EmbeddedPostgres, endings: EndingRecording) -> Iterator[httpx2.Client]:
    with client_over(server, "endings", endings) as client:
        yield client


def item(api: httpx2.Client, path: str) -> Any:
    return get(api, path)["item"]


async def drift(endings: EndingRecording, writer: Writer, dsn: str, change: str = "") -> list[Drift]:
    """What differs from the accounts, after a change of one row."""
    await writer.start("chain", "program")
    pipeline = Pipeline(writer, PROGRAM.codec)
    transactions = endings.transactions
    await pipeline.commit(transactions, pipeline.decode(transactions), Checkpoint(endings.heads.confirmed, -1))
    if change:
        connection = await asyncpg.connect(dsn)
        try:
            assert await connection.execute(change) == "UPDATE 1"
        finally:
            await connection.close()
    async with Reader.open(dsn) as reader:
        return await reconcile(reader, RecordedAccounts(endings), PROGRAM.codec)


async def test_every_row_agrees_with_its_account(endings: EndingRecording, writer: Writer, dsn: str) -> None:
    assert await drift(endings, writer, dsn) == []


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("nodes", "income", "replace(income::text, '\"unclaimed\":', '\"unclaimed\":1')::json"),
        ("nodes", "income_share_bps", "income_share_bps + 1"),
        ("nodes", "pending_income_share_bps", "0"),
        ("positions", "income", "'[]'"),
        ("clusters", "burned", "0"),
        ("clusters", "fees", "fees - burned"),
        ("leases", "role", "'worker'"),
        ("leases", "started_at", "started_at + 1"),
        ("leases", "unanswered_secs", "1"),
        ("models", "reference_price", "0"),
        ("models", "pending_throughput", "0"),
        ("networks", "pending_params_at", "1"),
    ],
)
async def test_a_wrong_row_is_found(
    table: str, column: str, value: str, endings: EndingRecording, writer: Writer, dsn: str
) -> None:
    sharing = f"node = '{endings.story.sharing.address}'"
    chosen = {
        "nodes": sharing,
        "positions": f"{sharing} AND staker = '{STRANGER}'",
        "leases": f"lease = '{endings.story.running}'",
        "models": f"code = {MODEL}",
    }
    change = f"UPDATE {table} SET {column} = {value} WHERE {chosen.get(table, 'true')}"
    found = await drift(endings, writer, dsn, change)
    assert [(each.table, each.column) for each in found] == [(table, column)]


@pytest.mark.parametrize("name", LISTS)
def test_lists_page_through_everything_once(name: str, api: httpx2.Client) -> None:
    whole, paged = items(api, name), []
    cursor: dict[str, Any] = {}
    for _ in whole:
        page = get(api, name, limit=1, **cursor)
        paged += page["items"]
        cursor = {"cursor": page["next"]}
    assert len(whole) > 1
    assert (paged, page["next"]) == (whole, None)


def test_a_rejected_readiness_burns_the_price_of_its_time(api: httpx2.Client, endings: EndingRecording) -> None:
    lease = item(api, f"leases/{endings.story.rejected}")
    (cancelled,) = items(api, "events", entity=lease["lease"], name="LeaseCancelled")
    waited = int(cancelled["data"]["at"]) - lease["ready_at"]
    assert waited >= 20
    assert (lease["end_reason"], lease["ended_by"], lease["role"]) == ("rejected", RENTER, None)
    assert (lease["burned"], lease["burned_secs"], lease["paid"]) == (str(price(waited)), None, "0")
    locked = price(120) + fee(price(120))
    assert (lease["released"], lease["locked"]) == (str(locked - price(waited)), "0")
    assert item(api, f"nodes/{lease['node']}")["flags"] == []
    assert items(api, "payments", lease=lease["lease"]) == []


def test_a_readiness_that_nobody_answered_is_paid(api: httpx2.Client, endings: EndingRecording) -> None:
    lease = item(api, f"leases/{endings.story.unanswered}")
    amount = price(300)
    assert (lease["end_reason"], lease["ended_by"], lease["role"]) == ("not-accepted", None, None)
    assert (lease["unanswered_secs"], lease["paid"], lease["burned"]) == (300, str(amount), "0")
    (paid,) = items(api, "payments", lease=lease["lease"])
    assert (paid["payable_secs"], paid["amount"]) == ("300", str(amount))
    assert (paid["supplier_amount"], paid["supplier_fee"]) == (str(amount - fee(amount)), str(fee(amount)))
    whole = price(3600)
    assert int(lease["released"]) == whole + fee(whole) - amount - fee(amount)
    assert int(item(api, f"nodes/{lease['node']}")["earned"]) == amount


def test_a_renter_who_ends_early_pays_the_rest_of_the_first_hour(api: httpx2.Client, endings: EndingRecording) -> None:
    lease = item(api, f"leases/{endings.story.early}")
    run = lease["ends_at"] - lease["started_at"]
    assert 3 <= run < EARLY
    assert (lease["end_reason"], lease["ended_by"], lease["rest_secs"]) == ("renter", RENTER, EARLY - run)
    assert (lease["served_secs"], lease["paid"], lease["burned"]) == (str(run), str(price(EARLY)), "0")
    assert {proof["kept"] for proof in items(api, "proofs", lease=lease["lease"], interval=0)} == {True}


def test_income_is_shared_over_all_stake(api: httpx2.Client, endings: EndingRecording) -> None:
    node = item(api, f"nodes/{endings.story.sharing.address}")
    owned = int(node["owner_bonded"])
    net = [price(secs) - fee(price(secs)) for secs in (6, 12)]
    first, both = (each * SHARE // 10_000 for each in net)
    shared = list(reversed(items(api, "income", node=node["node"], kind="shared")))
    assert [int(each["amount"]) for each in shared] == [first, both - first]
    to_co = [amount * CO_STAKE // (owned + CO_STAKE) for amount in (first, both - first)]
    assert [int(each["to_co_stakers"]) for each in shared] == to_co
    assert {(each["lease"], each["currency"], each["owed"]) for each in shared} == {
        (str(endings.story.shared), "IOSD", False)
    }
    paid = list(reversed(items(api, "payments", lease=str(endings.story.shared))))
    assert [int(each["to_stakers"]) for each in paid] == to_co
    assert sum(int(each["supplier_amount"]) for each in paid) == net[1]


def test_a_co_staker_sees_what_is_left_to_claim(api: httpx2.Client, endings: EndingRecording) -> None:
    node = str(endings.story.sharing.address)
    first, second = (int(each["to_co_stakers"]) for each in reversed(items(api, "income", node=node, kind="shared")))
    (claim,) = items(api, "income", wallet=STRANGER)
    assert (claim["kind"], claim["lease"], claim["to_co_stakers"]) == ("claimed", None, None)
    # One position has all the shares: it gets everything but what rounding leaves.
    assert first - 1 <= int(claim["amount"]) <= first
    (stake,) = items(api, "stakes", node=node, owner="false")
    (income,) = stake["income"]
    assert (income["currency"], income["claimed"]) == ("IOSD", claim["amount"])
    assert second - 1 <= int(income["unclaimed"]) <= second
    assert claim["position"] == stake["position"]
    (owner,) = items(api, "stakes", node=node, owner="true")
    assert owner["income"] == []
    left = first + second - int(claim["amount"])
    shown = item(api, f"nodes/{node}")["income"]
    assert [(each["currency"], each["unclaimed"]) for each in shown] == [("IOSD", str(left))]
    (total,) = item(api, "network")["currencies"]
    assert (total["currency"], total["income_unclaimed"]) == ("IOSD", str(left))


def test_vaults_are_opened_and_closed(api: httpx2.Client, endings: EndingRecording) -> None:
    retired = str(endings.story.retired.address)
    closed, opened = items(api, "income-vaults", node=retired)
    assert (closed["kind"], closed["currency"], closed["vault"], closed["surplus"]) == ("closed", "USDC", None, "0")
    assert (opened["kind"], opened["surplus"]) == ("opened", None)
    assert [each["currency"] for each in items(api, "income-vaults", kind="opened")] == ["USDC", "IOSD"]
    assert item(api, f"nodes/{retired}")["income"] == [{"currency": "USDC", "vault": None, "unclaimed": "0"}]


def test_terms_for_co_stakers_name_their_share_of_income(api: httpx2.Client, endings: EndingRecording) -> None:
    node = str(endings.story.sharing.address)
    worse, better = items(api, "co-stake-terms", node=node)
    assert (better["income_share_before"], better["income_share"], better["pending_at"]) == (0, SHARE, None)
    assert (worse["income_share"], worse["pending_income_share"]) == (SHARE, SHARE // 2)
    shown = item(api, f"nodes/{node}")
    assert (shown["income_share_bps"], shown["pending_income_share_bps"]) == (SHARE, SHARE // 2)
    assert (shown["co_share_bps"], shown["pending_co_share_bps"]) == (0, 0)


def test_payouts_are_locked_and_released(api: httpx2.Client, endings: EndingRecording) -> None:
    longer, first = items(api, "payout-locks", node=str(endings.story.locked.address))
    assert (first["kind"], first["until_before"], longer["until_before"]) == ("locked", None, first["until"])
    assert longer["until"] == first["until"] + 1_000
    assert (first["payout"], first["payout_before"], longer["payout_before"]) == (
        STRANGER,
        str(key("admin").pubkey()),
        STRANGER,
    )
    locked = item(api, f"nodes/{endings.story.locked.address}")
    assert (locked["payout"], locked["payout_locked_until"]) == (STRANGER, longer["until"])
    (released,) = items(api, "payout-locks", kind="released")
    assert (released["node"], released["until"]) == (str(endings.story.released.address), None)
    assert released["until_before"] == first["until"]
    assert item(api, f"nodes/{released['node']}")["payout_locked_until"] is None


def test_the_owners_ticket_waits_for_the_lease_that_runs(api: httpx2.Client, endings: EndingRecording) -> None:
    running = item(api, f"leases/{endings.story.running}")
    (stake,) = items(api, "stakes", node=running["node"])
    (ticket,) = stake["tickets"]
    assert ticket["lease_over_by"] >= running["ends_at"]


def test_burned_time_is_no_fee(api: httpx2.Client, endings: EndingRecording) -> None:
    burned = int(item(api, f"leases/{endings.story.rejected}")["burned"])
    (cluster,) = items(api, "clusters")
    (total,) = item(api, "network")["currencies"]
    assert int(cluster["burned"]) == int(total["burned"]) == burned > 0
    fees = sum(int(each["supplier_fee"]) + int(each["renter_fee"]) for each in items(api, "payments"))
    assert int(cluster["fees"]) == fees + burned
    assert int(total["fees"]) == fees
    parts = ("escrow", "paid", "fees", "burned", "refunded")
    assert int(total["deposit"]) == sum(int(total[name]) for name in parts)


def test_terms_of_a_model_change_in_the_open(api: httpx2.Client) -> None:
    (changed,) = items(api, "network-changes", kind="model-changed")
    second, first = items(api, "network-changes", kind="model-proposed")
    assert changed["params"] == first["params"]
    assert (changed["params"]["multiplier"], changed["params"]["reference_price"]) == (777, "1500000")
    assert changed["at"] >= first["effective_at"] == first["at"] + 8
    assert second["params"] == changed["params"] | {"throughput": "5"}
    (model,) = (each for each in items(api, "models") if each["code"] == MODEL)
    assert (model["model"], model["multiplier"], model["reference_price"]) == (changed["subject"], 777, "1500000")


def test_a_new_authority_starts_with_nothing_pending(api: httpx2.Client) -> None:
    network = item(api, "network")
    assert network["authority"] == STRANGER
    pending = ("pending_role", "pending_role_value", "pending_role_at", "pending_params", "pending_params_at")
    assert {network[name] for name in pending} == {None}
    (model,) = (each for each in items(api, "models") if each["code"] == MODEL)
    pending = ("pending_at", "pending_pool", "pending_multiplier", "pending_throughput", "pending_reference_price")
    assert {model[name] for name in pending} == {None}


def test_an_older_price_does_not_replace_the_one_seen(api: httpx2.Client) -> None:
    older, newer = items(api, "prices")[:2]
    assert (newer["kind"], newer["low_price"], newer["high_price"]) == ("refresh", "2100000", "2100000")
    assert (older["kind"], older["low_price"]) == ("mint", "1900000")
    assert older["publish_time"] == newer["publish_time"] - 5
    network = item(api, "network")
    assert (network["io_price"], network["io_price_high"]) == ("2100000", "2100000")
    assert network["price_published_at"] == newer["publish_time"]

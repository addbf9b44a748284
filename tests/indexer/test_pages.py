"""What an explorer's pages ask: search by anything, a wallet, a node's days, a transaction, a slot."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import asyncpg
import httpx2
import pytest
from indexer.api_server import RecordedAccounts, fill, get, items, served
from indexer.recording import PROGRAM_ID, STORIES, ConflictRecording, EndingRecording, Recording
from ionet.leaves import send_upload, sign_upload
from ionet.rules import merkle
from ionet.rules import reputation as rules
from ionet.rules.reputation import Record
from ionet_indexer.api.days import _days
from ionet_indexer.core.days import DAY
from market import PRICE, key, leaf_hashes, leaves


def kinds(api: httpx2.Client, text: object) -> dict[str, set[str]]:
    """Kind → the keys that were found; every path leads somewhere."""
    found: dict[str, set[str]] = {}
    for each in get(api, "search", q=str(text))["items"]:
        assert api.get(each["path"]).status_code == 200, each
        found.setdefault(each["kind"], set()).add(each["key"])
    return found


def test_an_address_is_found_as_what_it_is(apis: dict[str, httpx2.Client], recording: Recording) -> None:
    api, story = apis["ordinary"], recording.story
    network = get(api, "network")["item"]
    (model,) = (each for each in items(api, "models") if each["code"] == 1)
    (position,) = items(api, "stakes", node=str(story.machines[0].address))
    for kind, address in (
        ("node", story.machines[0].address),
        ("lease", story.served),
        ("cluster", story.cluster),
        ("model", model["model"]),
        ("position", position["position"]),
        ("mint", network["usdc_mint"]),
        ("network", network["network"]),
        ("program", PROGRAM_ID),
        ("wallet", key("renter").pubkey()),
        ("wallet", key("admin").pubkey()),
        ("device-key", story.machines[1].device.pubkey()),
        ("session-key", key("session").pubkey()),
    ):
        assert kinds(api, address) == {kind: {str(address)}}
    # Also by the key that the node had before.
    for name in ("device c", "another device"):
        (found,) = get(api, "search", q=str(key(name).pubkey()))["items"]
        assert (found["kind"], found["path"]) == ("device-key", f"/v1/nodes/{story.machines[2].address}")
    assert kinds(api, key("nobody at all").pubkey()) == {}


def test_hashes_and_signatures_are_found(
    apis: dict[str, httpx2.Client], recording: Recording, endings: EndingRecording
) -> None:
    api, lease, device = apis["ordinary"], recording.story.served, recording.story.machines[0].device
    pairs = leaves([b"fourth"])
    root = merkle.root(leaf_hashes(lease, 1, [b"fourth"]))

    async def upload() -> None:
        async with httpx2.AsyncClient() as http:
            await send_upload(http, str(api.base_url), sign_upload(device, lease, 1, root, pairs))

    asyncio.run(upload())
    assert kinds(api, root.hex()) == {"proof": {root.hex()}}
    assert kinds(api, root.hex().upper()) == {"proof": {root.hex()}}
    task, result = pairs[0]
    assert kinds(api, result.hex()) == {"result": {result.hex()}}
    assert kinds(api, task.hex()) == {"task": {task.hex()}}
    assert kinds(apis["conflicts"], (bytes([1]) * 32).hex()) == {"evidence": {"01" * 32}}
    assert kinds(apis["conflicts"], (bytes([9]) * 32).hex()) == {"appeal": {"09" * 32}}
    report = get(apis["endings"], f"leases/{endings.story.early}")["item"]["report_hash"]
    assert set(kinds(apis["endings"], report)) == {"report"}
    for signature in {event["signature"] for event in items(api, "events")}:
        assert kinds(api, signature) == {"transaction": {signature}}
    assert kinds(api, "1" * 64) == kinds(api, "ff" * 32) == {}


def test_numbers_and_names_are_found(apis: dict[str, httpx2.Client], recording: Recording) -> None:
    api, story = apis["ordinary"], recording.story
    cluster = get(api, f"clusters/{story.cluster}")["item"]
    found = kinds(api, cluster["id"])
    assert cluster["cluster"] in found["cluster"]
    lease = get(api, f"leases/{story.booked}")["item"]
    assert lease["lease"] in kinds(api, lease["number"])["lease"]
    slot = items(api, "events")[0]["slot"]
    assert kinds(api, slot)["slot"] == {str(slot)}
    assert kinds(api, str(2**64 - 1)) == {}
    names = {each["name"] for each in items(api, "models")}
    start = sorted(names)[0][:3].upper()
    assert kinds(api, start)["model"] == {name for name in names if name.upper().startswith(start)}
    assert kinds(api, "%") == kinds(api, "' OR true") == {}
    for bad in ({}, {"q": ""}, {"q": "   "}, {"q": "x" * 89}, {"q": "a", "kind": "node"}, {"q": "\0"}):
        get(api, "search", 400, **bad)


def test_a_transaction_and_a_slot_have_their_events(apis: dict[str, httpx2.Client]) -> None:
    api = apis["conflicts"]
    events = list(reversed(items(api, "events")))
    for signature in {event["signature"] for event in events}:
        own = [event for event in events if event["signature"] == signature]
        item = get(api, f"transactions/{signature}")["item"]
        if own[0] is not events[0]:  # of the first one in the list some may be on the page before
            assert item["events"] == own
        assert (item["slot"], item["signature"]) == (own[0]["slot"], signature)
    slot = events[-1]["slot"]
    assert items(api, f"slots/{slot}") == [event for event in events if event["slot"] == slot]
    first = get(api, f"slots/{slot}", limit=1)
    assert len(first["items"]) == 1
    assert items(api, f"slots/{0}") == []
    get(api, f"slots/{1 << 33}", 400)
    get(api, f"slots/{(1 << 33) - 1}", 404)
    get(api, "transactions/" + "1" * 64, 404)
    get(api, "transactions/short", 400)


@pytest.mark.parametrize("story", STORIES)
def test_an_account_is_what_its_lists_add_up_to(story: str, apis: dict[str, httpx2.Client]) -> None:
    api = apis[story]
    for name in ("admin", "renter", "stranger"):
        wallet = str(key(name).pubkey())
        if (story, name) == ("ordinary", "stranger"):
            get(api, f"accounts/{wallet}", 404)  # who only pushed things for others
            continue
        account = get(api, f"accounts/{wallet}")["item"]
        nodes, clusters = items(api, "nodes", owner=wallet), items(api, "clusters", renter=wallet)
        assert (account["nodes"], account["clusters"]) == (len(nodes), len(clusters))
        assert account["processors"] == sum(node["processors"] for node in nodes)
        rented, kept = items(api, "leases", renter=wallet), items(api, "leases", owner=wallet)
        assert (account["leases_rented"], account["leases_served"]) == (len(rented), len(kept))
        assert account["leases_rented_active"] == sum(lease["status"] == "active" for lease in rented)
        assert account["cases"] == len(items(api, "cases", owner=wallet))
        stakes = items(api, "stakes", staker=wallet)
        assert account["stakes"] == sum(not stake["closed"] for stake in stakes)
        assert ("owner" in account["roles"], "renter" in account["roles"]) == (bool(nodes), bool(clusters))
        sums: Counter[tuple[str, str]] = Counter()
        for cluster in clusters:
            for column, total in (("deposit", "deposit"), ("paid", "spent"), ("burned", "burned"), ("refunded",) * 2):
                sums[cluster["currency"], total] += int(cluster[column])
            sums[cluster["currency"], "fees"] += int(cluster["fees"]) - int(cluster["burned"])
        for lease in kept:
            sums[lease["currency"], "earned"] += int(lease["paid"])
        for each in items(api, "payments", payout=wallet):
            amount = int(each["supplier_amount"]) + int(each["bond"]) - int(each["to_stakers"])
            sums[each["currency"], "received"] += amount
        for stake in stakes:
            sums["IO", "staked"] += int(stake["staked"])
            sums["IO", "withdrawn"] += int(stake["withdrawn"])
        for each in items(api, "rewards", wallet=wallet, kind="claimed"):
            sums["IO", "rewards"] += int(each["amount"])
        for each in items(api, "income", wallet=wallet):
            sums[each["currency"], "income"] += int(each["amount"])
        for path, parts in (
            ("mints", (("IO", "burned_for_iosd", "io_burned"), ("IOSD", "minted", "iosd_minted"))),
            ("redemptions", (("IOSD", "redeemed", "iosd_burned"), ("IO", "redeemed_for", "io_minted"))),
        ):
            for each in items(api, path, wallet=wallet):
                for currency, total, column in parts:
                    sums[currency, total] += int(each[column])
        for each in items(api, "buybacks", seller=wallet):
            sums["IO", "sold"] += int(each["io_burned"])
            sums["USDC", "sold_for"] += int(each["usdc_paid"])
        for each in items(api, "owed-balances", owner=wallet):
            sums[each["currency"], "owed"] += int(each["amount"])
        shown = {
            (each["currency"], name): int(value)
            for each in account["currencies"]
            for name, value in each.items()
            if name != "currency" and int(value)
        }
        assert shown == {place: amount for place, amount in sums.items() if amount}
    get(api, f"accounts/{key('nobody at all').pubkey()}", 404)


@pytest.mark.parametrize("story", STORIES)
def test_days_of_a_node_add_up_to_its_lists(story: str, apis: dict[str, httpx2.Client]) -> None:
    api = apis[story]
    for node in items(api, "nodes"):
        address = node["node"]
        days = get(api, f"nodes/{address}/days", days=92)["items"]
        assert [day["starts_at"] % DAY for day in days] == [0] * len(days)
        proofs = items(api, "proofs", node=address)
        last = {(proof["lease"], proof["interval"]): proof for proof in reversed(proofs)}
        assert sum(day["proofs"] for day in days) == len(proofs)
        assert sum(day["intervals_proven"] for day in days) == len(last)
        assert sum(day["intervals_kept"] for day in days) == sum(proof["kept"] for proof in last.values())
        assert sum(day["served_secs"] for day in days) == sum(proof["served_secs"] for proof in last.values())
        earned: Counter[str] = Counter()
        for day in days:
            for income in day["income"]:
                earned[income["currency"]] += int(income["earned"])
        paid: Counter[str] = Counter()
        for payment in items(api, "payments", node=address):
            paid[payment["currency"]] += int(payment["amount"])
        assert earned == paid
        slashes = items(api, "slashes", node=address)
        assert sum(day["slashes"] for day in days) == len(slashes)
        assert sum(int(day["slashed"]) for day in days) == sum(int(each["amount"]) for each in slashes)
        moves = items(api, "stake-moves", node=address)
        for name, kind in (("staked", "stake"), ("unbonding", "unbond"), ("withdrawn", "withdraw")):
            amount = sum(int(move["amount"]) for move in moves if move["kind"] == kind)
            assert sum(int(day[name]) for day in days) == amount
        ended = [lease for lease in items(api, "leases", node=address) if lease["status"] in ("ended", "closed")]
        run = sum(lease["ends_at"] - lease["started_at"] for lease in ended if lease["started_at"])
        if not node["current_lease"]:
            assert sum(day["metered_secs"] for day in days) == run
    get(api, f"nodes/{key('nobody at all').pubkey()}/days", 404)
    get(api, f"nodes/{address}/days", 400, days=93)


def test_terms_of_a_node_have_a_history(apis: dict[str, httpx2.Client], recording: Recording) -> None:
    api, idle = apis["ordinary"], recording.story.machines[2]
    rotated, updated, registered = items(api, "node-terms", node=str(idle.address))
    assert [each["kind"] for each in (registered, updated, rotated)] == ["registered", "updated", "key-rotated"]
    node = get(api, f"nodes/{idle.address}")["item"]
    same = ("payout", "price", "country", "currencies", "terms_seq", "device_key", "min_duration", "max_duration")
    assert [rotated[name] for name in same] == [node[name] for name in same]
    assert registered["device_key"] == updated["device_key"] != rotated["device_key"]
    assert registered["price"] != updated["price"] == rotated["price"]


def penalty_records(reputation: Any) -> list[tuple[str, str, str]]:
    return [(each["why"], each["kept"], each["unkept"]) for each in reputation["records"]]


@pytest.mark.parametrize("story", STORIES)
def test_a_reputation_can_be_computed_again(story: str, apis: dict[str, httpx2.Client]) -> None:
    api = apis[story]
    for node in items(api, "nodes"):
        found = get(api, f"nodes/{node['node']}/reputation")["item"]
        records = [Record(r["renter"], r["day"], int(r["kept"]), int(r["unkept"])) for r in found["records"]]
        again = rules.reputation(records, today=found["today"], slashed_on=found["slashed_on"])
        assert (found["score"], found["served"], found["kept"]) == (again.score, again.served, str(again.kept))
        assert (found["terms"]["one"], found["time_score"], found["online"]) == (rules.ONE, 0, False)
        slashes = items(api, "slashes", node=node["node"])
        assert found["slashed_on"] == (slashes[0]["at"] // DAY if slashes else None)
        assert found["halved"] is bool(slashes and found["today"] - slashes[0]["at"] // DAY < 90)
    get(api, f"nodes/{key('nobody at all').pubkey()}/reputation", 404)


def test_records_of_a_reputation_are_fees(
    apis: dict[str, httpx2.Client], recording: Recording, endings: EndingRecording, conflicts: ConflictRecording
) -> None:
    """Two processors at $2 an hour; fees of 50 basis points in all."""

    def fees(secs: int, *, bps: int = 50) -> str:
        return str(2 * PRICE * secs * bps // 3600 // 10_000)

    head, worker, _ = recording.story.machines
    api = apis["ordinary"]
    served = get(api, f"nodes/{head.address}/reputation")["item"]
    # Nine seconds served; the node was not ready within the deadline once.
    (forgotten,) = (x for x in items(api, "leases", node=str(head.address)) if x["end_reason"] == "not-ready")
    late = 3 * (forgotten["ready_by"] - forgotten["booked_at"])
    assert sorted(penalty_records(served)) == [("interval", fees(9), "0"), ("promise", "0", fees(late))]
    missed = get(api, f"nodes/{worker.address}/reputation")["item"]
    length = sum(x["ends_at"] - x["starts_at"] for x in get(api, f"leases/{recording.story.missed}/intervals")["items"])
    price = int(get(api, f"nodes/{worker.address}")["item"]["price"])
    assert penalty_records(missed) == [("interval", "0", str(2 * price * length * 50 // 3600 // 10_000))]
    api = apis["conflicts"]
    left = get(api, f"leases/{conflicts.story.left}")["item"]
    found = get(api, f"nodes/{left['node']}/reputation")["item"]
    assert sorted(penalty_records(found)) == [("interval", fees(3), "0"), ("left", "0", fees(2 * 6))]
    usdc = get(api, f"leases/{conflicts.story.refunded}")["item"]
    found = get(api, f"nodes/{usdc['node']}/reputation")["item"]
    assert penalty_records(found) == [("interval", fees(6, bps=450), fees(6, bps=450))]
    io = get(api, f"leases/{conflicts.story.paid_in_io}")["item"]
    found = get(api, f"nodes/{io['node']}/reputation")["item"]
    # In IO at its price in dollars when it was booked: the same fees but for the rounding of the price.
    [(why, kept, unkept)] = penalty_records(found)
    assert (why, int(fees(15)) - 1 <= int(kept) <= int(fees(15)), int(unkept)) == ("interval", True, int(fees(3)))
    api = apis["endings"]
    rejected = get(api, f"leases/{endings.story.rejected}")["item"]
    found = get(api, f"nodes/{rejected['node']}/reputation")["item"]
    cost = int(rejected["burned"]) * 3600 // (2 * PRICE)
    assert ("rejected", "0", fees(3 * cost)) in penalty_records(found)


async def test_where_the_newest_block_has_no_time_the_one_before_tells_it(dsn: str, endings: EndingRecording) -> None:
    """A node may have forgotten it: a lease that runs does not look as if it were over, and its node has its pages."""
    await fill(dsn, endings, RecordedAccounts(endings))
    lease = str(endings.story.running)
    connection = await asyncpg.connect(dsn)
    try:
        with served(dsn) as address, httpx2.Client(base_url=address, timeout=60) as api:
            pages = [f"leases/{lease}/intervals"]
            pages += [f"nodes/{get(api, f'leases/{lease}')['item']['node']}/{page}" for page in ("reputation", "days")]
            before = [get(api, page) for page in pages]
            await connection.execute(
                """INSERT INTO events SELECT max(position) + 1, 'forgotten', 0, 0, NULL, 'Unread', '' FROM events"""
            )
            assert [get(api, page) for page in pages] == before
    finally:
        await connection.close()


class Looked:
    """A row that counts how often it was looked at."""

    times = 0

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> Any:
        Looked.times += 1
        return self._fields[name]


def test_the_days_of_a_node_are_made_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is looked at again for every day that is asked for."""
    monkeypatch.setattr(Looked, "times", 0)
    count = 92
    sums = [Looked(day=day, name="proofs", key="", value=str(day)) for day in range(count) for _ in range(10)]
    runs = [Looked(started_at=day * DAY + 600, until=(day + 1) * DAY + 60) for day in range(-1, count)]
    found = _days(0, count, sums, runs)
    assert [each.metered_secs for each in found] == [60 + DAY - 600] * count
    assert [each.proofs for each in found] == list(range(count))
    assert Looked.times <= 4 * len(sums) + 2 * len(runs)

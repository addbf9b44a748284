"""Governance, cases, co-staking, redemption, other currencies, disputes and owed accounts from the command line.

On a chain of its own, whose clock the tests move.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
from client.cli.village import T4, Village
from ionet.client import Client
from ionet.generated.enums import EndReason
from ionet.rules import challenges, merkle
from ionet.wallet import KeypairSigner, read_keypair, write_keypair
from solders.keypair import Keypair
from solders.pubkey import Pubkey


@pytest.fixture(scope="module")
def node(village: Village) -> str:
    """A hireable T4 machine of the supplier that takes every currency."""
    terms = ["--price", "3", "--country", "276", "--min-duration", "3", "--max-duration", "600"]
    terms += ["--currency", "IO", "--currency", "IOSD", "--currency", "USDC"]
    options = ["--device", str(village.file("device")), "--model", T4, "--processors", "4", *terms]
    address = str(village.event("supplier", "node", "register", *options)["node"])
    village.json("supplier", "stake", "add", address, "1000")
    return address


def test_parameters_and_roles_change_after_the_timelock(village: Village) -> None:
    assert village.json(None, "network", "pending") == []
    code, message = village.refused(None, "network", "propose", "spread_bps")
    assert (code, "is not NAME=VALUE" in message) == (1, True)
    code, message = village.refused(None, "network", "propose", "sprea=4")
    assert (code, "no parameter is called sprea" in message) == (1, True)
    village.json(None, "network", "propose", "spread_bps=40", "tier_secs=20,120,250")
    rows = {row["what"]: row for row in village.json(None, "network", "pending")}
    assert rows.keys() == {"spread_bps", "tier_secs"}
    assert (rows["spread_bps"]["now"], rows["spread_bps"]["proposed"]) == (50, 40)
    code, message = village.refused("guest", "network", "apply")
    assert (code, "TimelockRunning" in message) == (3, True)
    village.json(None, "network", "propose-role", "pauser", village.address("guest"))
    assert village.json(None, "network", "pending")[-1]["proposed"] == village.address("guest")
    assert "pauser" in village.shell.run("network", "pending").stdout
    village.pass_time(5)
    assert village.event("guest", "network", "apply")["event"] == "RoleChanged"
    # What touches stake or redemption waits for everybody who wants to be out: the cooldown and a notice.
    village.pass_time(3)
    assert village.event("guest", "network", "apply")["event"] == "ParamsChanged"
    assert village.json(None, "network", "show")["params"]["spread_bps"] == 40
    assert village.event(None, "network", "disable-model", T4)["enabled"] is False
    assert village.event(None, "network", "enable-model", T4)["enabled"] is True
    code, message = village.refused(None, "network", "propose-model", T4, "price=4")
    assert (code, "no term of a model is called price" in message) == (1, True)
    assert village.event(None, "network", "propose-model", T4, "reference_price=0.4")["reference_price"] == "400000"
    village.pass_time(8)
    assert village.event("guest", "network", "apply-model", T4)["reference_price"] == "400000"


def test_a_case_is_opened_answered_and_dismissed(village: Village, node: str, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence.txt"
    evidence.write_text("it is not a T4")
    digest = hashlib.sha256(evidence.read_bytes()).hexdigest()
    assert (
        "neither a file nor" in village.refused(None, "case", "open", node, "--reason", "other", "--evidence", "x")[1]
    )
    case = village.event(None, "case", "open", node, "--reason", "false-hardware", "--evidence", str(evidence))["case"]
    shown = village.json(None, "case", "show", case)
    assert (shown["accusation"], shown["evidence_hash"]) == ("false-hardware", digest)
    assert [row["address"] for row in village.json(None, "case", "list", "--node", node)] == [case]
    assert village.event("supplier", "stake", "add", node, "7")["event"] == "StakeRefilled"
    assert village.event("supplier", "case", "appeal", case, "--answer", "ab" * 32)["appeal_hash"] == "ab" * 32
    code, message = village.refused(None, "case", "decide", case, "--bps", "10001")
    assert (code, "not a number of basis points" in message) == (1, True)
    assert "NotArbiter" in village.refused("guest", "case", "dismiss", case)[1]
    events = village.json(None, "case", "decide", case, "--bps", "100", "--yes")["events"]
    assert [event["event"] for event in events] == ["CaseDecided", "NodeSlashed"]
    assert village.json("supplier", "stake", "refill", node)["events"][0]["amount"] == "700000000"
    assert village.json(None, "case", "list") == []


def test_co_stakers_share_rewards(village: Village, node: str) -> None:
    assert "not a number of basis points" in village.refused("supplier", "stake", "terms", node, "10001")[1]
    assert village.event("supplier", "stake", "terms", node, "5000")["share"] == 5000
    village.json("guest", "stake", "add", node, "100")
    assert village.event("guest", "stake", "fund", node, "10", "--yes")["amount"] == "1000000000"
    assert int(village.event("renter", "stake", "claim", node, "--staker", village.address("guest"))["amount"]) > 0
    assert int(village.event("supplier", "stake", "claim", node)["amount"]) > 0
    assert "NodeNotRetired" in village.refused("renter", "stake", "push-unbond", node, village.address("guest"))[1]
    assert "NodeNotRetired" in village.refused("renter", "stake", "close-vault", node)[1]
    village.json("guest", "stake", "unbond", node, "100")


def test_iosd_is_minted_and_redeemed(village: Village) -> None:
    village.json("renter", "iosd", "post-price", "2.5")
    assert village.event("renter", "iosd", "mint-exact", "20")["iosd_minted"] == "20000000"
    quote = village.json("renter", "iosd", "quote-redeem", "5")
    redeemed = village.event("renter", "iosd", "redeem", "5")
    assert (redeemed["io_minted"], redeemed["iosd_burned"]) == (quote["io_units"], "5000000")
    assert "PriceStillFresh" in village.refused("renter", "iosd", "redeem", "5", "--last-rate")[1]
    assert "SlippageExceeded" in village.refused("renter", "iosd", "mint-exact", "5", "--maximum", "0.1")[1]
    village.json("renter", "iosd", "post-price", "2.5")
    assert village.event("guest", "iosd", "refresh")["event"] == "PriceRefreshed"
    assert "FeesTooSmall" in village.refused("renter", "iosd", "buyback", "1")[1]


def test_a_budget_can_be_in_any_currency(village: Village, node: str) -> None:
    assert "currency 'EUR'" in village.refused("renter", "cluster", "open", "1", "--currency", "EUR")[1]
    village.json("renter", "iosd", "post-price", "2.5")
    cluster = village.event("renter", "cluster", "open", "10.5", "--currency", "IO")["cluster"]
    shown = village.json(None, "cluster", "show", cluster)
    assert (shown["money"], shown["deposit"]) == ("IO", "1050000000")
    assert "IO" in village.shell.run("cluster", "list").stdout
    (receipt,) = village.json("renter", "cluster", "add", cluster, node, "--duration", "6")["receipts"]
    [booked] = receipt["events"]
    assert booked["price"] == "120000000"
    assert village.event("renter", "cluster", "withdraw", cluster, "0.5")["amount"] == "50000000"
    village.pass_time(121)
    village.json("renter", "lease", "cancel", booked["lease"])
    village.json("renter", "lease", "close", booked["lease"])
    assert village.event("renter", "cluster", "close", cluster, "--yes")["refund"] == "1000000000"
    assert "NotSupplier" in village.refused("guest", "node", "return", node)[1]
    assert village.event("device", "node", "return", node)["after"] == 0


def test_a_readiness_is_rejected(village: Village, node: str) -> None:
    opened = village.event("renter", "cluster", "open", "5")["cluster"]
    (receipt,) = village.json("renter", "cluster", "add", opened, node, "--duration", "30")["receipts"]
    lease = str(receipt["events"][0]["lease"])
    village.json("supplier", "lease", "ready", lease, "--device", str(village.file("device")))
    assert "NotRenterOrSession" in village.refused("guest", "lease", "reject", lease, "--yes")[1]
    rejected = village.event("renter", "lease", "reject", lease, "--yes")
    assert (rejected["reason"], int(rejected["burned"]) > 0) == (EndReason.REJECTED, True)
    village.json("renter", "lease", "close", lease)


def test_a_payout_is_locked_and_released(village: Village, node: str) -> None:
    until = str(2**31 - 1)
    guest = village.address("guest")
    assert "BadLock" in village.refused("supplier", "node", "lock-payout", node, guest, "--until", "1", "--yes")[1]
    assert "BadLock" in village.refused("supplier", "node", "lock-payout", node, guest, "--until", until, "--yes")[1]
    locked = int(village.json(None, "node", "show", node)["registered_at"]) + 86_400
    assert (
        village.event("supplier", "node", "lock-payout", node, guest, "--until", str(locked), "--yes")["payout"]
        == guest
    )
    assert "PayoutNotLocked" in village.refused("supplier", "node", "release-payout", node)[1]
    assert village.event("guest", "node", "release-payout", node)["payout"] == guest
    village.json("supplier", "node", "update", node, "--payout", village.address("supplier"), "--yes")


def test_income_is_shared_in_a_currency(village: Village, node: str) -> None:
    assert "currency 'EUR'" in village.refused("guest", "stake", "open-income", node, "EUR")[1]
    assert village.event("guest", "stake", "open-income", node, "USDC")["event"] == "IncomeVaultOpened"
    assert village.event("supplier", "stake", "terms", node, "5000", "--income", "2500")["income_share"] == 2500
    claim = ("stake", "claim-income", node, "USDC", "--staker", village.address("guest"))
    assert "NothingToClaim" in village.refused("guest", *claim)[1]
    assert "NodeNotRetired" in village.refused("guest", "stake", "close-income", node, "USDC")[1]


def test_dispute_is_defended_and_the_lease_left(village: Village, node: str) -> None:
    lease = running_lease(village, node)
    evidence = [prove(village, lease, node, interval) for interval in range(3)]
    assert "RangeNotDisputable" in village.refused("renter", "lease", "dispute", lease, "0", "3", "--yes")[1]
    disputed = village.event("session", "lease", "dispute", lease, "0", "2", "--yes")
    assert (disputed["served_secs"], disputed["by"]) == (6, village.address("session"))
    proofs = village.json(None, "lease", "proofs", lease)
    assert [(proof["interval"], proof["served_secs"]) for proof in proofs] == [(0, 3), (1, 3), (2, 3)]
    code, message = village.refused("device", "lease", "defend", lease, "1", "--signature", "00")
    assert (code, "64 bytes in hex" in message) == (1, True)
    for interval in (1, 0):
        options = ["--signature", evidence[interval][0], "--path", evidence[interval][1]]
        defended = village.json("device", "lease", "defend", lease, str(interval), *options)
        assert defended["events"][0]["defended"] is True
    assert defended["events"][1]["event"] == "DisputeResolved"
    village.pass_time(6)
    assert int(village.json("guest", "lease", "settle", lease)["events"][-1]["bond_paid"]) > 0
    assert "RangeNotApprovable" in village.refused("renter", "lease", "approve", lease, "--through", "9")[1]
    assert "NotServing" in village.refused("supplier", "lease", "leave", lease, "--yes")[1]
    assert "NotSupplier" in village.refused("guest", "lease", "leave", lease, "--yes")[1]


def test_approve_and_leave(village: Village) -> None:
    """On a node of its own: the other one is taken."""
    write_keypair(village.file("second"), Keypair())
    village.json("second", "keys", "airdrop", "1")
    terms = ["--price", "3", "--country", "276", "--min-duration", "3", "--max-duration", "600"]
    options = ["--device", str(village.file("second")), "--model", T4, "--processors", "4", *terms]
    other = str(village.event("guest", "node", "register", *options)["node"])
    village.json("guest", "stake", "add", other, "800")
    lease = running_lease(village, other, owner="guest", device="second")
    for interval in range(3):
        prove(village, lease, other, interval, device="second")
    approved = village.event("session", "lease", "approve", lease, "--through", "1")
    assert approved["through_interval"] == 1
    ended = village.event("second", "lease", "leave", lease, "--yes")
    assert (ended["event"], ended["reason"]) == ("LeaseEnded", EndReason.UNCHALLENGED)


def test_what_is_owed_is_claimed(village: Village) -> None:
    code, message = village.refused("guest", "keys", "claim", "EUR")
    assert (code, "currency 'EUR'" in message) == (1, True)
    village.json("renter", "keys", "open-owed", "IO", village.address("guest"))
    assert village.json("guest", "keys", "balance")["owed_units"] == {}
    claimed = village.event("guest", "keys", "claim", "IO")
    assert (claimed["owner"], claimed["amount"]) == (village.address("guest"), "0")
    village.json("guest", "keys", "open-owed", "IO")  # their own, by default
    assert village.event("guest", "keys", "claim", "IO")["owner"] == village.address("guest")
    assert {"sol_units", "io_units", "iosd_units", "usdc_units"} < village.json("guest", "keys", "balance").keys()


def running_lease(village: Village, node: str, *, owner: str = "supplier", device: str = "device") -> str:
    """A metered lease of 30 seconds on an IOSD cluster with the session key."""
    opened = village.event("renter", "cluster", "open", "5", "--session-key", village.address("session"))
    (receipt,) = village.json("renter", "cluster", "add", opened["cluster"], node, "--duration", "30")["receipts"]
    lease = str(receipt["events"][0]["lease"])
    village.json(owner, "lease", "ready", lease, "--device", str(village.file(device)))
    village.json("renter", "lease", "accept", lease)
    return lease


def prove(village: Village, lease: str, node: str, interval: int, *, device: str = "device") -> tuple[str, str]:
    """Let an interval pass and prove it. Returns the signature of its challenge and the path of leaf 0, in hex."""
    key = Pubkey.from_string(lease)
    signature = challenges.sign_challenge(read_keypair(village.file("session")), key, interval)
    leaves = [
        challenges.leaf_zero(key, interval, signature),
        merkle.leaf(bytes(key), interval, 1, bytes(32), merkle.result_hash(b"result")),
    ]
    village.pass_time(3)
    machine = KeypairSigner(read_keypair(village.file(device)))

    async def send() -> None:
        async with Client(village.shell.url, machine) as client:
            await client.lease.append_proof(
                Pubkey.from_string(lease),
                machine,
                node=Pubkey.from_string(node),
                interval=interval,
                served_secs=3,
                root=merkle.root(leaves),
                gpu_ms=0,
            )

    asyncio.run(send())
    return signature.hex(), leaves[1].hex()

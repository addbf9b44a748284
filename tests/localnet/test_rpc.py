"""JSON-RPC over HTTP, as bytes on the wire: commitment, transactions, history, blocks."""

from __future__ import annotations

from typing import Any

from ionet_localnet.timeline import BLOCKHASH_AGE, FINALIZED_LAG
from localnet.helpers import (
    SOL,
    pay,
    rich,
    signed,
)
from localnet.wire import Raw, encoded
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


async def test_commitment_levels_lag_by_one_and_by_32(raw: Raw) -> None:
    wallet = str(Keypair().pubkey())
    signature = await raw.ok("requestAirdrop", wallet, SOL)

    async def visible() -> list[bool]:
        seen = []
        for level in ("confirmed", "finalized"):
            config = {"commitment": level, "maxSupportedTransactionVersion": 0}
            found = await raw.ok("getTransaction", signature, config)
            listed = await raw.ok("getSignaturesForAddress", wallet, {"commitment": level})
            balance = await raw.ok("getBalance", wallet, {"commitment": level})
            assert bool(found) == bool(listed) == bool(balance["value"])
            seen.append(bool(found))
        return seen

    async def status() -> Any:
        return (await raw.ok("getSignatureStatuses", [signature]))["value"][0]

    assert await visible() == [False, False]
    assert (await status())["confirmationStatus"] == "processed"
    await raw.ok("localnet_mineBlocks", 1)
    assert await visible() == [True, False]
    assert (await status())["confirmationStatus"] == "confirmed"
    assert (await status())["confirmations"] == 1
    await raw.ok("localnet_mineBlocks", FINALIZED_LAG - 2)
    assert await visible() == [True, False]
    await raw.ok("localnet_mineBlocks", 1)
    assert await visible() == [True, True]
    assert (await status())["confirmationStatus"] == "finalized"
    assert (await status())["confirmations"] is None


async def test_context_slot_is_that_of_the_commitment(raw: Raw) -> None:
    await raw.ok("localnet_mineBlocks", 50)
    slots = [
        (await raw.ok("getBalance", str(Keypair().pubkey()), {"commitment": level}))["context"]["slot"]
        for level in ("processed", "confirmed", "finalized")
    ]
    assert slots == [51, 50, 19]
    assert [await raw.ok("getSlot", {"commitment": level}) for level in ("processed", "confirmed")] == [51, 50]
    assert await raw.ok("getSlot") == 19
    late = await raw.error("getBalance", str(Keypair().pubkey()), {"commitment": "processed", "minContextSlot": 52})
    assert late["code"] == -32016
    assert late["data"] == {"contextSlot": 51}


async def test_versioned_transaction_needs_a_client_that_knows_it(raw: Raw) -> None:
    signature = await raw.ok("requestAirdrop", str(Keypair().pubkey()), SOL)
    await raw.ok("localnet_mineBlocks", 1)
    slot = (await raw.ok("getSignatureStatuses", [signature]))["value"][0]["slot"]
    config = {"commitment": "confirmed"}
    assert (await raw.error("getTransaction", signature, config))["code"] == -32015
    assert (await raw.error("getBlock", slot, config))["code"] == -32015
    newest: dict[str, Any] = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    assert (await raw.ok("getTransaction", signature, newest))["version"] == 0
    assert (await raw.ok("getBlock", slot, newest))["transactions"][0]["version"] == 0


async def test_legacy_transaction_needs_no_version(raw: Raw) -> None:
    payer, chain = rich(raw.net.chain), raw.net.chain
    move = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=Keypair().pubkey(), lamports=SOL))
    blockhash = chain.latest_blockhash()
    message = Message.new_with_blockhash([move], payer.pubkey(), blockhash)
    signature = await raw.send(VersionedTransaction.from_legacy(Transaction([payer], message, blockhash)))
    await raw.ok("localnet_mineBlocks", 1)
    found = await raw.ok("getTransaction", signature, {"commitment": "confirmed"})
    assert "version" not in found
    assert "addressTableLookups" not in found["transaction"]["message"]


async def test_preflight_refuses_replay_old_blockhash_and_bad_signature(raw: Raw) -> None:
    payer, chain = rich(raw.net.chain), raw.net.chain
    transaction = pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL)
    await raw.send(transaction)
    replay = await raw.error("sendTransaction", encoded(transaction), {"encoding": "base64"})
    assert (replay["code"], replay["data"]["err"]) == (-32002, "AlreadyProcessed")
    old = pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL)
    await raw.ok("localnet_mineBlocks", BLOCKHASH_AGE + 1)
    expired = await raw.error("sendTransaction", encoded(old), {"encoding": "base64"})
    assert (expired["code"], expired["data"]["err"]) == (-32002, "BlockhashNotFound")
    assert expired["message"] == "Transaction simulation failed: Blockhash not found"
    good = pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL)
    forged = VersionedTransaction.populate(good.message, [Keypair().sign_message(b"x")])
    assert (await raw.error("sendTransaction", encoded(forged), {"encoding": "base64"}))["code"] == -32003
    broke = pay(chain.latest_blockhash(), payer, Keypair().pubkey(), 10**6 * SOL)
    failed = await raw.error("sendTransaction", encoded(broke), {"encoding": "base64"})
    assert failed["data"]["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert any("insufficient lamports" in line for line in failed["data"]["logs"])
    assert await raw.ok("getTransactionCount") == 2


async def test_without_preflight_what_cannot_land_is_dropped_silently(raw: Raw) -> None:
    payer, chain = rich(raw.net.chain), raw.net.chain
    transaction = pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL)
    for _ in range(3):
        assert await raw.send(transaction, skipPreflight=True) == str(transaction.signatures[0])
    forged = VersionedTransaction.populate(transaction.message, [Keypair().sign_message(b"x")])
    signature = await raw.send(forged, skipPreflight=True)
    assert (await raw.ok("getSignatureStatuses", [signature]))["value"] == [None]
    assert await raw.ok("getTransactionCount") == 2


async def test_simulation_options(raw: Raw) -> None:
    payer, chain, to = rich(raw.net.chain), raw.net.chain, Keypair().pubkey()
    transaction = pay(chain.latest_blockhash(), payer, to, SOL)
    unsigned = VersionedTransaction.populate(transaction.message, [type(transaction.signatures[0]).default()])
    text, base = encoded(unsigned), {"encoding": "base64", "commitment": "processed"}
    result = (await raw.ok("simulateTransaction", text, base | {"accounts": {"addresses": [str(to)]}}))["value"]
    assert result["err"] is None
    assert result["unitsConsumed"] == 150
    assert result["accounts"][0]["lamports"] == SOL
    assert (await raw.error("simulateTransaction", text, base | {"sigVerify": True}))["code"] == -32003
    both = base | {"sigVerify": True, "replaceRecentBlockhash": True}
    assert (await raw.error("simulateTransaction", text, both))["code"] == -32602
    await raw.ok("localnet_mineBlocks", BLOCKHASH_AGE + 1)
    assert (await raw.ok("simulateTransaction", text, base))["value"]["err"] == "BlockhashNotFound"
    replaced = (await raw.ok("simulateTransaction", text, base | {"replaceRecentBlockhash": True}))["value"]
    assert replaced["err"] is None
    assert replaced["replacementBlockhash"]["blockhash"] == str(chain.latest_blockhash())
    assert await raw.ok("getTransactionCount") == 1


async def test_pages_of_history(raw: Raw) -> None:
    payer, chain = rich(raw.net.chain), raw.net.chain
    sent = []
    for i in range(10):
        transaction = pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL + i)
        sent.append(await raw.send(transaction))
        if i % 3 == 2:
            await raw.ok("localnet_mineBlocks", 1)
    await raw.ok("localnet_mineBlocks", 1)
    address, newest_first = str(payer.pubkey()), sent[::-1]

    async def page(**config: Any) -> list[dict[str, Any]]:
        return await raw.ok("getSignaturesForAddress", address, {"commitment": "confirmed", **config})  # type: ignore[no-any-return]

    whole = await page()
    assert [entry["signature"] for entry in whole][:10] == newest_first
    assert [entry["transactionIndex"] for entry in whole][:10] == [0, 2, 1, 0, 2, 1, 0, 3, 2, 1]
    assert [e["signature"] for e in await page(limit=3)] == newest_first[:3]
    assert [e["signature"] for e in await page(limit=3, before=newest_first[2])] == newest_first[3:6]
    assert [e["signature"] for e in await page(until=newest_first[4])] == newest_first[:4]
    assert await page(before=str(Keypair().sign_message(b"never sent"))) == []
    assert (await raw.error("getSignaturesForAddress", address, {"limit": 1001}))["code"] == -32602
    assert (await raw.error("getSignaturesForAddress", address, {"commitment": "processed"}))["code"] == -32602


async def test_memo_is_listed(raw: Raw) -> None:
    payer, chain = rich(raw.net.chain), raw.net.chain
    memo = Instruction(MEMO, b"thanks", [])
    signature = await raw.send(signed(chain.latest_blockhash(), [payer], [memo]))
    await raw.ok("localnet_mineBlocks", 1)
    listed = await raw.ok("getSignaturesForAddress", str(payer.pubkey()), {"commitment": "confirmed"})
    assert (listed[0]["signature"], listed[0]["memo"]) == (signature, "[6] thanks")


async def test_blocks(raw: Raw) -> None:
    payer, chain = rich(raw.net.chain), raw.net.chain
    await raw.ok("localnet_mineBlocks", 1)
    sent = [await raw.send(pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL + i)) for i in range(3)]
    slot = chain.slot
    await raw.ok("localnet_warpToSlot", slot + 10)
    await raw.ok("localnet_mineBlocks", 2)
    config = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    block = await raw.ok("getBlock", slot, config | {"transactionDetails": "signatures"})
    assert block["signatures"] == sent
    assert block["parentSlot"] == slot - 1
    following = await raw.ok("getBlock", slot + 10, config)
    assert following["parentSlot"] == slot
    assert following["previousBlockhash"] == block["blockhash"]
    assert following["blockHeight"] == block["blockHeight"] + 1
    assert following["transactions"] == []
    full = await raw.ok("getBlock", slot, config)
    assert [entry["transaction"]["signatures"][0] for entry in full["transactions"]] == sent
    keys = await raw.ok("getBlock", slot, config | {"transactionDetails": "accounts"})
    first = keys["transactions"][0]["transaction"]["accountKeys"][0]
    assert first == {"pubkey": str(payer.pubkey()), "signer": True, "source": "transaction", "writable": True}
    assert (await raw.error("getBlock", slot + 1, config))["code"] == -32007
    assert (await raw.error("getBlock", slot + 12, config))["code"] == -32004
    assert await raw.ok("getBlocks", slot - 1, slot + 10, {"commitment": "confirmed"}) == [slot - 1, slot, slot + 10]
    assert await raw.ok("getBlocks", slot, {"commitment": "confirmed"}) == [slot, slot + 10, slot + 11]
    assert await raw.ok("getBlocksWithLimit", slot, 2, {"commitment": "confirmed"}) == [slot, slot + 10]
    assert await raw.ok("getBlockTime", slot) == chain.unix_time

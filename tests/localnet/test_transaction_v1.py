"""Transactions of version 1 over the local chain's RPC: up to 4,096 bytes, their budget in the message."""

from __future__ import annotations

from localnet.helpers import SOL, pay, rich
from localnet.wire import Raw, encoded
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, MessageV1, TransactionConfig
from solders.message.v1 import MAX_TRANSACTION_SIZE
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
CONFIG = TransactionConfig(compute_unit_limit=400_000, priority_fee=123)


def long(raw: Raw, payer: Keypair, size: int) -> VersionedTransaction:
    """A transaction of exactly `size` bytes that writes a memo."""
    blockhash = raw.net.chain.latest_blockhash()

    def of(letters: int) -> VersionedTransaction:
        note = Instruction(MEMO, b"x" * letters, [AccountMeta(payer.pubkey(), True, False)])
        return VersionedTransaction(MessageV1.try_compile(payer.pubkey(), [note], blockhash, CONFIG), [payer])

    found = of(size - len(bytes(of(0))))
    assert len(bytes(found)) == size
    return found


async def test_transactions_up_to_4096_bytes_are_taken(raw: Raw) -> None:
    payer = rich(raw.net.chain)
    longest = long(raw, payer, MAX_TRANSACTION_SIZE)
    simulated = await raw.ok("simulateTransaction", encoded(longest), {"encoding": "base64"})
    assert simulated["value"]["err"] is None
    signature = await raw.send(longest)
    await raw.ok("localnet_mineBlocks", 1)
    config = {"commitment": "confirmed", "maxSupportedTransactionVersion": 1}
    found = await raw.ok("getTransaction", signature, config)
    assert (found["version"], found["meta"]["err"]) == (1, None)
    assert found["transaction"]["message"]["transactionConfig"] == {
        "computeUnitLimit": 400_000,
        "heapSize": None,
        "loadedAccountsDataSizeLimit": None,
        "priorityFee": 123,
    }
    assert "addressTableLookups" not in found["transaction"]["message"]
    bytes_back = await raw.ok("getTransaction", signature, config | {"encoding": "base64"})
    assert bytes_back["transaction"] == [encoded(longest), "base64"]


async def test_longer_ones_are_refused(raw: Raw) -> None:
    payer, blockhash = rich(raw.net.chain), raw.net.chain.latest_blockhash()
    too_long = await raw.error(
        "sendTransaction", encoded(long(raw, payer, MAX_TRANSACTION_SIZE + 1)), {"encoding": "base64"}
    )
    assert "too large: 4097 bytes (max: 4096 bytes)" in too_long["message"]
    wide = Instruction(SYSTEM_PROGRAM, bytes(1232), [])
    message = MessageV0.try_compile(payer.pubkey(), [wide], [], blockhash)
    old = await raw.error("sendTransaction", encoded(VersionedTransaction(message, [payer])), {"encoding": "base64"})
    assert "(max: 1232 bytes)" in old["message"]


async def test_a_client_that_knows_less_is_told_which_version_it_needs(raw: Raw) -> None:
    payer = rich(raw.net.chain)
    move = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=Keypair().pubkey(), lamports=SOL))
    blockhash = raw.net.chain.latest_blockhash()
    first = await raw.send(VersionedTransaction(MessageV1.try_compile(payer.pubkey(), [move], blockhash), [payer]))
    zero = await raw.send(pay(blockhash, payer, Keypair().pubkey(), SOL))
    await raw.ok("localnet_mineBlocks", 1)
    slot = (await raw.ok("getSignatureStatuses", [first]))["value"][0]["slot"]
    for version, signature, known in ((1, first, {"maxSupportedTransactionVersion": 0}), (0, zero, {})):
        refused = await raw.error("getTransaction", signature, {"commitment": "confirmed"} | known)
        assert refused["code"] == -32015
        assert refused["message"].endswith(f'"maxSupportedTransactionVersion": {version}')
    newest = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    assert (await raw.error("getBlock", slot, newest))["message"].endswith("1")

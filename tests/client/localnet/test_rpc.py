"""JSON-RPC over HTTP: as bytes on the wire, and through solana-py."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import base58
import httpx2
import pytest
import pytest_asyncio
import zstandard
from client.localnet.helpers import (
    SIGNATURE_FEE,
    SOL,
    mint_tokens,
    new_mint,
    new_token_account,
    pay,
    rich,
    signed,
)
from ionet.localnet import Localnet, LocalnetConfig
from ionet.localnet.execution import MINT_SIZE, TOKEN_ACCOUNT_SIZE, TOKEN_PROGRAM
from ionet.localnet.genesis import rent_exempt
from ionet.localnet.timeline import BLOCKHASH_AGE, FINALIZED_LAG
from solana.exceptions import SolanaRpcException
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import DataSliceOpts, MemcmpOpts, TokenAccountOpts, TxOpts
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


@pytest_asyncio.fixture
async def client(net: Localnet) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(net.rpc_url, Confirmed) as client:
        yield client


class Raw:
    """JSON-RPC without a client library."""

    def __init__(self, net: Localnet, http: httpx2.AsyncClient) -> None:
        self.net = net
        self.http = http

    async def post(self, body: Any, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return (await self.http.post(self.net.rpc_url, content=content, headers=headers)).json()

    async def full(self, method: str, *params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.post({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        assert answer["id"] == 7
        return answer

    async def ok(self, method: str, *params: Any) -> Any:
        answer = await self.full(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    async def error(self, method: str, *params: Any) -> dict[str, Any]:
        return (await self.full(method, *params))["error"]  # type: ignore[no-any-return]

    async def send(self, transaction: VersionedTransaction, **config: Any) -> str:
        return await self.ok("sendTransaction", encoded(transaction), {"encoding": "base64", **config})  # type: ignore[no-any-return]


def encoded(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()


@pytest_asyncio.fixture
async def raw(still: Localnet) -> AsyncIterator[Raw]:
    async with httpx2.AsyncClient() as http:
        yield Raw(still, http)


# solana-py against a chain that moves by itself


async def test_airdrop_send_confirm_and_look_up(client: AsyncClient) -> None:
    wallet, to = Keypair(), Keypair().pubkey()
    drop = (await client.request_airdrop(wallet.pubkey(), 10 * SOL)).value
    await client.confirm_transaction(drop, Confirmed)
    latest = (await client.get_latest_blockhash()).value
    sent = (await client.send_transaction(pay(latest.blockhash, wallet, to, SOL))).value
    status = (await client.confirm_transaction(sent, Confirmed)).value[0]
    assert status is not None
    assert status.err is None
    assert (await client.get_balance(to)).value == SOL
    assert (await client.get_balance(wallet.pubkey())).value == 9 * SOL - SIGNATURE_FEE
    found = (await client.get_transaction(sent, "json", Confirmed, 0)).value
    assert found is not None
    assert found.slot == status.slot
    assert found.transaction.meta is not None
    assert found.transaction.meta.pre_balances[0] == 10 * SOL
    history = (await client.get_signatures_for_address(wallet.pubkey(), commitment=Confirmed)).value
    assert [entry.signature for entry in history] == [sent, drop]
    await client.confirm_transaction(sent, Finalized)
    finalized = (await client.get_signature_statuses([sent])).value[0]
    assert finalized is not None
    assert finalized.confirmations is None


async def test_slots_clock_and_blockhashes_advance(client: AsyncClient, net: Localnet) -> None:
    first = (await client.get_slot(Processed)).value
    first_hash = (await client.get_latest_blockhash(Processed)).value.blockhash
    while (slot := (await client.get_slot(Processed)).value) < first + 5:
        assert slot >= first
    assert (await client.get_latest_blockhash(Processed)).value.blockhash != first_hash
    assert (await client.get_block_time(first)).value is not None
    net.chain.begin_blocks(FINALIZED_LAG)
    assert (await client.get_blocks(first, first + 2)).value == [first, first + 1, first + 2]
    assert (await client.get_block_height(Processed)).value >= first + 5


async def test_tokens_through_solana_py(client: AsyncClient) -> None:
    wallet, mint, account = Keypair(), Keypair(), Keypair()
    await client.confirm_transaction((await client.request_airdrop(wallet.pubkey(), 10 * SOL)).value, Confirmed)
    rents = [
        (await client.get_minimum_balance_for_rent_exemption(size)).value for size in (MINT_SIZE, TOKEN_ACCOUNT_SIZE)
    ]
    setup = [
        *new_mint(wallet, mint, rents[0], 6),
        *new_token_account(wallet, account, rents[1], mint.pubkey(), wallet.pubkey()),
        mint_tokens(mint.pubkey(), account.pubkey(), wallet.pubkey(), 1_234_500),
    ]
    latest = (await client.get_latest_blockhash()).value
    sent = (await client.send_transaction(signed(latest.blockhash, [wallet, mint, account], setup))).value
    await client.confirm_transaction(sent, Confirmed)
    assert (await client.get_token_account_balance(account.pubkey())).value.ui_amount_string == "1.2345"
    assert (await client.get_token_supply(mint.pubkey())).value.amount == "1234500"
    largest = (await client.get_token_largest_accounts(mint.pubkey())).value
    assert [entry.address for entry in largest] == [account.pubkey()]
    for options in (TokenAccountOpts(mint=mint.pubkey()), TokenAccountOpts(program_id=TOKEN_PROGRAM)):
        owned = (await client.get_token_accounts_by_owner(wallet.pubkey(), options)).value
        assert [entry.pubkey for entry in owned] == [account.pubkey()]
    parsed = (await client.get_account_info_json_parsed(account.pubkey())).value
    assert parsed is not None
    shown_data: Any = parsed.data
    assert shown_data.parsed["info"]["tokenAmount"]["amount"] == "1234500"
    shown = (await client.get_transaction(sent, "jsonParsed", Confirmed, 0)).value
    assert shown is not None
    assert shown.transaction.meta is not None
    assert shown.transaction.meta.post_token_balances is not None
    assert shown.transaction.meta.post_token_balances[0].ui_token_amount.amount == "1234500"
    found = await client.get_program_accounts(
        TOKEN_PROGRAM, filters=[TOKEN_ACCOUNT_SIZE, MemcmpOpts(offset=0, bytes=str(mint.pubkey()))], encoding="base64"
    )
    assert [entry.pubkey for entry in found.value] == [account.pubkey()]


async def test_solana_py_reads_accounts_and_cluster(client: AsyncClient, net: Localnet) -> None:
    address, owner = Keypair().pubkey(), Keypair().pubkey()
    net.chain.set_account(address, rent_exempt(b"0123456789", owner))
    plain = (await client.get_account_info(address, Processed)).value
    assert plain is not None
    assert (plain.data, plain.owner) == (b"0123456789", owner)
    cut = (await client.get_account_info(address, Processed, data_slice=DataSliceOpts(offset=2, length=3))).value
    assert cut is not None
    assert cut.data == b"234"
    several = (await client.get_multiple_accounts([address, Keypair().pubkey()], Processed)).value
    assert several[0] is not None
    assert several[0].data == b"0123456789"
    assert several[1] is None
    assert (await client.get_genesis_hash()).value == net.chain.genesis_hash
    assert (await client.get_identity()).value.identity == net.chain.identity
    assert len((await client.get_cluster_nodes()).value) == 1
    assert (await client.get_slot_leader()).value == net.chain.identity
    assert (await client.get_vote_accounts()).value.current == []
    assert (await client.get_epoch_info()).value.epoch == 0
    assert (await client.get_epoch_schedule()).value.slots_per_epoch == 432_000
    assert (await client.get_version()).value.solana_core == "4.1.2"
    assert (await client.get_supply()).value.total > 0
    assert (await client.get_transaction_count()).value == 0
    assert (await client.get_first_available_block()).value == 0
    assert await client.is_connected()


async def test_solana_py_gets_typed_errors(client: AsyncClient) -> None:
    wallet = Keypair()
    await client.confirm_transaction((await client.request_airdrop(wallet.pubkey(), SOL)).value, Confirmed)
    latest = (await client.get_latest_blockhash()).value
    transaction = pay(latest.blockhash, wallet, Keypair().pubkey(), 5 * SOL)
    with pytest.raises((RPCException, SolanaRpcException), match="custom program error: 0x1"):
        await client.send_transaction(transaction)
    simulated = (await client.simulate_transaction(transaction)).value
    assert simulated.err is not None
    assert simulated.logs
    # Without preflight it lands, fails and pays.
    sent = (await client.send_transaction(transaction, TxOpts(skip_preflight=True))).value
    status = (await client.confirm_transaction(sent, Confirmed)).value[0]
    assert status is not None
    assert status.err is not None
    assert (await client.get_balance(wallet.pubkey())).value == SOL - SIGNATURE_FEE


# The wire, on a chain that stands still


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


async def test_account_encodings(raw: Raw) -> None:
    chain, owner = raw.net.chain, Keypair().pubkey()
    short, long = Keypair().pubkey(), Keypair().pubkey()
    chain.set_account(short, rent_exempt(b"short", owner))
    chain.set_account(long, rent_exempt(bytes(1000), owner))

    async def data(address: Pubkey, **config: Any) -> Any:
        return (await raw.ok("getAccountInfo", str(address), {"commitment": "processed", **config}))["value"]["data"]

    assert base58.b58decode(await data(short)) == b"short"
    assert base58.b58decode((await data(short, encoding="base58"))[0]) == b"short"
    assert base64.b64decode((await data(long, encoding="base64"))[0]) == bytes(1000)
    packed = base64.b64decode((await data(long, encoding="base64+zstd"))[0])
    assert zstandard.ZstdDecompressor().decompress(packed) == bytes(1000)
    assert await data(long, encoding="jsonParsed") == [base64.b64encode(bytes(1000)).decode(), "base64"]
    refused = await raw.error("getAccountInfo", str(long), {"commitment": "processed", "encoding": "base58"})
    assert refused["code"] == -32600


async def test_program_account_filters(raw: Raw) -> None:
    chain, owner = raw.net.chain, Keypair().pubkey()
    addresses = [Keypair().pubkey() for _ in range(3)]
    for number, address in enumerate(addresses):
        chain.set_account(address, rent_exempt(bytes([number]) * (10 + number), owner))

    async def found(*filters: Any) -> set[str]:
        config = {"commitment": "processed", "encoding": "base64", "filters": list(filters)}
        return {entry["pubkey"] for entry in await raw.ok("getProgramAccounts", str(owner), config)}

    assert await found() == {str(address) for address in addresses}
    assert await found({"dataSize": 11}) == {str(addresses[1])}
    at_two = base58.b58encode(b"\x02\x02").decode()
    assert await found({"memcmp": {"offset": 3, "bytes": at_two}}) == {str(addresses[2])}
    wanted = {"offset": 3, "bytes": base64.b64encode(b"\x01").decode(), "encoding": "base64"}
    assert await found({"memcmp": wanted}, {"dataSize": 11}) == {str(addresses[1])}
    assert await found({"memcmp": wanted}, {"dataSize": 12}) == set()
    config = {"commitment": "processed", "withContext": True}
    assert len((await raw.ok("getProgramAccounts", str(owner), config))["value"]) == 3


async def test_fee_for_message(raw: Raw) -> None:
    payer, chain = rich(raw.net.chain), raw.net.chain
    transaction = pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL)
    message = base64.b64encode(b"\x80" + bytes(transaction.message)).decode()
    assert (await raw.ok("getFeeForMessage", message, {"commitment": "processed"}))["value"] == SIGNATURE_FEE
    await raw.ok("localnet_mineBlocks", BLOCKHASH_AGE + 1)
    assert (await raw.ok("getFeeForMessage", message, {"commitment": "processed"}))["value"] is None


async def test_cheats_move_time_and_write_accounts(raw: Raw) -> None:
    start = raw.net.chain.unix_time
    assert (await raw.ok("localnet_setClock", start + 1000))["unixTimestamp"] == start + 1000
    moved = await raw.ok("localnet_advance", 40)
    assert (moved["unixTimestamp"], moved["slot"]) == (start + 1040, 102)
    assert (await raw.error("localnet_setClock", start))["code"] == -32602
    assert (await raw.error("localnet_warpToSlot", 50))["code"] == -32000
    address, owner = Keypair().pubkey(), Keypair().pubkey()
    given = {"lamports": SOL, "owner": str(owner), "data": [base64.b64encode(b"x").decode(), "base64"]}
    await raw.ok("localnet_setAccount", str(address), given)
    account = raw.net.chain.get_account(address)
    assert account is not None
    assert (account.lamports, account.owner, account.data) == (SOL, owner, b"x")


async def test_cheats_are_off_unless_asked_for() -> None:
    async with Localnet(LocalnetConfig()) as net, httpx2.AsyncClient() as http:
        assert (await Raw(net, http).error("localnet_advance", 1))["code"] == -32601


async def test_fork_over_rpc(raw: Raw) -> None:
    payer, chain = rich(raw.net.chain), raw.net.chain
    await raw.ok("localnet_mineBlocks", 2)
    sent = {await raw.send(pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL + i)) for i in range(20)}
    await raw.ok("localnet_mineBlocks", 2)
    told = await raw.ok("localnet_fork", 3, {"keep": 0.5, "seed": 3})
    assert set(told["moved"]) | set(told["vanished"]) == sent
    assert told["moved"]
    assert told["vanished"]
    await raw.ok("localnet_mineBlocks", 1)
    listed = await raw.ok("getSignaturesForAddress", str(payer.pubkey()), {"commitment": "confirmed"})
    assert {entry["signature"] for entry in listed[:-1]} == set(told["moved"])
    assert (await raw.error("localnet_fork", 40))["code"] == -32000


async def test_batches_gzip_and_malformed_requests(raw: Raw) -> None:
    health = {"jsonrpc": "2.0", "id": "a", "method": "getHealth"}
    answers = await raw.post([health, {"jsonrpc": "2.0", "id": "b", "method": "nothing"}, 5])
    assert answers[0] == {"jsonrpc": "2.0", "id": "a", "result": "ok"}
    assert [answer["error"]["code"] for answer in answers[1:]] == [-32601, -32600]
    packed = gzip.compress(json.dumps(health).encode())
    assert (await raw.post(packed, **{"content-encoding": "gzip"}))["result"] == "ok"
    # Some clients announce gzip and send plain text.
    assert (await raw.post(health, **{"content-encoding": "gzip"}))["result"] == "ok"
    assert (await raw.post(b"{"))["error"]["code"] == -32700
    assert (await raw.post([]))["error"]["code"] == -32600
    assert (await raw.http.get(raw.net.rpc_url + "/health")).text == "ok"
    options = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    answer = await raw.http.options(raw.net.rpc_url, headers=options)
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("getBalance", []),
        ("getBalance", ["not a key"]),
        ("getBalance", [5]),
        ("getBalance", [str(Pubkey.default()), "finalized"]),
        ("getBalance", [str(Pubkey.default()), {"commitment": "maybe"}]),
        ("getAccountInfo", [str(Pubkey.default()), {"encoding": "morse"}]),
        ("getAccountInfo", [str(Pubkey.default()), {"dataSlice": 3}]),
        ("getMultipleAccounts", [[str(Pubkey.default())] * 101]),
        ("getMultipleAccounts", ["x"]),
        ("getProgramAccounts", [str(Pubkey.default()), {"filters": [{"memcmp": {"offset": -1, "bytes": "1"}}]}]),
        ("getProgramAccounts", [str(Pubkey.default()), {"filters": [{"memcmp": {"offset": 0, "bytes": "0"}}]}]),
        ("getTransaction", ["short"]),
        ("getBlock", [-1]),
        ("getBlock", [2**64]),
        ("getSignatureStatuses", [[7]]),
        ("sendTransaction", ["!!!", {"encoding": "base64"}]),
        ("sendTransaction", ["0", {"encoding": "base58"}]),
        ("sendTransaction", [base64.b64encode(bytes(1300)).decode(), {"encoding": "base64"}]),
        ("sendTransaction", [base64.b64encode(b"junk").decode(), {"encoding": "base64"}]),
        ("requestAirdrop", [str(Pubkey.default()), 2**63]),
        ("requestAirdrop", [str(Pubkey.default()), 1.5]),
        ("getTokenSupply", [str(Pubkey.default())]),
        ("getTokenAccountsByOwner", [str(Pubkey.default()), {}]),
        ("isBlockhashValid", ["x"]),
        ("getFeeForMessage", ["AAAA"]),
        ("localnet_addProgram", [str(Pubkey.default()), "x"]),
    ],
)
async def test_bad_parameters_are_named(raw: Raw, method: str, params: list[Any]) -> None:
    error = await raw.error(method, *params)
    assert error["code"] == -32602, error
    assert error["message"]


async def test_mutated_transactions_never_break_the_node(raw: Raw) -> None:
    draw, chain = random.Random(1), raw.net.chain
    payer = rich(chain)
    codes = set()
    for number in range(400):
        content = bytearray(bytes(pay(chain.latest_blockhash(), payer, Keypair().pubkey(), SOL // 100 + number)))
        for _ in range(draw.randint(0, 3)):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        config = {"encoding": "base64", "skipPreflight": bool(number % 2)}
        answer = await raw.full("sendTransaction", base64.b64encode(content).decode(), config)
        codes.add(answer["error"]["code"] if "error" in answer else 0)
    assert codes <= {0, -32002, -32003, -32602}
    assert {0, -32602} <= codes

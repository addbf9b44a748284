"""JSON-RPC over HTTP: accounts, cheats, forks, and whatever is malformed."""

from __future__ import annotations

import base64
import gzip
import json
import random
from typing import Any

import base58
import httpx2
import pytest
import zstandard
from ionet_localnet import Localnet, LocalnetConfig
from ionet_localnet.genesis import rent_exempt
from ionet_localnet.timeline import BLOCKHASH_AGE
from localnet.helpers import (
    SIGNATURE_FEE,
    SOL,
    pay,
    rich,
)
from localnet.wire import Raw
from solders.keypair import Keypair
from solders.pubkey import Pubkey

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


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

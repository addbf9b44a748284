"""Subscriptions, through solana-py's websocket client and on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from ionet_localnet import Localnet
from ionet_localnet.genesis import rent_exempt, wallet
from ionet_localnet.timeline import FINALIZED_LAG
from localnet.helpers import SOL, pay, rich
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.websocket_api import SolanaWsClient
from solders.keypair import Keypair
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.rpc.responses import (
    AccountNotification,
    LogsNotification,
    ProgramNotification,
    RootNotification,
    SignatureNotification,
    SlotNotification,
)
from solders.system_program import ID as SYSTEM_PROGRAM
from websockets.asyncio.client import ClientConnection, connect

PATIENCE_S = 10


@pytest_asyncio.fixture
async def socket(still: Localnet) -> AsyncIterator[ClientConnection]:
    async with connect(still.ws_url) as connection:
        yield connection


async def tell(socket: ClientConnection, method: str, *params: Any) -> Any:
    """Send a call; its answer must be the next message."""
    await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    answer = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))
    assert answer["id"] == 1
    return answer.get("result", answer.get("error"))


async def hear(socket: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))["params"]


async def silent(socket: ClientConnection) -> bool:
    try:
        await asyncio.wait_for(socket.recv(), 0.1)
    except TimeoutError:
        return True
    return False


async def test_solana_py_is_notified_of_everything(net: Localnet) -> None:
    payer, to = rich(net.chain), Keypair().pubkey()
    async with SolanaWsClient(net.ws_url) as socket, AsyncClient(net.rpc_url, Confirmed) as client:
        await socket.account_subscribe(pubkey=to, commitment=Confirmed, encoding="base64")
        await socket.logs_subscribe(filter_=RpcTransactionLogsFilterMentions(to), commitment=Processed)
        await socket.program_subscribe(program_id=SYSTEM_PROGRAM, commitment=Processed, encoding="base64")
        transaction = pay(net.chain.latest_blockhash(), payer, to, SOL)
        await socket.signature_subscribe(signature=transaction.signatures[0], commitment=Confirmed)
        await socket.slot_subscribe()
        await socket.root_subscribe()
        await client.send_transaction(transaction)
        wanted = {
            AccountNotification,
            LogsNotification,
            ProgramNotification,
            SignatureNotification,
            SlotNotification,
            RootNotification,
        }
        heard: dict[type, Any] = {}
        while wanted - set(heard):
            notification = await asyncio.wait_for(socket.recv(), PATIENCE_S)
            heard.setdefault(type(notification), notification)
        assert heard[AccountNotification].result.value.lamports == SOL
        assert heard[LogsNotification].result.value.signature == transaction.signatures[0]
        assert heard[SignatureNotification].result.value.err is None


@pytest.mark.parametrize(("commitment", "blocks"), [("processed", 0), ("confirmed", 1), ("finalized", FINALIZED_LAG)])
async def test_notifications_wait_for_their_commitment(
    still: Localnet, socket: ClientConnection, commitment: str, blocks: int
) -> None:
    to, config = Keypair().pubkey(), {"commitment": commitment, "encoding": "base64"}
    account = await tell(socket, "accountSubscribe", str(to), config)
    logs = await tell(socket, "logsSubscribe", {"mentions": [str(to)]}, {"commitment": commitment})
    record = still.chain.airdrop(to, SOL)
    second = still.chain.airdrop(to, SOL)
    if blocks > 1:
        still.chain.begin_blocks(blocks - 1)
    if blocks:
        assert await silent(socket)
        still.chain.begin_block()
    heard = [await hear(socket) for _ in range(3 if blocks else 4)]
    values = [entry["result"]["value"] for entry in heard if entry["subscription"] == account]
    # At processed every write is notified, later only the state that the block left.
    assert [value["lamports"] for value in values] == ([2 * SOL] if blocks else [SOL, 2 * SOL])
    signatures = [entry["result"]["value"]["signature"] for entry in heard if entry["subscription"] == logs]
    assert signatures == [str(record.signature), str(second.signature)]
    assert {entry["result"]["context"]["slot"] for entry in heard} == {record.slot}
    assert await silent(socket)


async def test_known_signature_is_answered_first_and_notified_once(still: Localnet, socket: ClientConnection) -> None:
    record = still.chain.airdrop(Keypair().pubkey(), SOL)
    still.chain.begin_block()
    number = await tell(socket, "signatureSubscribe", str(record.signature), {"commitment": "confirmed"})
    told = await hear(socket)
    assert told["subscription"] == number
    assert told["result"] == {"context": {"apiVersion": "4.1.2", "slot": record.slot}, "value": {"err": None}}
    still.chain.begin_blocks(3)
    assert await silent(socket)
    # It ended with its notification.
    assert (await tell(socket, "signatureUnsubscribe", number))["code"] == -32602


async def test_program_subscription_filters(still: Localnet, socket: ClientConnection) -> None:
    owner, match, other = Keypair().pubkey(), Keypair().pubkey(), Keypair().pubkey()
    config = {"commitment": "processed", "encoding": "base64", "filters": [{"dataSize": 3}]}
    await tell(socket, "programSubscribe", str(owner), config)
    still.chain.set_account(other, rent_exempt(b"four", owner))
    still.chain.set_account(Keypair().pubkey(), rent_exempt(b"abc", other))
    still.chain.set_account(match, rent_exempt(b"abc", owner))
    assert (await hear(socket))["result"]["value"]["pubkey"] == str(match)
    assert await silent(socket)


async def test_closed_account_is_notified_as_empty(still: Localnet, socket: ClientConnection) -> None:
    address = Keypair().pubkey()
    still.chain.set_account(address, rent_exempt(b"abc", Keypair().pubkey()))
    await tell(socket, "accountSubscribe", str(address), {"commitment": "processed", "encoding": "base64"})
    still.chain.set_account(address, wallet(0))
    value = (await hear(socket))["result"]["value"]
    assert (value["lamports"], value["data"]) == (0, ["", "base64"])


async def test_long_account_in_base58_does_not_stop_the_chain(still: Localnet, socket: ClientConnection) -> None:
    address = Keypair().pubkey()
    await tell(socket, "accountSubscribe", str(address), {"commitment": "processed"})
    still.chain.set_account(address, rent_exempt(bytes(500), Keypair().pubkey()))
    assert (await hear(socket))["result"]["value"]["data"] == "error: data too large for bs58 encoding"


async def test_slots_roots_and_blocks(still: Localnet, socket: ClientConnection) -> None:
    still.chain.begin_blocks(40)
    await tell(socket, "slotSubscribe")
    still.chain.begin_block()
    slot = still.chain.slot
    assert (await hear(socket))["result"] == {"parent": slot - 1, "root": slot - FINALIZED_LAG, "slot": slot}
    await tell(socket, "slotUnsubscribe", 1)
    await tell(socket, "rootSubscribe")
    still.chain.begin_block()
    assert (await hear(socket))["result"] == still.chain.slot - FINALIZED_LAG
    await tell(socket, "rootUnsubscribe", 2)
    to = Keypair().pubkey()
    config = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    await tell(socket, "blockSubscribe", {"mentionsAccountOrProgram": str(to)}, config)
    record = still.chain.airdrop(to, SOL)
    still.chain.begin_blocks(2)
    value = (await hear(socket))["result"]["value"]
    assert value["slot"] == record.slot
    assert value["block"]["transactions"][0]["transaction"]["signatures"] == [str(record.signature)]


async def test_unsubscribed_is_silent(still: Localnet, socket: ClientConnection) -> None:
    to = Keypair().pubkey()
    number = await tell(socket, "accountSubscribe", str(to), {"commitment": "processed"})
    assert await tell(socket, "accountUnsubscribe", number) is True
    still.chain.airdrop(to, SOL)
    assert await silent(socket)


async def test_after_a_fork_the_new_block_is_notified(still: Localnet, socket: ClientConnection) -> None:
    payer = rich(still.chain)
    still.chain.begin_blocks(10)
    transaction = pay(still.chain.latest_blockhash(), payer, Keypair().pubkey(), SOL)
    await tell(socket, "logsSubscribe", {"mentions": [str(payer.pubkey())]}, {"commitment": "confirmed"})
    still.chain.submit(transaction)
    still.chain.begin_block()
    first = await hear(socket)
    still.chain.begin_blocks(3)
    still.chain.fork(5, lambda _record: True)
    still.chain.begin_block()
    second = await hear(socket)
    assert second["result"]["value"]["signature"] == first["result"]["value"]["signature"]
    assert second["result"]["context"]["slot"] > first["result"]["context"]["slot"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("getHealth", [], -32601),
        ("nothingSubscribe", [], -32601),
        ("accountSubscribe", ["x"], -32602),
        ("logsSubscribe", [{"mentions": []}], -32602),
        ("blockSubscribe", ["some"], -32602),
        ("accountUnsubscribe", [99], -32602),
        ("accountUnsubscribe", ["x"], -32602),
    ],
)
async def test_bad_subscriptions_are_refused(
    socket: ClientConnection, method: str, params: list[Any], code: int
) -> None:
    assert (await tell(socket, method, *params))["code"] == code


async def test_malformed_messages_get_an_error(socket: ClientConnection) -> None:
    for text, code in (("{", -32700), ("5", -32600), ("{}", -32600)):
        await socket.send(text)
        assert json.loads(await socket.recv())["error"]["code"] == code

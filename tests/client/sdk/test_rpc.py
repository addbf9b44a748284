"""Sending under faults: every transaction lands exactly once or certainly never, and every failure is typed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from client.sdk.conftest import Chain
from client.sdk.http_node import answered, node
from client.sdk.parties import IO, hireable_node, party
from ionet.client import Client
from ionet.errors import InstructionFailed, RpcError, RpcUnreachable, TransactionExpired, WalletError
from ionet.generated.enums import NodeFlag
from ionet.generated.errors import NotNodeOwner
from ionet.idl import bundled
from ionet.program import load_program
from ionet.rpc import Rpc
from ionet.wallet import compile_message, sign_all
from ionet_localnet import FaultConfig, Localnet, LocalnetConfig
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer

SOL = 10**9


@asynccontextmanager
async def faulty(faults: FaultConfig) -> AsyncIterator[Client]:
    """A client with a funded wallet on a fast chain with faults."""
    keypair = Keypair()
    async with Localnet(LocalnetConfig(slot_ms=20, faults=faults)) as net, Client(net.rpc_url, keypair) as client:
        client.rpc.resend_every = 0.1
        net.chain.airdrop(keypair.pubkey(), 100 * SOL)
        yield client


def payment(client: Client, to: Pubkey, lamports: int) -> list[Instruction]:
    return [transfer(TransferParams(from_pubkey=client.address, to_pubkey=to, lamports=lamports))]


async def test_lands_exactly_once_under_faults() -> None:
    faults = FaultConfig(drop=0.5, delay=0.5, duplicate=0.5, seed=7)
    async with faulty(faults) as client:
        target = Keypair().pubkey()
        amounts = [SOL + number for number in range(12)]
        sends = [client.send(payment(client, target, amount)) for amount in amounts]
        receipts = await asyncio.gather(*sends)
        assert len({receipt.signature for receipt in receipts}) == len(amounts)
        assert await client.rpc.balance(target) == sum(amounts)
        assert await client.rpc.balance(client.address) == 100 * SOL - sum(amounts) - 5000 * len(amounts)


NOT_YET = {"code": -32004, "message": "Block not available for slot 100"}
SKIPPED = {"code": -32007, "message": "Slot 100 was skipped, or missing due to ledger jump to recent snapshot"}


def said(**outcome: object) -> bytes:
    return answered("200 OK", msgspec.json.encode({"jsonrpc": "2.0", "id": 0, **outcome}).decode())


@pytest.mark.parametrize(
    "newest", [{"error": NOT_YET}, {"error": SKIPPED}, {"result": None}], ids=["not there yet", "skipped", "no time"]
)
async def test_where_the_newest_block_has_no_time_yet_the_one_before_has(newest: dict[str, object]) -> None:
    """across-protocol/sdk#1450."""
    async with node(said(result=100), said(**newest), said(result=1_763_999_999)) as asked, Rpc(asked.url) as rpc:
        assert await rpc.unix_time() == 1_763_999_999
        assert len(asked.asked) == 3


async def test_a_node_that_knows_no_times_is_not_asked_for_ever() -> None:
    async with node(said(result=100), said(error=NOT_YET)) as asked, Rpc(asked.url) as rpc:
        with pytest.raises(RpcError, match="Block not available for slot 100"):
            await rpc.unix_time()
        assert len(asked.asked) == 9
    async with node(said(result=1), said(result=None)) as asked, Rpc(asked.url) as rpc:
        with pytest.raises(RpcError, match="knows no time of its newest blocks"):
            await rpc.unix_time()
        assert len(asked.asked) == 3


async def test_expires_when_it_never_lands_fails() -> None:
    async with faulty(FaultConfig(drop=1.0)) as client:
        target = Keypair().pubkey()
        with pytest.raises(TransactionExpired) as expired:
            await client.send(payment(client, target, SOL))
        assert expired.value.exit_code == 5
        assert await client.rpc.balance(target) == 0


async def test_failure_after_preflight_is_explained_fails() -> None:
    """Both pass preflight while neither has run; the second one then finds the wallet empty."""
    async with faulty(FaultConfig(delay=1.0)) as client:
        target = Keypair().pubkey()
        sends = [client.send(payment(client, target, 60 * SOL + number)) for number in range(2)]
        results = await asyncio.gather(*sends, return_exceptions=True)
        (refused,) = [result for result in results if isinstance(result, Exception)]
        assert isinstance(refused, InstructionFailed)
        assert refused.signature is not None
        assert any("insufficient lamports" in line for line in refused.logs)


async def test_same_bytes_twice_land_once() -> None:
    async with faulty(FaultConfig()) as client:
        assert client.wallet is not None
        target, block = Keypair().pubkey(), await client.rpc.blockhash()
        message = compile_message(client.address, payment(client, target, SOL), block.hash)
        signed = await sign_all(message, [client.wallet])
        first = await client.rpc.send(signed, block.last_valid_block_height)
        second = await client.rpc.send(signed, block.last_valid_block_height)
        assert first == second
        assert await client.rpc.balance(target) == SOL


async def test_more_than_the_wallet_holds_fails() -> None:
    async with faulty(FaultConfig()) as client:
        with pytest.raises(InstructionFailed) as refused:
            await client.send(payment(client, Keypair().pubkey(), 1000 * SOL))
        assert refused.value.signature is None  # it was never sent
        assert await client.rpc.balance(client.address) == 100 * SOL


@pytest.mark.asyncio(loop_scope="session")
async def test_program_error_is_typed_fails(network: Chain) -> None:
    supplier, other = await party(network, 1_000 * IO), await party(network, IO)
    machine = await hireable_node(supplier)
    with pytest.raises(NotNodeOwner) as refused:
        await other.client.node.pause(machine.node)
    assert refused.value.code == 6022
    assert str(refused.value) == "Only the node's owner may do this. (NotNodeOwner, 6022)"
    assert refused.value.program == str(network.client().program.id)
    assert refused.value.index == 1  # behind the compute budget


async def test_no_wallet_fails() -> None:
    async with Localnet(LocalnetConfig()) as net, Client(net.rpc_url) as client:
        with pytest.raises(WalletError, match="only read"):
            await client.node.pause(Pubkey.default())
        assert await client.rpc.slot() >= 0


async def test_unreachable_node_fails() -> None:
    async with Rpc("http://127.0.0.1:1", patience=0.1) as rpc:
        with pytest.raises(RpcUnreachable, match="ConnectError"):
            await rpc.slot()
        with pytest.raises(RpcUnreachable, match="while waiting for"):
            await rpc.confirm(Signature.default(), 10)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "does not speak"),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "does not speak"),
    ],
)
async def test_other_servers_fail(answer: bytes, message: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Rpc(f"http://127.0.0.1:{port}") as rpc:
        with pytest.raises(RpcError, match=message):
            await rpc.slot()


@pytest.mark.asyncio(loop_scope="session")
async def test_unknown_event_does_not_hide_that_it_landed(network: Chain) -> None:
    """A client whose IDL lacks an event leaves it out and still says that the transaction landed."""
    supplier = await party(network, 1_000 * IO)
    machine = await hireable_node(supplier)
    idl = bundled()
    older = msgspec.structs.replace(idl, events=tuple(e for e in idl.events if e.name != "NodeFlagsChanged"))
    async with Client(network.url, supplier.keypair, program=load_program(older)) as client:
        receipt = await client.node.pause(machine.node)
    assert receipt.events == ()
    assert (await supplier.client.node.get(machine.node)).flags == NodeFlag.PAUSED

"""What strangers send in the newest format, and what a wallet elsewhere has signed in it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import ionet.rpc
import pytest
from client.sdk.conftest import SOL
from client.sdk.parties import IO, party
from client.sdk.patient import Patient, Running, running
from client.sdk.test_disputes import defend, device_of, prove
from ionet.chain import FETCHED_AT_ONCE
from ionet.client import Client
from ionet.errors import RpcError, TransactionExpired
from ionet.generated.events import IosdMinted
from ionet.refusals import PreflightFailed
from ionet.rules.disputes import Evidence
from ionet.wallet import compile_message
from ionet_localnet import Localnet, LocalnetConfig
from ionet_localnet.timeline import BLOCKHASH_AGE
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV1, VersionedMessage
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_status import EncodedConfirmedTransactionWithStatusMeta

on_patient = pytest.mark.asyncio(loop_scope="session")


def mention(chain: Patient, stranger: Keypair, key: Pubkey, lamports: int) -> Signature:
    """A payment of a stranger to themselves, as a transaction of version 1 that names `key`."""
    assert chain.net is not None
    local, own = chain.net.chain, stranger.pubkey()
    pay = transfer(TransferParams(from_pubkey=own, to_pubkey=own, lamports=lamports))
    naming = Instruction(pay.program_id, pay.data, [*pay.accounts, AccountMeta(key, False, False)])
    message = MessageV1.try_compile(own, [naming], local.latest_blockhash())
    record = local.submit(VersionedTransaction(message, [stranger]))
    assert record.error is None
    return record.signature


@dataclass
class Named:
    """A lease with two proven intervals, what opens them, and what a stranger sent that names it besides."""

    here: Running
    opens: list[Evidence]
    early: set[Signature]
    late: set[Signature]


async def proven(patient: Patient, around: int = 0) -> Named:
    """`around`: how often a stranger names the lease before its first and after its last proof."""
    here, stranger = await running(patient), (await party(patient, 1)).keypair
    early = {mention(patient, stranger, here.lease, 1_000 + number) for number in range(around)}
    opens = [await prove(patient, here, 0)]
    mention(patient, stranger, here.lease, 1)
    opens.append(await prove(patient, here, 1))
    patient.pass_time(1)
    late = {mention(patient, stranger, here.lease, 2_000 + number) for number in range(around)}
    patient.pass_time(1)
    return Named(here, opens, early, late)


@on_patient
async def test_a_transaction_of_version_1_that_names_a_lease_does_not_hide_its_proofs(patient: Patient) -> None:
    found = await patient.client().lease.proofs((await proven(patient)).here.lease)
    assert [(proof.interval, proof.served_secs) for proof in found] == [(i, s) for i in range(2) for s in (1, 3)]


@on_patient
async def test_a_format_that_is_not_read_yet_hides_nothing_either(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    named = await proven(patient)
    monkeypatch.setattr(ionet.rpc, "MAX_VERSION", 0)
    assert len(await patient.client().lease.proofs(named.here.lease)) == 4
    assert "does not read its format" in caplog.text


@on_patient
async def test_only_what_can_hold_a_proof_is_fetched(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often strangers named the lease before its first proof and after its last one."""
    named, client = await proven(patient, around=40), patient.client()
    fetched: list[Signature] = []
    plain = client.rpc.transaction

    async def counted(signature: Signature) -> EncodedConfirmedTransactionWithStatusMeta | None:
        fetched.append(signature)
        return await plain(signature)

    monkeypatch.setattr(client.rpc, "transaction", counted)
    assert len(await client.lease.proofs(named.here.lease)) == 4
    assert named.late.isdisjoint(fetched)
    assert len(named.early.intersection(fetched)) <= FETCHED_AT_ONCE


@on_patient
@pytest.mark.parametrize("newest", [0, 1], ids=["a format not read yet", "a format that is read"])
async def test_a_disputed_lease_that_strangers_name_is_defended(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, newest: int
) -> None:
    """From the chain's history alone, and named before, among and after the proofs and between the steps."""
    named = await proven(patient, around=3)
    lease, stranger = named.here.lease, (await party(patient, 1)).keypair
    patient.pass_time(2)  # until no later proof of the second interval can come
    await named.here.renter.client.lease.dispute(lease, 0, 2)
    mention(patient, stranger, lease, 3_000)
    monkeypatch.setattr(ionet.rpc, "MAX_VERSION", newest)
    device = await device_of(patient, named.here)
    for interval in (1, 0):
        steps = await defend(device, lease, interval, named.opens[interval])
        assert [(step.interval, step.defended) for step in steps] == [(interval, True)]
        mention(patient, stranger, lease, 4_000 + interval)
    found = await device.lease.get(lease)
    assert (found.dispute_to, found.held_secs, found.undefended_secs) == (0, 0, 0)


@asynccontextmanager
async def wallet_elsewhere() -> AsyncIterator[tuple[Localnet, Client, Keypair]]:
    """A fast chain, a client without a wallet, and a funded one that it knows nothing of."""
    wallet = Keypair()
    async with Localnet(LocalnetConfig(slot_ms=20)) as net, Client(net.rpc_url) as client:
        net.chain.airdrop(wallet.pubkey(), 100 * SOL)
        yield net, client, wallet


def signed(message: VersionedMessage, wallet: Keypair) -> str:
    return base64.b64encode(bytes(VersionedTransaction(message, [wallet]))).decode()


def payment(wallet: Keypair, to: Pubkey) -> Instruction:
    return transfer(TransferParams(from_pubkey=wallet.pubkey(), to_pubkey=to, lamports=SOL))


async def test_a_signed_transaction_of_version_1_is_submitted() -> None:
    async with wallet_elsewhere() as (net, client, wallet):
        to = Keypair().pubkey()
        message = MessageV1.try_compile(wallet.pubkey(), [payment(wallet, to)], net.chain.latest_blockhash())
        receipt = await client.submit(signed(message, wallet))
        assert receipt.fee == 5_000
        assert await client.rpc.balance(to) == SOL


@pytest.mark.parametrize("fee", [0, 1_000])
async def test_a_client_sends_version_1(fee: int) -> None:
    """The budget is part of the message: no instruction of it, and the fee in whole lamports."""
    async with wallet_elsewhere() as (net, _, wallet), Client(net.rpc_url, wallet, version=1) as client:
        to = Keypair().pubkey()
        receipt = await client.send([payment(wallet, to)], priority_fee=fee)
        landed = await client.rpc.landed_transaction(receipt.signature)
        sent = landed.transaction.transaction
        assert isinstance(sent, VersionedTransaction)
        assert isinstance(sent.message, MessageV1)
        assert len(sent.message.instructions) == 1
        limit = sent.message.config.compute_unit_limit
        assert limit is not None
        assert sent.message.config.priority_fee == (-(-limit * fee // 1_000_000) or None)
        assert await client.rpc.balance(to) == SOL


async def test_version_1_has_room_for_what_version_0_refuses() -> None:
    """Thirty payments to new wallets: 2,500 bytes."""
    async with wallet_elsewhere() as (net, _, wallet):
        several = [payment(wallet, Keypair().pubkey()) for _ in range(30)]
        async with Client(net.rpc_url, wallet) as client:
            with pytest.raises(RpcError, match="too large"):
                await client.send(several, priority_fee=0)
        async with Client(net.rpc_url, wallet, version=1) as client:
            assert (await client.send(several, priority_fee=0)).fee == 5_000


async def test_a_wallet_elsewhere_signs_version_1() -> None:
    async with wallet_elsewhere() as (net, client, wallet):
        to = Keypair().pubkey()
        async with Client(net.rpc_url, version=1) as builder:
            plan = await builder.unsigned([payment(wallet, to)], payer=wallet.pubkey())
        message = VersionedTransaction.from_bytes(base64.b64decode(plan.transaction)).message
        assert isinstance(message, MessageV1)
        await client.submit(signed(message, wallet))
        assert await client.rpc.balance(to) == SOL


@on_patient
async def test_the_program_is_called_in_version_1(patient: Patient) -> None:
    someone = await party(patient, 10 * IO)
    async with Client(patient.url, someone.keypair, version=1) as client:
        receipt = await client.batch(client.iosd.mint(10**8), client.iosd.mint(10**8))
    assert [type(record.event) for record in receipt.events] == [IosdMinted, IosdMinted]


async def test_what_was_signed_too_late_is_expired_and_not_refused() -> None:
    async with wallet_elsewhere() as (net, client, wallet):
        to, block = Keypair().pubkey(), net.chain.latest_blockhash()
        text = signed(compile_message(wallet.pubkey(), [payment(wallet, to)], block), wallet)
        net.chain.begin_blocks(BLOCKHASH_AGE + 1)
        with pytest.raises(TransactionExpired) as expired:
            await client.submit(text)
        assert expired.value.exit_code == 5
        assert await client.rpc.balance(to) == 0


async def test_what_landed_long_ago_is_told_so_and_not_expired() -> None:
    async with wallet_elsewhere() as (net, client, wallet):
        to, block = Keypair().pubkey(), net.chain.latest_blockhash()
        text = signed(compile_message(wallet.pubkey(), [payment(wallet, to)], block), wallet)
        first = await client.submit(text)
        net.chain.begin_blocks(3 * BLOCKHASH_AGE)
        assert await client.submit(text) == first
        assert await client.rpc.balance(to) == SOL


async def test_a_known_height_decides_whether_a_refused_blockhash_is_expired() -> None:
    """A node that lags does not know the newest blockhash yet: what names it may still land."""
    async with wallet_elsewhere() as (_net, client, wallet):
        message = compile_message(wallet.pubkey(), [payment(wallet, Keypair().pubkey())], Hash.new_unique())
        transaction = VersionedTransaction(message, [wallet])
        with pytest.raises(PreflightFailed, match="BlockhashNotFound"):
            await client.rpc.send(transaction, 2**40)
        with pytest.raises(TransactionExpired):
            await client.rpc.send(transaction, 0)

"""One lease from registration to closing through the SDK, on a chain, with exact amounts."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass

import pytest
from client.sdk.conftest import SOL, Chain
from ionet import pda
from ionet.client import Client
from ionet.program_errors import NodeBusy, PriceTooHigh, WrongLeaseState
from ionet.types import (
    ClusterClosed,
    ClusterOpened,
    IosdMinted,
    Lease,
    LeaseBooked,
    LeaseClosed,
    LeaseSettled,
    LeaseStarted,
    NodeRegistered,
    NodeTerms,
    ProofAppended,
    Staked,
)
from ionet.wallet import KeypairSigner
from solders.keypair import Keypair
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="session")

IO, IOSD = 10**8, 10**6
T4 = 36
DURATION = 12
ROOT = hashlib.sha256(b"results").digest()


def terms(owner: Pubkey) -> NodeTerms:
    return NodeTerms(
        price=3 * IOSD,
        min_coverage_bps=0,
        min_duration=3,
        max_duration=600,
        payout=owner,
        fee_payer=owner,
        country=276,
        currencies=1,
        region=1,
    )


@dataclass
class Party:
    """Somebody with a wallet and a client of his own."""

    client: Client
    keypair: Keypair


async def party(chain: Chain, io: int) -> Party:
    """A new wallet with SOL and IO, the IO from the genesis supply."""
    keypair = Keypair()
    client = chain.client(keypair)
    await client.rpc.airdrop(keypair.pubkey(), 10 * SOL)
    async with chain.client(chain.treasury) as treasury:
        await treasury.tokens.transfer(pda.io_mint(client.program.id), keypair.pubkey(), io)
    return Party(client, keypair)


async def hireable_node(supplier: Party, device: Keypair) -> Pubkey:
    client = supplier.client
    receipt = await client.node.register(
        KeypairSigner(device), model_code=T4, processors=4, terms=terms(client.address)
    )
    node = receipt.event(NodeRegistered).node
    assert node == client.node.address(device.pubkey())
    needed = await client.node.required_stake(T4, 4)
    assert needed == 800 * IO
    staked = (await client.stake.add(node, needed)).event(Staked)
    assert (staked.amount, staked.bonded_before, staked.bonded_after) == (needed, 0, needed)
    return node


async def chain_time(client: Client, slot: int | None = None) -> int:
    return (await client.rpc.client.get_block_time(slot or await client.rpc.slot())).value or 0


async def wait_until(client: Client, when: int) -> None:
    """Until the chain's clock reaches `when`; fails after a minute."""
    deadline = time.monotonic() + 60
    while await chain_time(client) < when:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_lease_life_ok(network: Chain) -> None:
    supplier, renter = await party(network, 1_000 * IO), await party(network, 100 * IO)
    device, session = Keypair(), Keypair()
    node = await hireable_node(supplier, device)
    client = renter.client

    feed = (await client.network.get()).feed_id
    await client.oracle.post(feed, 250_000_000, conf=100_000, publish_time=await chain_time(client))
    quote = await client.iosd.quote(10 * IO)
    minted = (await client.iosd.mint(10 * IO)).event(IosdMinted)
    assert minted.iosd_minted == quote == await client.iosd.balance()
    # 10 IO at min(2.5, 2.5) - 2 * 0.001 dollars, less 0.5 %.
    assert quote == 24_980_000 - 124_900

    config = hashlib.sha256(b"ray").digest()
    opened = (
        await client.cluster.open(5 * IOSD, session_key=session.pubkey(), session_expires_at=2**40, config_hash=config)
    ).event(ClusterOpened)
    cluster = opened.cluster
    assert opened.deposit == 5 * IOSD
    assert await client.cluster.next_id() == opened.id + 1
    with pytest.raises(PriceTooHigh):
        await client.cluster.add_lease(cluster, node, duration=DURATION, max_price=1)
    booked = (await client.cluster.add_lease(cluster, node, duration=DURATION)).event(LeaseBooked)
    lease = booked.lease
    price = 3 * IOSD * 4 * DURATION // 3600
    fee = -(-price * 25 // 10_000)
    assert booked.reserved_amount == price + fee
    with pytest.raises(NodeBusy) as busy:
        await client.cluster.add_lease(cluster, node, duration=DURATION)
    assert busy.value.exit_code == 3

    signer = KeypairSigner(device)
    await supplier.client.lease.mark_ready(lease, signer, hashlib.sha256(b"report").digest())
    started = (await client.lease.accept_ready(lease, KeypairSigner(session))).event(LeaseStarted)
    assert started.accepted_by == session.pubkey()
    with pytest.raises(WrongLeaseState):
        await client.lease.accept_ready(lease)
    await prove(supplier.client, signer, node, lease, started.at)
    await settle_and_close(client, supplier, lease, cluster, price, fee)
    await client.rpc.close()
    await supplier.client.rpc.close()


async def prove(client: Client, signer: KeypairSigner, node: Pubkey, lease: Pubkey, started: int) -> None:
    """Four intervals of three seconds, each proven in full right at its end."""
    head = bytes(32)
    for interval in range(DURATION // 3):
        await wait_until(client, started + 3 * interval + 3)
        proof = (
            await client.lease.append_proof(
                lease, signer, node=node, interval=interval, served_secs=3, root=ROOT, gpu_ms=7
            )
        ).event(ProofAppended)
        packed = interval.to_bytes(4, "little") + (3).to_bytes(4, "little") + (7).to_bytes(8, "little")
        head = hashlib.sha256(head + packed + ROOT).digest()
        assert (proof.interval, proof.served_secs, proof.proof_head) == (interval, 3, head)
    assert (await client.lease.get(lease)).proof_head == head


async def settle_and_close(
    client: Client, supplier: Party, lease: Pubkey, cluster: Pubkey, price: int, fee: int
) -> None:
    found = await client.lease.get(lease)
    assert [key for key, _ in await client.lease.all(cluster=cluster)] == [lease]
    assert [key for key, _ in await client.cluster.all(renter=client.address)] == [cluster]
    with pytest.raises(WrongLeaseState):
        await client.lease.close(lease)
    # Payable after grace (one interval) and dispute window.
    await wait_until(client, found.ends_at + 3 + 6)
    settled = (await client.lease.settle(lease)).event(LeaseSettled)
    assert (settled.paid, settled.supplier_fee, settled.renter_fee) == (price, fee, fee)
    assert settled.supplier_amount == price - fee
    assert await client.iosd.balance(supplier.client.address) == price - fee
    both = client.batch(client.lease.close(lease), client.cluster.close(cluster))
    receipt = await both
    assert receipt.event(LeaseClosed).served_secs == DURATION
    closed = receipt.event(ClusterClosed)
    assert (closed.deposit, closed.paid, closed.fees) == (5 * IOSD, price - fee, 2 * fee)
    assert closed.refund == 5 * IOSD - price - fee
    assert await client.find(Lease, lease) is None
    assert receipt.compute_units > 0
    assert receipt.fee == 5000

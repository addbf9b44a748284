"""One lease from registration to closing through the SDK, on a chain, with exact amounts."""

from __future__ import annotations

import hashlib

import pytest
from client.sdk.conftest import Chain
from client.sdk.parties import IO, IOSD, Machine, Party, hireable_node, party, wait_until
from ionet.client import Client
from ionet.generated.accounts import Lease
from ionet.generated.errors import NodeBusy, PriceTooHigh, WrongLeaseState
from ionet.generated.events import (
    ClusterClosed,
    ClusterOpened,
    IosdMinted,
    LeaseBooked,
    LeaseClosed,
    LeaseSettled,
    LeaseStarted,
    ProofAppended,
)
from ionet.wallet import KeypairSigner
from solders.keypair import Keypair
from solders.pubkey import Pubkey

pytestmark = pytest.mark.asyncio(loop_scope="session")

DURATION = 12
GROSS = 3 * IOSD * 4 * DURATION // 3600
FEE = -(-GROSS * 25 // 10_000)
ROOT = hashlib.sha256(b"results").digest()


async def test_a_lease_from_booking_to_close(network: Chain) -> None:
    supplier, renter = await party(network, 1_000 * IO), await party(network, 100 * IO)
    session = KeypairSigner(Keypair())
    machine = await hireable_node(supplier)
    client = renter.client
    await mint(client)
    cluster = await open_for(client, session.pubkey)

    with pytest.raises(PriceTooHigh):
        await client.cluster.add_lease(cluster, machine.node, duration=DURATION, max_price=1)
    booked = (await client.cluster.add_lease(cluster, machine.node, duration=DURATION)).event(LeaseBooked)
    lease = booked.lease
    assert booked.locked == GROSS + FEE
    with pytest.raises(NodeBusy) as busy:
        await client.cluster.add_lease(cluster, machine.node, duration=DURATION)
    assert busy.value.exit_code == 3

    await supplier.client.lease.mark_ready(lease, machine.device, hashlib.sha256(b"report").digest())
    started = (await client.lease.accept_ready(lease, session)).event(LeaseStarted)
    assert started.accepted_by == session.pubkey
    with pytest.raises(WrongLeaseState):
        await client.lease.accept_ready(lease)
    await prove(supplier.client, machine, lease, started.at)
    await settle_and_close(client, supplier, lease, cluster)


async def mint(client: Client) -> None:
    feed = (await client.network.get()).feed_id
    await client.oracle.post(feed, 250_000_000, conf=100_000)
    quote = await client.iosd.quote(10 * IO)
    minted = (await client.iosd.mint(10 * IO)).event(IosdMinted)
    assert minted.iosd_minted == quote == await client.iosd.balance()
    # 10 IO at min(2.5, 2.5) - 2 * 0.001 dollars, less 0.5 %.
    assert quote == 24_980_000 - 124_900


async def open_for(client: Client, session: Pubkey) -> Pubkey:
    config = hashlib.sha256(b"ray").digest()
    plan = client.cluster.open(5 * IOSD, session_key=session, session_expires_at=2**40, config_hash=config)
    opened = (await plan).event(ClusterOpened)
    assert opened.deposit == 5 * IOSD
    assert opened.cluster == client.cluster.address(client.address, opened.id)
    assert await client.cluster.next_id() == opened.id + 1
    return opened.cluster


async def prove(client: Client, machine: Machine, lease: Pubkey, started: int) -> None:
    """Four intervals of three seconds, each proven in full right at its end."""
    head = bytes(32)
    for interval in range(DURATION // 3):
        await wait_until(client, started + 3 * interval + 3)
        plan = client.lease.append_proof(
            lease, machine.device, node=machine.node, interval=interval, served_secs=3, root=ROOT, gpu_ms=7
        )
        proof = (await plan).event(ProofAppended)
        packed = interval.to_bytes(4, "little") + (3).to_bytes(4, "little") + (7).to_bytes(8, "little")
        head = hashlib.sha256(head + packed + ROOT).digest()
        assert (proof.interval, proof.served_secs, proof.proof_head) == (interval, 3, head)
    assert (await client.lease.get(lease)).proof_head == head


async def settle_and_close(client: Client, supplier: Party, lease: Pubkey, cluster: Pubkey) -> None:
    found = await client.lease.get(lease)
    assert [key for key, _ in await client.lease.all(cluster=cluster)] == [lease]
    assert [key for key, _ in await client.cluster.all(renter=client.address)] == [cluster]
    with pytest.raises(WrongLeaseState):
        await client.lease.close(lease)
    # Payable after grace (one interval) and dispute window.
    await wait_until(client, found.ends_at + 3 + 6)
    settled = (await client.lease.settle(lease)).event(LeaseSettled)
    assert (settled.paid, settled.supplier_fee, settled.renter_fee) == (GROSS, FEE, FEE)
    assert settled.supplier_amount == GROSS - FEE
    assert await client.iosd.balance(supplier.client.address) == GROSS - FEE
    receipt = await client.batch(client.lease.close(lease), client.cluster.close(cluster))
    assert receipt.event(LeaseClosed).served_secs == DURATION
    closed = receipt.event(ClusterClosed)
    assert (closed.deposit, closed.paid, closed.fees) == (5 * IOSD, GROSS - FEE, 2 * FEE)
    assert closed.refund == 5 * IOSD - GROSS - FEE
    assert await client.find(Lease, lease) is None
    assert receipt.compute_units > 0
    assert receipt.fee == 5000

"""People of the SDK's tests and the steps they take again and again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from client.sdk.conftest import SOL, Chain
from ionet.client import Client
from ionet.generated import pdas
from ionet.generated.enums import Currency
from ionet.generated.events import ClusterOpened, LeaseBooked, LeaseStarted, NodeRegistered, Staked
from ionet.generated.types import NodeTerms
from ionet.wallet import KeypairSigner
from solders.keypair import Keypair
from solders.pubkey import Pubkey

IO, IOSD = 10**8, 10**6
T4, PROCESSORS = 36, 4
STAKE = 800 * IO
PRICE = 3 * IOSD


def terms(owner: Pubkey, price: int = PRICE) -> NodeTerms:
    return NodeTerms(
        price=price,
        min_coverage_bps=0,
        min_duration=3,
        max_duration=600,
        payout=owner,
        fee_payer=owner,
        country=276,
        currencies=Currency.IOSD,
        region=1,
    )


@dataclass
class Party:
    """Somebody with a wallet and a client of their own."""

    client: Client
    keypair: Keypair


@dataclass
class Machine:
    """A registered node and the key it signs with."""

    node: Pubkey
    device: KeypairSigner


async def party(chain: Chain, io: int) -> Party:
    """A new wallet with SOL and IO, the IO from the genesis supply."""
    keypair = Keypair()
    client = chain.client(keypair)
    await client.rpc.airdrop(keypair.pubkey(), 10 * SOL)
    await chain.client(chain.treasury).tokens.transfer(pdas.io_mint(client.program.id), keypair.pubkey(), io)
    return Party(client, keypair)


async def hireable_node(supplier: Party) -> Machine:
    """A node with exactly the stake it needs."""
    client, device = supplier.client, KeypairSigner(Keypair())
    receipt = await client.node.register(device, model_code=T4, processors=PROCESSORS, terms=terms(client.address))
    node = receipt.event(NodeRegistered).node
    assert node == client.node.address(device.pubkey)
    assert await client.node.required_stake(T4, PROCESSORS) == STAKE
    staked = (await client.stake.add(node, STAKE)).event(Staked)
    assert (staked.amount, staked.bonded_before, staked.bonded_after) == (STAKE, 0, STAKE)
    return Machine(node, device)


async def open_cluster(renter: Party, deposit: int, now: int | None = None) -> Pubkey:
    """A cluster with a freshly minted budget. now: the price's publish time, by default as the chain tells the time."""
    client = renter.client
    feed = (await client.network.get()).feed_id
    await client.oracle.post(feed, 250_000_000, conf=100_000, publish_time=now)
    await client.iosd.mint(10 * IO)
    return (await client.cluster.open(deposit)).event(ClusterOpened).cluster


async def book(renter: Party, cluster: Pubkey, machine: Machine, duration: int) -> LeaseBooked:
    return (await renter.client.cluster.add_lease(cluster, machine.node, duration=duration)).event(LeaseBooked)


async def running_lease(
    supplier: Party, renter: Party, cluster: Pubkey, machine: Machine, duration: int
) -> LeaseStarted:
    """A lease whose meter runs."""
    lease = (await book(renter, cluster, machine, duration)).lease
    await supplier.client.lease.mark_ready(lease, machine.device, bytes([1] * 32))
    return (await renter.client.lease.accept_ready(lease)).event(LeaseStarted)


async def wait_until(client: Client, when: int) -> None:
    """Until the chain's clock reaches `when`; fails after three minutes."""
    deadline = time.monotonic() + 180
    while await client.rpc.unix_time() < when:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)

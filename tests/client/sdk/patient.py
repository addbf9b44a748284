"""A chain on which time passes when a test lets it, for what takes deadlines to the second."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from client.sdk.conftest import SOL, Chain
from client.sdk.parties import IO, IOSD, Machine, Party, hireable_node, party
from ionet import addresses
from ionet.generated.events import LeaseStarted
from ionet.wallet import KeypairSigner
from ionet_localnet import Localnet, LocalnetConfig
from ionet_stack.genesis import genesis
from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import create_idempotent_associated_token_account, mint_to, set_authority
from spl.token.models import AuthorityType, MintToParams, SetAuthorityParams

DOLLARS = 250_000_000  # of 2.5, as the oracle counts them


@dataclass
class Patient(Chain):
    """A chain with a network, whose clock hardly moves by itself."""

    net: Localnet | None = None

    def pass_time(self, seconds: int) -> None:
        assert self.net is not None
        self.net.chain.advance(seconds)
        self.net.node.clock.set(self.net.chain.unix_time)

    @property
    def now(self) -> int:
        assert self.net is not None
        return self.net.chain.unix_time

    def set_account(self, key: Pubkey, account: Account) -> None:
        assert self.net is not None
        self.net.chain.set_account(key, account)

    async def post_price(self, dollars: int = DOLLARS) -> None:
        client = self.client()
        await client.oracle.post((await client.network.get()).feed_id, dollars, conf=100_000, publish_time=self.now)

    async def give_usdc(self, owner: Pubkey, amount: int) -> None:
        """The stand-in for USDC is minted by the network's authority."""
        client = self.client()
        mint = (await client.network.get()).usdc_mint
        to = addresses.token_account(owner, mint)
        params = MintToParams(
            program_id=TOKEN_PROGRAM_ID, mint=mint, dest=to, mint_authority=client.address, amount=amount
        )
        await client.send([create_idempotent_associated_token_account(client.address, owner, mint), mint_to(params)])


@asynccontextmanager
async def patient_chain() -> AsyncIterator[Patient]:
    authority = Keypair()
    config = LocalnetConfig(slot_ms=20, clock_factor=0.001, cheats=True, genesis=genesis(authority.pubkey()))
    async with Localnet(config) as net:
        chain = Patient(net.rpc_url, authority, net=net)
        client = chain.client()
        try:
            for key in (authority, chain.treasury):
                await client.rpc.airdrop(key.pubkey(), 100 * SOL)
            await client.network.bootstrap(genesis_owner=chain.treasury.pubkey())
            yield chain
        finally:
            await chain.close()


@dataclass
class Running:
    """A lease whose meter runs, and who takes part in it."""

    supplier: Party
    renter: Party
    machine: Machine
    session: Keypair
    cluster: Pubkey
    lease: Pubkey
    started: LeaseStarted


async def running(chain: Patient, duration: int = 60) -> Running:
    """An IOSD cluster with one metered lease; the session key is nobody's but the test's."""
    supplier, renter = await party(chain, 2_000 * IO), await party(chain, 100 * IO)
    machine, session = await hireable_node(supplier), Keypair()
    await chain.post_price()
    await renter.client.iosd.mint(10 * IO)
    opened = await renter.client.cluster.open(5 * IOSD, session_key=session.pubkey(), session_expires_at=2**40)
    cluster = opened.events[0].event.cluster
    booked = await renter.client.cluster.add_lease(cluster, machine.node, duration=duration)
    lease = booked.events[0].event.lease
    await supplier.client.lease.mark_ready(lease, machine.device, bytes([1] * 32))
    started = (await renter.client.lease.accept_ready(lease, KeypairSigner(session))).event(LeaseStarted)
    return Running(supplier, renter, machine, session, cluster, lease, started)


async def give_away(who: Party, mint: Pubkey, to: Pubkey) -> None:
    """Make a wallet's associated account somebody else's, so that it cannot receive for its wallet any more."""
    params = SetAuthorityParams(
        program_id=TOKEN_PROGRAM_ID,
        account=addresses.token_account(who.client.address, mint),
        authority=AuthorityType.ACCOUNT_OWNER,
        current_authority=who.client.address,
        new_authority=to,
    )
    await who.client.send([set_authority(params)])

"""A chain for the SDK's tests: a local one, or any RPC url, e.g. a solana-test-validator with both programs at genesis.

IONET_TEST_RPC_URL names such a chain; IONET_TEST_AUTHORITY is the keypair file of the programs' upgrade authority.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio
from ionet.client import Client
from ionet.local import genesis
from ionet.localnet import Localnet, LocalnetConfig
from ionet.wallet import read_keypair
from solders.keypair import Keypair

SOL = 10**9


@dataclass
class Chain:
    """Where the tests' chain is and who may create the network on it."""

    url: str
    authority: Keypair

    @property
    def treasury(self) -> Keypair:
        """Holds the genesis supply; the same in every run against a chain that stays."""
        return Keypair.from_seed(hashlib.sha256(b"treasury" + bytes(self.authority)).digest())

    def client(self, keypair: Keypair | None = None) -> Client:
        return Client(self.url, keypair or self.authority)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chain() -> AsyncIterator[Chain]:
    url = os.environ.get("IONET_TEST_RPC_URL")
    if url:
        yield Chain(url, read_keypair(os.environ["IONET_TEST_AUTHORITY"]))
        return
    authority = Keypair()
    # Ten times as fast as the world: a slot still lasts 400 ms of the chain's own time.
    config = LocalnetConfig(slot_ms=40, clock_factor=10, genesis=genesis(authority.pubkey()))
    async with Localnet(config) as net:
        yield Chain(net.rpc_url, authority)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def network(chain: Chain) -> Chain:
    """The chain with an ionet network (local profile) on it."""
    async with chain.client() as client:
        for key in (chain.authority, chain.treasury):
            await client.rpc.airdrop(key.pubkey(), 100 * SOL)
        if await client.rpc.account(client.network.address) is None:
            await client.network.bootstrap(genesis_owner=chain.treasury.pubkey())
    return chain

"""A chain for the SDK's tests: a local one, or any RPC url, e.g. a solana-test-validator with both programs at genesis.

IONET_TEST_RPC_URL names such a chain; IONET_TEST_AUTHORITY is the keypair file of the programs' upgrade authority.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio
from client.sdk.measured import UNITS, MeasuredClient
from ionet.client import Client
from ionet.wallet import read_keypair
from ionet_localnet import Localnet, LocalnetConfig
from ionet_stack.genesis import genesis
from solders.keypair import Keypair

if TYPE_CHECKING:
    from client.sdk.patient import Patient

SOL = 10**9


def treasury_of(authority: Keypair) -> Keypair:
    """Holds the genesis supply of the networks that tests create; the same in every run against a chain that stays."""
    return Keypair.from_seed(hashlib.sha256(b"treasury" + bytes(authority)).digest())


@dataclass
class Chain:
    """Where the tests' chain is and who may create the network on it."""

    url: str
    authority: Keypair
    clients: list[Client] = field(default_factory=list)

    @property
    def treasury(self) -> Keypair:
        return treasury_of(self.authority)

    def client(self, keypair: Keypair | None = None) -> Client:
        """A client of its own; all are closed when the tests are over."""
        made = MeasuredClient(self.url, keypair or self.authority)
        self.clients.append(made)
        return made

    async def close(self) -> None:
        for client in self.clients:
            await client.rpc.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chain() -> AsyncIterator[Chain]:
    async with AsyncExitStack() as stack:
        url = os.environ.get("IONET_TEST_RPC_URL")
        if url:
            authority = read_keypair(os.environ["IONET_TEST_AUTHORITY"])
        else:
            authority = Keypair()
            # Ten times as fast as the world: a slot still lasts 400 ms of the chain's own time.
            config = LocalnetConfig(slot_ms=40, clock_factor=10, genesis=genesis(authority.pubkey()))
            url = (await stack.enter_async_context(Localnet(config))).rpc_url
        chain = Chain(url, authority)
        stack.push_async_callback(chain.close)
        yield chain
    _write_table()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def patient() -> AsyncIterator[Patient]:
    """A chain of its own with a network, on which only the tests let time pass."""
    from client.sdk.patient import patient_chain

    async with patient_chain() as chain:
        yield chain
    _write_table()


def _write_table() -> None:
    """For scripts/measure-compute."""
    target = os.environ.get("IONET_COMPUTE_TABLE")
    if target:
        Path(target).write_text(json.dumps(UNITS, indent=2, sort_keys=True) + "\n")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def network(chain: Chain) -> Chain:
    """The chain with an ionet network (local profile) on it."""
    client = chain.client()
    for key in (chain.authority, chain.treasury):
        await client.rpc.airdrop(key.pubkey(), 100 * SOL)
    if await client.rpc.account(client.network.address) is None:
        await client.network.bootstrap(genesis_owner=chain.treasury.pubkey())
    return chain

"""A market that runs, and what wallets sign on it: one for the session, with a wallet of its own for each test.

Everything is in the session's loop, as the browser is (`web.browser`).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest_asyncio
import uvicorn
from ionet.listening import listen
from ionet.rpc import Rpc
from ionet.wallet import KeypairSigner
from ionet_actions.app import Actions
from ionet_actions.service import Connection
from ionet_launcher.api import serve
from ionet_localnet.genesis import LAMPORTS_PER_SOL
from market import IO, Market, key, market
from solders.keypair import Keypair
from starlette.applications import Starlette

_numbers = itertools.count()
SESSION = key("session")
"""The launcher's key."""


@dataclass
class Stage:
    """The market, and where its actions are."""

    market: Market
    url: str
    http: httpx2.AsyncClient
    held: list[Keypair] = field(default_factory=list)

    async def wallet(self, io: int = 0) -> Keypair:
        """A wallet with SOL and this much IO, in base units, that no other test uses."""
        made = key(f"wallet {next(_numbers)}")
        await self.market.admin.rpc.airdrop(made.pubkey(), 10 * LAMPORTS_PER_SOL)
        if io:
            await self.market.give_io(made.pubkey(), io)
        await self.priced()
        return made

    async def priced(self) -> None:
        """A price of $2 that is fresh."""
        network = await self.market.admin.network.get()
        await self.market.admin.oracle.post(network.feed_id, 2 * 10**8, publish_time=self.market.net.chain.unix_time)

    async def ask(self, kind: str, wallet: Keypair, **fields: Any) -> httpx2.Response:
        """What the actions answer to a request of this wallet."""
        return await self.http.post(f"/v1/plans/{kind}", json={"account": str(wallet.pubkey()), **fields})

    async def send(self, transaction: str) -> httpx2.Response:
        return await self.http.post("/v1/transactions", json={"transaction": transaction})


@asynccontextmanager
async def serving(app: Starlette, port: int = 0) -> AsyncIterator[str]:
    """An application on a port of this machine; 0 for one that is free."""
    with listen("127.0.0.1", port, "--port") as listener:
        config = uvicorn.Config(app, http=Connection, log_level="warning", timeout_graceful_shutdown=2, ws="none")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def actions(rpc_url: str, launcher: str = "", port: int = 0, **limits: Any) -> AsyncIterator[str]:
    """What builds and sends transactions on the chain at this address."""
    given = {"rate": 1e6, "burst": 10**6, **limits}
    async with Rpc(rpc_url) as rpc, serving(Actions(rpc, launcher, **given).app(), port) as url:
        yield url


@asynccontextmanager
async def launcher(session: Keypair) -> AsyncIterator[str]:
    """A launcher's API, which says who it is without a database too."""
    with listen("127.0.0.1", 0, "--listen") as listener:
        dsn = "postgresql://127.0.0.1:9/none"
        task = asyncio.create_task(serve(dsn, str(session.pubkey()), listener))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    """Slots of 100 ms: a blockhash lives for 15 s, within which a busy machine reviews and signs."""
    async with (
        market(slot_ms=100) as running,
        launcher(SESSION) as launching,
        actions(running.net.rpc_url, launching) as url,
        httpx2.AsyncClient(base_url=url, timeout=60) as http,
    ):
        yield Stage(running, url, http)


def signer(wallet: Keypair) -> KeypairSigner:
    return KeypairSigner(wallet)


__all__ = ["IO", "Stage", "actions", "signer", "stage"]

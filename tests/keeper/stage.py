"""Keepers on the real program: a market whose time moves in steps, and keepers that look after each of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from ionet.duties import Habits
from ionet.generated.accounts import Case, Cluster, Lease, StakePosition
from ionet.tending.hands import Deed
from ionet.tending.manner import Limits
from ionet.tending.nodes import Nodes
from ionet.wallet import KeypairSigner
from ionet_keeper.config import Config
from ionet_keeper.keeper import Keeper
from market import Market, key

SOL = 10**9
WALLETS = ("keeper one", "keeper two", "keeper three")


def config(market: Market, **changes: Any) -> Config:
    """Looks as often as it is asked to, and lets nobody go first."""
    usual: dict[str, Any] = {
        "urls": (market.net.rpc_url,),
        "window": 0.0,
        "habits": Habits(settle_secs=3_600, burn_secs=0),
        "limits": Limits(hourly=SOL),
        "max_priority_fee": 0,
    }
    return Config(**usual | changes)


@asynccontextmanager
async def keeper(market: Market, name: str = WALLETS[0], **changes: Any) -> AsyncIterator[Keeper]:
    """One that starts from the chain, with a wallet that has 10 SOL when it is first met."""
    wallet, told = KeypairSigner(key(name)), config(market, **changes)
    if await market.stranger.rpc.account(wallet.pubkey) is None:
        await market.stranger.rpc.airdrop(wallet.pubkey, 10 * SOL)
    async with Nodes(told.urls, wallet, told.max_priority_fee) as nodes:
        yield Keeper(told, nodes, wallet.pubkey)


@asynccontextmanager
async def keepers(market: Market, count: int, **changes: Any) -> AsyncIterator[list[Keeper]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(keeper(market, WALLETS[at], **changes)) for at in range(count)]


async def settled(some: Sequence[Keeper]) -> list[Deed]:
    """Let them look, all at the same time, until there is nothing to do now."""
    all_of_them: list[Deed] = []
    for _ in range(40):
        found = [deed for deeds in await asyncio.gather(*(each.round() for each in some)) for deed in deeds]
        all_of_them += found
        if not any(deed.outcome == "done" for deed in found):
            return all_of_them
    raise AssertionError(f"they never come to rest: {all_of_them[-5:]}")


async def live(
    market: Market,
    some: Sequence[Keeper],
    until: Callable[[], Awaitable[bool]],
    *,
    step: int = 5,
    steps: int = 60,
) -> list[Deed]:
    """Time goes on in steps, and the keepers look after each, until something is so."""
    deeds = await settled(some)
    for _ in range(steps):
        if await until():
            return deeds
        market.pass_time(step)
        deeds += await settled(some)
    raise AssertionError(f"not so after {steps} steps; done was {Counter((d.name, d.outcome) for d in deeds)}")


def count(deeds: Sequence[Deed], outcome: str = "done") -> Counter[str]:
    """How often each action came to this."""
    return Counter(deed.name for deed in deeds if deed.outcome == outcome)


async def left(market: Market) -> Counter[str]:
    """The accounts that are to be gone in the end, by their kind."""
    kinds = (Lease, Cluster, StakePosition, Case)
    found = {kind.__name__: len(await market.stranger.fetch_all(kind)) for kind in kinds}
    return +Counter(found)


def loud() -> None:
    logging.getLogger("ionet_keeper").setLevel(logging.INFO)

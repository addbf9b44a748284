"""A market with two nodes and a relay that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio
from market import Machine, Market, market
from relay.place import Relay, killed_at_end


@dataclass
class Place:
    market: Market
    relay: Relay
    one: Machine
    two: Machine

    def another(self, *options: str) -> Relay:
        """A relay that does not run yet."""
        return Relay(self.market.net.rpc_url, options)


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Place]:
    async with market() as founded:
        machines = [await founded.add_machine(name) for name in ("one", "two")]
        relay = Relay(founded.net.rpc_url)
        with killed_at_end(relay):
            await relay.start()
            yield Place(founded, relay, *machines)

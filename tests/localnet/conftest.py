"""A chain for each test, by itself or served with short slots."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from ionet_localnet import LocalChain, Localnet, LocalnetConfig
from localnet.wire import Raw

SLOT_MS = 30


@pytest.fixture
def chain() -> LocalChain:
    """The chain itself, without a network."""
    return LocalChain(unix_time=1_800_000_000)


@pytest_asyncio.fixture
async def net() -> AsyncIterator[Localnet]:
    async with Localnet(LocalnetConfig(slot_ms=SLOT_MS, cheats=True)) as net:
        yield net


@pytest_asyncio.fixture
async def still() -> AsyncIterator[Localnet]:
    """A chain that makes blocks only when told to."""
    async with Localnet(LocalnetConfig(cheats=True)) as net:
        net.node.paused = True
        yield net


@pytest_asyncio.fixture
async def raw(still: Localnet) -> AsyncIterator[Raw]:
    async with httpx2.AsyncClient() as http:
        yield Raw(still, http)

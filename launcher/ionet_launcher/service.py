"""Wires one launcher and runs it until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from ionet.client import Client
from ionet.daemon import raise_file_limit
from ionet.errors import ConfigError
from ionet.wallet import read_keypair
from solders.pubkey import Pubkey

from ionet_launcher.agents_file import AgentsFile
from ionet_launcher.renter_chain import RenterChain
from ionet_launcher.replacing import Replacing
from ionet_launcher.review import NEITHER, Policy
from ionet_launcher.scheduler import Scheduler
from ionet_launcher.session_chain import SessionChain
from ionet_launcher.stepper import Stepper
from ionet_launcher.store import Overview, Store, migrate, open_pool

# One listens; no step holds one while it waits for anybody else.
_CONNECTIONS = 10


@dataclass(frozen=True)
class LauncherConfig:
    """Settings of one launcher.

    session_key: keypair file of the key that clusters name as their session key; it pays for acceptances. dsn: the
    indexer's database. agents: JSON file, node → URL of its agent. devices: whether hardware checks count real GPUs.
    policy: what it may do about proven intervals on the renter's behalf. renter: keypair file of the renter, whose
    clusters' lost workers it replaces, all or until there are `at_least` nodes.
    """

    url: str
    session_key: Path
    dsn: str
    agents: Path
    devices: bool = False
    policy: Policy = NEITHER
    renter: Path | None = None
    at_least: int | None = None


async def run(config: LauncherConfig, announce: Callable[[Pubkey], None]) -> None:
    """Run until SIGTERM or SIGINT; clusters go on without the launcher, and the next one takes them over."""
    raise_file_limit()
    session = read_keypair(config.session_key)
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with (
        Client(config.url, session) as client,
        await _pool(config.dsn, _CONNECTIONS) as pool,
        contextlib.AsyncExitStack() as stack,
    ):
        async with pool.acquire() as connection:
            await migrate(connection)
        replacing = None
        if config.renter is not None:
            wallet = await stack.enter_async_context(Client(config.url, read_keypair(config.renter)))
            replacing = Replacing(RenterChain(wallet), config.at_least)
        stepper = Stepper(
            SessionChain(client),
            session,
            AgentsFile(config.agents),
            devices=config.devices,
            policy=config.policy,
            replacing=replacing,
        )
        async with contextlib.aclosing(stepper):
            announce(session.pubkey())
            await Scheduler(Store(pool, str(session.pubkey())), stepper).run(stopping)


async def status(dsn: str, launcher: Pubkey) -> list[Overview]:
    """The clusters of the launcher with this session key."""
    async with await _pool(dsn, 1) as pool:
        async with pool.acquire() as connection:
            await migrate(connection)
        return await Store(pool, str(launcher)).overview()


async def _pool(dsn: str, size: int) -> asyncpg.Pool:
    try:
        return await open_pool(dsn, size)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ConfigError(f"cannot reach the database: {error}") from None

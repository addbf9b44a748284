"""Wires one launcher and runs it until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from ionet.apart import ApiEnded, serve_apart
from ionet.client import Client
from ionet.daemon import raise_file_limit
from ionet.errors import ConfigError
from ionet.wallet import read_keypair
from solders.pubkey import Pubkey

from ionet_launcher.adverts import Agents
from ionet_launcher.agents_file import AgentsFile
from ionet_launcher.networks import MOST_MS
from ionet_launcher.renter_chain import RenterChain
from ionet_launcher.replacing import Replacing
from ionet_launcher.review import NEITHER, Policy
from ionet_launcher.scheduler import Scheduler
from ionet_launcher.session_chain import SessionChain
from ionet_launcher.stepper import Stepper
from ionet_launcher.store import Overview, Store, migrate, open_pool

# One listens; no step holds one while it waits for anybody else.
_CONNECTIONS = 10
# After its API has failed several times in a row.
_API_PAUSE_SECS = 30.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LauncherConfig:
    """Settings of one launcher.

    session_key: keypair file of the key that clusters name as their session key; it pays for acceptances. dsn: the
    indexer's database, which also tells where agents are. agents: JSON file that names others, node → URL. devices:
    whether hardware checks count real GPUs. policy: what it may do about proven intervals on the renter's behalf.
    renter: keypair file of the renter, whose clusters' lost nodes it replaces, all or until there are `at_least`
    nodes. most_ms: milliseconds there and back beyond which a node is too far from the head, None for any.
    """

    url: str
    session_key: Path
    dsn: str
    agents: Path | None = None
    devices: bool = False
    policy: Policy = NEITHER
    renter: Path | None = None
    at_least: int | None = None
    most_ms: float | None = MOST_MS


async def run(
    config: LauncherConfig, announce: Callable[[Pubkey], None], listener: socket.socket | None = None
) -> None:
    """Run until SIGTERM or SIGINT; clusters go on without the launcher, and the next one takes them over.

    listener: the socket of the API, which a process of its own serves.
    """
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
        agents = Agents({} if config.agents is None else AgentsFile(config.agents))
        await agents.read(pool)
        following = asyncio.create_task(agents.follow(pool))
        stack.callback(following.cancel)
        stepper = Stepper(
            SessionChain(client),
            session,
            agents,
            devices=config.devices,
            policy=config.policy,
            replacing=replacing,
            most_ms=config.most_ms,
        )
        async with contextlib.aclosing(stepper), _api(config.dsn, session.pubkey(), listener):
            announce(session.pubkey())
            await Scheduler(Store(pool, str(session.pubkey())), stepper).run(stopping)


@contextlib.asynccontextmanager
async def _api(dsn: str, launcher: Pubkey, listener: socket.socket | None) -> AsyncIterator[None]:
    """Within the block the API is served. Whatever becomes of it, the launcher goes on."""

    async def serve(on: socket.socket) -> None:
        while True:
            try:
                await serve_apart(["launcher", "api", str(launcher)], {"IONET_DATABASE": dsn}, on)
            except (ApiEnded, OSError) as error:
                _log.error("the API: %s", error, extra={"action": "api_ended"})
            await asyncio.sleep(_API_PAUSE_SECS)

    if listener is None:
        yield
        return
    serving = asyncio.create_task(serve(listener))
    try:
        yield
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


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

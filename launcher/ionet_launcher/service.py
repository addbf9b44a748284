"""Wires one launcher and runs it until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from ionet.apart import ApiEnded, serve_apart
from ionet.client import Client
from ionet.daemon import raise_file_limit
from ionet.errors import ConfigError, RpcError
from ionet.fees import LEAST_RENT
from ionet.fuel import watch
from ionet.launcher_advert import LIFETIME_SECS, SIGN_SECS, LauncherAdvert, sign
from ionet.tending.manner import Limits, Manner
from ionet.tending.tender import Tender, tending
from ionet.wallet import KeypairSigner, read_keypair
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher import keeping
from ionet_launcher.adverts import Agents
from ionet_launcher.agents_file import AgentsFile
from ionet_launcher.closing import OwnClusters, RenterInterest
from ionet_launcher.keeping import Overview
from ionet_launcher.networks import MOST_MS
from ionet_launcher.payments import Payments
from ionet_launcher.renter_chain import RenterChain
from ionet_launcher.replacing import Replacing
from ionet_launcher.review import NEITHER, Policy
from ionet_launcher.scheduler import Scheduler
from ionet_launcher.session_chain import SessionChain
from ionet_launcher.stepper import Stepper
from ionet_launcher.store import Store, migrate, open_pool

# One listens; no step holds one while it waits for anybody else.
_CONNECTIONS = 10
# After its API has failed several times in a row.
_API_PAUSE_SECS = 30.0
_SIGN_AGAIN_SECS = 3.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LauncherConfig:
    """Settings of one launcher.

    session_key: keypair file of the key that clusters name as their session key; it pays for acceptances. dsn: the
    indexer's database, which also tells where agents are. agents: JSON file that names others, node → URL. devices:
    whether hardware checks count real GPUs. policy: what it may do about proven intervals on the renter's behalf.
    renter: keypair file of the renter, whose clusters' lost nodes it replaces, all or until there are `at_least`
    nodes. most_ms: milliseconds there and back beyond which a node is too far from the head, None for any. closes:
    whether it closes what is over, and pays for that. fee: lamports for each node of a cluster, paid when it is opened.
    public_url: of its API, as renters ask it; None where it has none.
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
    closes: bool = True
    fee: int = 0
    public_url: str | None = None


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
            payments=Payments(client, config.fee) if config.fee else None,
        )
        store = Store(pool, str(session.pubkey()))
        if config.public_url is not None:
            advertising = await advertise(client, session, config.public_url, config.fee, store)
            stack.callback(advertising.cancel)
        fuel = asyncio.create_task(watch_fuel(client, store))
        stack.callback(fuel.cancel)
        if config.closes:
            await stack.enter_async_context(closing(config.url, session, store))
        async with contextlib.aclosing(stepper), _api(config.dsn, session.pubkey(), listener):
            announce(session.pubkey())
            await Scheduler(store, stepper).run(stopping)


async def advertise(client: Client, session: Keypair, url: str, fee: int, store: keeping.Store) -> asyncio.Task[None]:
    """Say who the launcher is and what it takes, now and again and again: renters believe no old advert."""

    async def said() -> bool:
        try:
            chain = (await client.rpc.health())["genesis"]
            expires = int(time.time()) + LIFETIME_SECS
            await store.note_advert(sign(session, LauncherAdvert(str(session.pubkey()), chain, url, fee, expires)))
        except (RpcError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            _log.warning("its advert is signed later: %s", error, extra={"action": "advert_later"})
            return False
        return True

    async def again(well: bool) -> None:
        while True:
            await asyncio.sleep(SIGN_SECS if well else _SIGN_AGAIN_SECS)
            well = await said()

    return asyncio.create_task(again(await said()))


async def watch_fuel(client: Client, store: keeping.Store) -> None:
    """Say when the session key has little SOL, and note what it has for whoever asks."""
    said: str | None = None
    noting: set[asyncio.Task[None]] = set()

    def tell(lamports: int, warning: str | None) -> None:
        nonlocal said
        if (warning is None) != (said is None):
            _log.warning("%s", warning or "the session key has enough SOL again", extra={"action": "sol"})
        said = warning
        note = asyncio.create_task(store.note_purse(lamports, warning))
        noting.add(note)
        note.add_done_callback(noting.discard)

    await watch([client.rpc], "session key", client.address, tell)


def closing(url: str, session: Keypair, store: keeping.Store) -> contextlib.AbstractAsyncContextManager[Tender]:
    """Within the block what is over is closed. Another launcher with the same key comes to other delays."""
    salt = bytes(session.pubkey()) + secrets.token_bytes(8)
    # What renters sent it for this is spent to the last of it, but for the rent of its own account.
    manner = Manner(limits=Limits(floor=LEAST_RENT))
    return tending(manner, [url], KeypairSigner(session), OwnClusters(store), RenterInterest(), salt=salt)


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


async def status(dsn: str, launcher: Pubkey) -> tuple[list[Overview], str | None]:
    """The clusters of the launcher with this session key, and what is to be said of its SOL."""
    async with await _pool(dsn, 1) as pool:
        async with pool.acquire() as connection:
            await migrate(connection)
        store = Store(pool, str(launcher))
        purse = await store.purse()
        return await store.overview(), None if purse is None else purse[1]


async def _pool(dsn: str, size: int) -> asyncpg.Pool:
    try:
        return await open_pool(dsn, size)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ConfigError(f"cannot reach the database: {error}") from None

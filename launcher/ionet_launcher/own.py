"""A launcher of one renter, on the renter's machine: the same steps from the chain alone, without a database.

`ionet run --own-launcher` starts it as a process of its own, which outlives that command as the cluster does, and which
ends once no cluster names its key.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ionet.advert import NotAdvertised, find_agent
from ionet.agent_api import Urls
from ionet.client import Client
from ionet.daemon import raise_file_limit
from ionet.errors import AlreadyRunning, ConfigError
from ionet.renting.names import OWN, Named, Names
from ionet.wallet import read_keypair, write_keypair
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher import service
from ionet_launcher.api import serve_shown
from ionet_launcher.networks import MOST_MS
from ionet_launcher.own_chain import OwnChain
from ionet_launcher.own_shown import OwnShown
from ionet_launcher.own_store import OwnStore
from ionet_launcher.scheduler import Scheduler
from ionet_launcher.session_chain import SessionChain
from ionet_launcher.stepper import Stepper

# After a start a cluster comes, or whoever started it did not agree to the price; once there was one, none may come.
FIRST_SECS, ALONE_SECS = 120.0, 10.0
# A name in the renter's file, which comes before the cluster: after this it is one of nothing.
_OPENED_SECS = 300.0
_LOCK_ATTEMPTS = 20
_ASK_SECS, _KNOWN_SECS, _ASKED_AT_ONCE = 2.0, 30.0, 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OwnConfig:
    """folder: for the session key and what is kept. indexer: URL of its API, asked where agents are, which it is not
    believed. names: the renter's file of clusters."""

    url: str
    folder: Path
    indexer: str
    names: Path
    most_ms: float | None = MOST_MS


async def run(config: OwnConfig, announce: Callable[[Pubkey, str], None], listener: socket.socket, url: str) -> None:
    """Until no cluster needs it, or SIGTERM or SIGINT. url: of its API, on `listener`. Raises AlreadyRunning."""
    raise_file_limit()
    with _alone(config.folder) as tell:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        session = _session(config.folder)
        async with Client(config.url, session) as client, contextlib.AsyncExitStack() as stack:
            names = _OwnNames(Names(config.names), config.url)
            store = OwnStore(OwnChain(client), config.folder / "clusters.json", names.clusters)
            agents = OwnAgents(config.indexer, store.nodes)
            stepper = Stepper(SessionChain(client), session, agents, most_ms=config.most_ms)
            beside = [await service.advertise(client, session, url, 0, store)]
            works = (service.watch_fuel(client, store), agents.follow(), _until_alone(store, names, stopping))
            beside += [asyncio.create_task(work) for work in works]
            beside.append(asyncio.create_task(serve_shown(OwnShown(store, session.pubkey()), listener)))
            for task in beside:
                stack.callback(task.cancel)
            await stack.enter_async_context(service.closing(config.url, session, store))
            async with contextlib.aclosing(stepper):
                tell(url)
                announce(session.pubkey(), url)
                await Scheduler(store, stepper).run(stopping)


class OwnAgents(Mapping[Pubkey, Urls]):
    """Where the agents of the renter's nodes are, as they say to an indexer. Nothing here is trusted: who answers there
    has the node's device key, or is not asked for anything."""

    def __init__(self, indexer: str, nodes: Callable[[], set[Pubkey]]) -> None:
        self._indexer, self._nodes = indexer, nodes
        self._said: dict[Pubkey, Urls] = {}
        self._asked: dict[Pubkey, float] = {}

    def __getitem__(self, node: Pubkey) -> Urls:
        return self._said[node]

    def __iter__(self) -> Iterator[Pubkey]:
        return iter(self._said)

    def __len__(self) -> int:
        return len(self._said)

    async def follow(self) -> None:
        """Ask again and again, until cancelled; those that are not known oftener."""
        places = asyncio.Semaphore(_ASKED_AT_ONCE)
        while True:
            nodes = self._nodes()
            self._said = {node: urls for node, urls in self._said.items() if node in nodes}
            due = [node for node in nodes if time.monotonic() - self._asked.get(node, -1e9) > self._pause(node)]
            await asyncio.gather(*(self._ask(node, places) for node in due))
            await asyncio.sleep(_ASK_SECS / 4)

    def _pause(self, node: Pubkey) -> float:
        return _KNOWN_SECS if node in self._said else _ASK_SECS

    async def _ask(self, node: Pubkey, places: asyncio.Semaphore) -> None:
        """What was said before holds while the indexer does not answer."""
        async with places:
            try:
                self._said[node] = await find_agent(self._indexer, node)
            except NotAdvertised as error:
                _log.info("node %s: %s", node, error, extra={"action": "agent_later"})
            self._asked[node] = time.monotonic()


class _OwnNames:
    """Clusters of the renter's file that are this launcher's to run. What the file says of others is theirs."""

    def __init__(self, names: Names, url: str) -> None:
        self._names, self._url = names, url

    def clusters(self) -> list[Pubkey]:
        return [Pubkey.from_string(named.cluster) for named in self._own()]

    def expected(self) -> bool:
        """Whether one may be about to be opened."""
        return any(time.time() - named.at < _OPENED_SECS for named in self._own())

    def _own(self) -> list[Named]:
        try:
            known = self._names.all()
        except ConfigError as error:
            _log.warning("%s", error, extra={"action": "names_later"})
            return []
        return [named for named in known.values() if (named.launcher, named.url) == (OWN, self._url)]


async def _until_alone(store: OwnStore, names: _OwnNames, stopping: asyncio.Event) -> None:
    """Set `stopping` once no cluster needs the launcher, nor will soon."""
    needed_at, patience = time.monotonic(), FIRST_SECS
    while time.monotonic() - needed_at < patience:
        if store.is_needed or names.expected():
            needed_at, patience = time.monotonic(), ALONE_SECS if store.seen else patience
        await asyncio.sleep(_ASK_SECS / 4)
    stopping.set()


def _session(folder: Path) -> Keypair:
    """The key that this launcher's clusters name, made once."""
    path = folder / "session.json"
    if not path.exists():
        write_keypair(path, Keypair())
    return read_keypair(path)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[Callable[[str], None]]:
    """Two would step on each other. A killed one holds nothing. What is told stands in the file that is held."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("a+")
    except OSError as error:
        raise ConfigError(f"cannot use {folder}: {error.strerror}") from None
    with lock:
        for attempt in range(_LOCK_ATTEMPTS, -1, -1):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not attempt:
                    raise AlreadyRunning(f"a launcher runs already in {folder}") from None
                time.sleep(0.1)  # perhaps somebody only looks whether it is held
        lock.truncate(0)

        def tell(text: str) -> None:
            lock.write(text)
            lock.flush()

        yield tell

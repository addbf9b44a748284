"""Ports of this machine that lead to a cluster's head, through its agent: into the lease and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.advert import find_agent
from ionet.agent_api import AgentClient, Urls
from ionet.agent_delegation import delegate
from ionet.agent_errors import AgentError
from ionet.agent_ports import Port, pass_on
from ionet.client import Client
from ionet.errors import InvalidInput, IonetError
from ionet.renting.credentials import written

LOCAL = {Port.DASHBOARD: 8265, Port.RAY: 10001}
"""Where Ray's own have their ports by default, as everybody knows them."""
MOST = 32
"""Connections at once; others wait until one has ended."""
_HOST = "127.0.0.1"
Tell = Callable[[str], None]


class Forward(NamedTuple):
    """local: port of this machine's loopback, 0 for a free one. remote: of the head."""

    local: int
    remote: Port | int


def forward(text: str) -> Forward:
    """`8888`, `LOCAL:REMOTE`, `dashboard`, `ray`, `LOCAL:ray`. Raises InvalidInput."""
    left, colon, right = text.rpartition(":")
    names = {Port.DASHBOARD.value: Port.DASHBOARD, Port.RAY.value: Port.RAY}
    remote: Port | int = names[right] if right in names else _number(right, text)
    if colon:
        return Forward(_number(left, text, least=0), remote)
    return Forward(LOCAL[remote] if isinstance(remote, Port) else remote, remote)


def _number(text: str, whole: str, least: int = 1) -> int:
    if not (text.isascii() and text.isdecimal() and least <= int(text[:6]) < 2**16):
        raise InvalidInput(f"{whole!r} is no port: 8888, LOCAL:REMOTE, dashboard, ray, LOCAL:ray")
    return int(text)


class Head:
    """The agent of a cluster's head, whoever that is now. Each connection has a key of its own, of the wallet."""

    def __init__(self, client: Client, wallet: Keypair, cluster: Pubkey, api: str) -> None:
        self._client, self._wallet, self._cluster, self._api = client, wallet, cluster, api
        self._found: tuple[Urls, Pubkey, Pubkey, str] | None = None

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[tuple[AgentClient, str]]:
        """Its client and its lease. Raises NoHead, and what the indexer answers."""
        if self._found is None:
            lease = await self._client.cluster.head(self._cluster)
            address = (await self._client.cluster.get(self._cluster)).head_lease
            device = (await self._client.node.get(lease.node)).device_key
            self._found = (await find_agent(self._api, lease.node), device, lease.node, str(address))
        urls, device, node, address_text = self._found
        caller = delegate(self._wallet, self._cluster, time.time())
        try:
            async with AgentClient(urls, device, caller, node=node) as agent:
                yield agent, address_text
        except AgentError:
            self._found = None  # another node may be the head by now
            raise


class Tunnel:
    """ports: where each forward listens. environment: what Ray's client and `ray job` need."""

    def __init__(self, ports: Mapping[Port | int, int], environment: Mapping[str, str]) -> None:
        self.ports, self.environment = ports, environment

    @property
    def dashboard(self) -> str | None:
        """Its URL, also that of the Jobs API."""
        return None if Port.DASHBOARD not in self.ports else f"http://{_HOST}:{self.ports[Port.DASHBOARD]}"

    @property
    def ray(self) -> str | None:
        """What `ray.init` takes."""
        return None if Port.RAY not in self.ports else f"ray://{_HOST}:{self.ports[Port.RAY]}"


@asynccontextmanager
async def tunnel(head: Head, forwards: Sequence[Forward], folder: Path, tell: Tell) -> AsyncIterator[Tunnel]:
    """Listen on this machine's loopback for the length of the block. folder: gets token and certificates.

    tell: of each connection that came to nothing. Raises InvalidInput for ports that are taken, and what the agent
    refuses with.
    """
    places = asyncio.Semaphore(MOST)
    async with AsyncExitStack() as stack:
        async with head.agent() as (agent, _):
            environment = written(await agent.credentials(), folder)
        del environment["RAY_ADDRESS"]  # one of the cluster's own network
        tasks: set[asyncio.Task[None]] = set()
        stack.push_async_callback(_end, tasks)
        ports: dict[Port | int, int] = {}
        for each in forwards:
            ports[each.remote] = await _listen(stack, head, each, places, tasks, tell)
        made = Tunnel(ports, environment)
        if made.ray is not None:
            environment["RAY_ADDRESS"] = made.ray
        if made.dashboard is not None:
            environment["RAY_API_SERVER_ADDRESS"] = made.dashboard
        yield made


async def _listen(
    stack: AsyncExitStack,
    head: Head,
    each: Forward,
    places: asyncio.Semaphore,
    tasks: set[asyncio.Task[None]],
    tell: Tell,
) -> int:
    """The port. Raises InvalidInput."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            async with places, head.agent() as (agent, lease):
                there = await agent.ports.reach(each.remote, lease)
                try:
                    await pass_on((reader, writer), there)
                finally:
                    there[1].transport.abort()
        except IonetError as error:
            tell(f"{each.remote}: {error}")
        except OSError:
            pass  # either end has gone
        finally:
            writer.transport.abort()
            tasks.discard(task)

    try:
        server = await asyncio.start_server(serve, _HOST, each.local)
    except OSError as error:
        other = f"{each.local + 1}:{each.remote}"
        raise InvalidInput(f"port {each.local} of this machine: {error.strerror}; {other} takes another") from None
    stack.callback(server.close)
    return int(server.sockets[0].getsockname()[1])


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    for task in list(tasks):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)

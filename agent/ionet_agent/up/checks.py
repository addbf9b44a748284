"""What has to be right on a machine before it is worth a stake. Each check says what is so, and what would help."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from ionet.client import Client
from ionet.errors import ConfigError, IonetError
from ionet.listening import refuse_taken
from ionet.offers import asking
from ionet.relay_wire import CONTROL, MAX_LINE, Hello, decode

from ionet_agent.config import AgentConfig
from ionet_agent.isolation import new_runtime
from ionet_agent.isolation.runtime import Runtime
from ionet_agent.relay import RelayAddress

_RELAY_SECS = 5.0
_CLOCK_SECS = 15
"""As far as the machine's clock may be from the chain's; indexers refuse what is dated much worse."""


class State(StrEnum):
    """How a check ended. Nothing is registered after a failed one."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Check(NamedTuple):
    """remedy: what would help; empty where nothing has to."""

    name: str
    state: State
    detail: str
    remedy: str = ""


class NotReady(IonetError):
    """this machine is not ready to serve, so nothing was sent"""


def require(checks: Sequence[Check]) -> None:
    """Raises NotReady, which names what failed."""
    failed = [check for check in checks if check.state is State.FAILED]
    if failed:
        raise NotReady("; ".join(f"{check.name}: {check.detail}" for check in failed))


def runtime(config: AgentConfig) -> Check:
    """Whether renters' code finds Ray."""
    python = (Runtime.own() if config.runtime is None else Runtime.at(config.runtime)).python
    if new_runtime.works(python):
        return Check("Ray runtime", State.OK, str(python))
    remedy = "make one with `ionet node runtime`, and name it with --runtime"
    return Check("Ray runtime", State.FAILED, f"{python} has no working Ray", remedy)


def isolation(config: AgentConfig) -> tuple[Check, AgentConfig]:
    """The best level that works here, tried out; and the settings with it."""
    try:
        chosen = config.with_level()
    except ConfigError as error:
        return Check("isolation", State.FAILED, error.detail), config
    if chosen.isolation == "none":
        return Check("isolation", State.WARNING, "none: for your own leases only", "install bubblewrap"), chosen
    return Check("isolation", State.OK, chosen.isolation), chosen


def ports(config: AgentConfig) -> list[Check]:
    """Whether the API's and Ray's are free."""
    try:
        refuse_taken(config.port, "--listen", config.host)
        api = Check("API's port", State.OK, f"{config.host}:{config.port}")
    except IonetError as error:
        api = Check("API's port", State.FAILED, str(error), "--listen")
    taken = [port for port in config.ports if not _is_free(port)]
    said = f"{config.ports.start}-{config.ports.stop - 1}"
    if taken:
        return [api, Check("Ray's ports", State.FAILED, f"{said}: {taken[0]} is in use", "choose others with --ports")]
    return [api, Check("Ray's ports", State.OK, said)]


def _is_free(port: int) -> bool:
    """On every address: Ray's head listens on all of them. Connections that are over do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


async def clock(client: Client) -> Check:
    """The machine's against the chain's."""
    away = round(time.time()) - await client.rpc.unix_time()
    detail = f"{abs(away)} s {'ahead of' if away > 0 else 'behind'} the chain's" if away else "as the chain's"
    if abs(away) <= _CLOCK_SECS:
        return Check("clock", State.OK, detail)
    return Check("clock", State.WARNING, detail, "time is the chain's, but indexers may refuse adverts: set it by NTP")


async def indexer(url: str) -> Check:
    """Whether somebody is there who tells renters of the node."""
    try:
        async with asyncio.timeout(_RELAY_SECS), asking(url) as http:
            answer = await http.get("/health")
        if answer.status_code == 200:
            return Check("indexer", State.OK, url)
        detail = f"{url} answers with HTTP {answer.status_code}"
    except (IonetError, TimeoutError) as error:
        detail = str(error) or f"{url} does not answer"
    return Check("indexer", State.WARNING, detail, "renters do not find the node until one is told of it: --indexer")


async def relays(addresses: Sequence[str]) -> list[Check]:
    """Whether each is one, and answers."""
    return list(await asyncio.gather(*map(_relay, addresses)))


async def _relay(text: str) -> Check:
    name = f"relay {text}"
    try:
        address = RelayAddress.parse(text)
        async with asyncio.timeout(_RELAY_SECS):
            reader, writer = await asyncio.open_connection(address.host, address.port, limit=MAX_LINE)
            try:
                writer.write(CONTROL)
                await writer.drain()
                said = decode(await reader.readline())
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError, IonetError) as error:
        return Check(name, State.FAILED, str(error) or f"no answer within {_RELAY_SECS:g} s", "name another --relay")
    if not isinstance(said, Hello):
        return Check(name, State.FAILED, "it is busy", "name another --relay")
    return Check(name, State.OK, "answers")

"""Wires one agent and runs it until a signal: chain, journal, provider, prover, API."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ionet.client import Client
from ionet.errors import AlreadyRunning, ConfigError
from ionet.generated import pdas
from ionet.wallet import read_keypair
from solders.pubkey import Pubkey

from ionet_agent.auth import Gate
from ionet_agent.journal import Journal
from ionet_agent.loop import Loop
from ionet_agent.providers.base import Provider
from ionet_agent.providers.local import LocalProvider
from ionet_agent.report import measure
from ionet_agent.rpc_node_chain import RpcNodeChain
from ionet_agent.serve import serving
from ionet_agent.server import Api
from ionet_agent.upload import LeafUploader


@dataclass(frozen=True)
class AgentConfig:
    """Settings of one agent.

    node: None derives it from the device key, right unless that key was rotated. ports: for Ray, at least 15. ip: the
    node's address inside the cluster. host, port: where the API listens. indexer: url that takes leaves, or None.
    poll_secs: how often the chain is looked at; a small part of the proof interval.
    """

    url: str
    device_key: Path
    base: Path
    ip: str
    ports: range
    host: str = "127.0.0.1"
    port: int = 0
    node: Pubkey | None = None
    indexer: str | None = None
    num_cpus: int = 1
    poll_secs: float = 0.5


async def run(config: AgentConfig, announce: Callable[[Pubkey, int], None]) -> None:
    """Run until SIGTERM or SIGINT, then end the Ray process too. `announce` gets the node and the API's port."""
    device = read_keypair(config.device_key)
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_only_one(config.base))
        client = await stack.enter_async_context(Client(config.url, device))
        node = config.node or pdas.node(client.program.id, device.pubkey())
        journal = stack.enter_context(contextlib.closing(Journal(config.base / "journal.db")))
        spools = config.base / "spool"
        provider: Provider = LocalProvider(
            config.base, node=str(node), ip=config.ip, ports=config.ports, spool=spools, num_cpus=config.num_cpus
        )
        report = measure()
        uploader = LeafUploader(config.indexer, journal, device) if config.indexer else None
        if uploader is not None:
            stack.push_async_callback(uploader.close)
        agent = Loop(
            RpcNodeChain(client, node, device),
            journal,
            provider,
            spools,
            report_hash=report.hash(),
            uploader=uploader,
            poll_secs=config.poll_secs,
        )
        api = Api(Gate(node, journal, agent.view), journal, provider, report)
        try:
            port = await stack.enter_async_context(serving(api.app(), config.host, config.port))
        except OSError as error:
            raise ConfigError(f"cannot listen on {config.host}:{config.port}: {error.strerror}") from None
        announce(node, port)
        await agent.run(stopping)


@contextlib.contextmanager
def _only_one(base: Path) -> Iterator[None]:
    """Hold the folder: two agents with one device key would contradict each other on the chain."""
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (base / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(str(base)) from None
        yield

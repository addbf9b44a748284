"""Ray of this process, connected to a cluster through a tunnel."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet.agent_ports import Port
from ionet.client import Client
from ionet.errors import ConfigError
from ionet.renting.blocking import Blocking
from ionet.renting.tunnel import Forward, Head, Tell, Tunnel, tunnel


class Way(NamedTuple):
    """To a cluster. url: of the chain; api: of the indexer."""

    url: str
    wallet: Keypair
    cluster: Pubkey
    api: str


@asynccontextmanager
async def connected(way: Way, tell: Tell) -> AsyncIterator[Any]:
    """The module `ray`, connected for the length of the block.

    Raises ConfigError where this process has no Ray, or has it connected elsewhere; what Ray raises; and what the agent
    refuses with.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError("it takes ray[client], in the version that the cluster has") from None
    if ray.is_initialized():
        raise ConfigError("Ray is connected already in this process: ray.shutdown() ends that")
    with tempfile.TemporaryDirectory(prefix="ionet-") as folder:
        # In a loop of its own: what Ray is asked for blocks whoever asks, and its answer comes through here.
        there = Blocking(_opened(way, Path(folder), tell))
        opened = await asyncio.to_thread(there.__enter__)
        before = {name: os.environ.get(name) for name in opened.environment}
        try:
            _take(opened.environment)
            await asyncio.to_thread(ray.init, opened.ray, logging_level=logging.ERROR)
            yield ray
        finally:
            await asyncio.to_thread(ray.shutdown)
            _take(before)
            await asyncio.to_thread(there.__exit__, None, None, None)


@asynccontextmanager
async def _opened(way: Way, folder: Path, tell: Tell) -> AsyncIterator[Tunnel]:
    async with Client(way.url) as client:
        head = Head(client, way.wallet, way.cluster, way.api)
        async with tunnel(head, [Forward(0, Port.RAY)], folder, tell) as opened:
            yield opened


def _take(environment: Mapping[str, str | None]) -> None:
    """Into this process's environment, and have Ray read it again: it does so once, when it is imported."""
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()

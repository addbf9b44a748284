"""What kills: every part in turn, in an order and at moments that a seed decides."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from chaos.network import Network, parts
from ionet_agent import processes
from launcher.stack import ray_mains

CALM_SECS, DOWN_SECS = (0.3, 4.0), (0.0, 1.0)


class Monkey:
    """kills: how often each part died so far."""

    def __init__(self, network: Network, seed: int) -> None:
        self.kills = {part.name: 0 for part in parts(network)}
        self._parts = parts(network)
        self._draw = random.Random(seed)
        self._peace = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Meanwhile parts die; afterwards all run again."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            async with self._peace:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _work(self) -> None:
        while True:
            for part in self._draw.sample(self._parts, len(self._parts)):
                await asyncio.sleep(self._draw.uniform(*CALM_SECS))
                async with self._peace:
                    await part.die()
                    self.kills[part.name] += 1
                    await asyncio.sleep(self._draw.uniform(*DOWN_SECS))
                    await part.back()


class RayWatch:
    """Looks all the time at the Ray nodes that run. starts: by node number, every main process that was ever seen."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.starts: list[set[tuple[int, int]]] = [set() for _ in network.agents]
        self.most_at_once = 0

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._look())
        try:
            yield
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            for number, seen in enumerate(self.starts):
                mains = ray_mains(self._network.base(number))
                self.most_at_once = max(self.most_at_once, len(mains))
                seen |= {(pid, ticks) for pid in mains if (ticks := processes.start_ticks(pid)) is not None}
            await asyncio.sleep(0.4)

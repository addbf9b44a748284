"""Calls to agents, many at a time, none of which can hold up a step.

A step waits for an answer only for a moment. A call that takes longer goes on by itself, within its own deadline, and
its answer is for the next step that asks the same. A node that was late is not waited for at all until it is quick
again, so a hostile one costs a launcher one moment.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Hashable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

from ionet.agent_api import AgentClient
from ionet.agent_errors import AgentUnreachable
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher.clients import Clients
from ionet_launcher.device_keys import DeviceKeys

SOON_SECS = 0.5
"""How long a step waits for an answer."""
# Nodes asked at the same time, the late ones not counted.
_CALLS_AT_ONCE = 256
# How long a step waits for its calls to be made at all, when thousands are.
_MOST_SECS = 15.0
# How long an answer is kept for the next who asks, and how long it is good for when no newer one is there.
_KEEP_SECS, _LAST_SECS = 60.0, 15.0
T = TypeVar("T")
Call = Callable[[AgentClient], Coroutine[Any, Any, T]]


class Late(AgentUnreachable):
    """the node's agent has not answered yet"""


class Calls:
    """Calls to the agents at `urls` (node → URL) that hold the nodes' device keys, with the key `session`."""

    def __init__(
        self, session: Keypair, urls: Mapping[Pubkey, str], keys: DeviceKeys, *, soon_secs: float = SOON_SECS
    ) -> None:
        self._clients, self._soon_secs = Clients(session, urls, keys), soon_secs
        self._places = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._flights: dict[Hashable, _Flight[Any]] = {}
        self._last: dict[Hashable, Any] = {}
        self._late: set[Pubkey] = set()

    async def aclose(self) -> None:
        """End all calls."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._clients.aclose()

    def client(self, node: Pubkey) -> AbstractAsyncContextManager[AgentClient]:
        """A client for the agent of a node, open within the block, for what takes its own time.

        Raises NoAgent, KeyUnknown.
        """
        return self._clients.of(node)

    async def answer(
        self,
        node: Pubkey,
        what: str,
        call: Call[T],
        about: Hashable = None,
        *,
        quick: bool = True,
        last: bool = False,
    ) -> T:
        """The answer to `call`, which is begun unless the same (node, what, about) is on its way or has ended unseen.

        quick: whether a node that takes longer than a moment is late. last: a late node's last answer will do, if it is
        not too old. Raises Late when there is none, NoAgent, and whatever the call raised.
        """
        key = (node, what, about)
        flight: _Flight[T] = self._flights.get(key) or self._begin(node, key, call, quick)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_MOST_SECS):
                await flight.moment.wait()
        if not flight.task.done():
            if last and key in self._last:
                kept: T = self._last[key]
                return kept
            raise Late
        if self._flights.get(key) is flight:
            del self._flights[key]
        return flight.task.result()

    def _begin(self, node: Pubkey, key: Hashable, call: Call[T], quick: bool) -> _Flight[T]:
        flight = self._flights[key] = _Flight(self._fly(node, key, call, quick))
        flight.task.add_done_callback(lambda _: _later_without(self._flights, key, flight, _KEEP_SECS))
        return flight

    async def _fly(self, node: Pubkey, key: Hashable, call: Call[T], quick: bool) -> T:
        flight, loop = self._flights[key], asyncio.get_running_loop()
        async with self._clients.of(node) as client:
            async with self._places:
                begun = loop.time()
                going = asyncio.ensure_future(call(client))
                await _until(going, 0 if node in self._late else self._soon_secs)
            if not going.done():
                if quick:
                    self._late.add(node)
                flight.moment.set()
            await _until(going, None)
            if loop.time() - begun < self._soon_secs:
                self._late.discard(node)
            self._last[key] = answer = going.result()
            _later_without(self._last, key, answer, _LAST_SECS)
            return answer


class _Flight(Generic[T]):
    """A call on its way. moment: set when it has ended, or is late."""

    def __init__(self, call: Coroutine[Any, Any, T]) -> None:
        self.moment, self.task = asyncio.Event(), asyncio.create_task(call)
        self.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # perhaps nobody asks again
        self.moment.set()


async def _until(going: asyncio.Future[T], secs: float | None) -> None:
    """Wait until it has ended, or for some seconds; it ends with the task that waits."""
    try:
        await asyncio.wait({going}, timeout=secs)
    except asyncio.CancelledError:
        going.cancel()
        raise


def _later_without(kept: dict[Hashable, Any], key: Hashable, value: object, secs: float) -> None:
    """Drop a value that is too old by then, unless another has taken its place."""

    def drop() -> None:
        if kept.get(key) is value:
            del kept[key]

    asyncio.get_running_loop().call_later(secs, drop)

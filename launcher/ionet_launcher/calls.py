"""Calls to agents, many at a time, none of which can hold up a step.

A step waits for an answer only for a moment. A call that takes longer goes on by itself, within its own deadline, and
its answer is for the next step that asks the same. A node that was late is not waited for at all until it is quick
again, so a hostile one costs a launcher one moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Hashable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from ionet.agent_api import AgentClient, Urls
from ionet.agent_errors import AgentError, AgentUnreachable
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from ionet_launcher.clients import MAX_CLIENTS, Clients
from ionet_launcher.device_keys import DeviceKeys
from ionet_launcher.flights import Flight, Flights, later_without

SOON_SECS = 0.5
"""How long a step waits for an answer."""
# Nodes asked at the same time, the late ones not counted.
_CALLS_AT_ONCE = 256
# How long a step waits for its calls to be made at all, when thousands are.
_MOST_SECS = 15.0
# How long an answer is kept for the next who asks, and how long it is good for when no newer one is there.
_KEEP_SECS, _LAST_SECS = 60.0, 15.0
# How many answers are kept so: as many as clients.
_MOST_LAST = MAX_CLIENTS
_log = logging.getLogger(__name__)
T = TypeVar("T")
Call = Callable[[AgentClient], Coroutine[Any, Any, T]]


class Late(AgentUnreachable):
    """the node's agent has not answered yet"""


class Calls:
    """Calls to the agents at `urls` (of each node) that hold the nodes' device keys, with the key `session`."""

    def __init__(
        self, session: Keypair, urls: Mapping[Pubkey, Urls], keys: DeviceKeys, *, soon_secs: float = SOON_SECS
    ) -> None:
        self._clients, self._soon_secs = Clients(session, urls, keys), soon_secs
        self._places = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._flights: Flights[Any] = Flights(_KEEP_SECS)
        self._last: dict[Hashable, Any] = {}
        self._late: set[Pubkey] = set()

    async def aclose(self) -> None:
        """End all calls."""
        await self._flights.aclose()
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
        flight: Flight[T] | None = self._flights.get(key)
        if flight is None:
            flight = self._flights.begin(key, self._fly(node, key, call, quick, last))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_MOST_SECS):
                await flight.moment.wait()
        if not flight.task.done():
            if last and key in self._last:
                kept: T = self._last[key]
                return kept
            raise Late
        answer: T = self._flights.seen(key, flight)
        return answer

    async def _fly(self, node: Pubkey, key: Hashable, call: Call[T], quick: bool, last: bool) -> T:
        """The answer. Whatever goes wrong is a fault of the node's: it ends no step, which is about others too."""
        try:
            return await self._ask(node, key, call, quick, last)
        except AgentError:
            raise
        except Exception as error:
            _log.exception("a call to node %s", node, extra={"action": "crash"})
            raise AgentUnreachable(f"the call failed: {type(error).__name__}") from None

    async def _ask(self, node: Pubkey, key: Hashable, call: Call[T], quick: bool, last: bool) -> T:
        flight, loop = self._flights.get(key), asyncio.get_running_loop()
        async with self._clients.of(node) as client:
            async with self._places:
                begun = loop.time()
                going = asyncio.ensure_future(call(client))
                await _until(going, 0 if node in self._late else self._soon_secs)
            if not going.done():
                if quick:
                    self._late.add(node)
                if flight is not None:
                    flight.moment.set()
            await _until(going, None)
            if loop.time() - begun < self._soon_secs:
                self._late.discard(node)
            answer = going.result()
            if last:
                self._keep(key, answer)
            return answer

    def _keep(self, key: Hashable, answer: object) -> None:
        """For a moment in which the node is late, and of the nodes asked last only."""
        self._last.pop(key, None)
        self._last[key] = answer
        later_without(self._last, key, answer, _LAST_SECS)
        if len(self._last) > _MOST_LAST:
            del self._last[next(iter(self._last))]


async def _until(going: asyncio.Future[T], secs: float | None) -> None:
    """Wait until it has ended, or for some seconds; it ends with the task that waits."""
    try:
        await asyncio.wait({going}, timeout=secs)
    except asyncio.CancelledError:
        going.cancel()
        raise

"""The machine side of an agent: look at the chain and make the machine agree with it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from ionet.agent_api import Phase, Status
from ionet.errors import ChainRefused, NotEnough
from ionet.generated.enums import LeaseStatus, NodeFlag
from ionet.lease_view import NodeView
from ionet.rules.lease_time import runs_at

from ionet_agent.alarms import Alarms
from ionet_agent.gpu_watch import Seen
from ionet_agent.journal import Journal
from ionet_agent.node_chain import NodeChain
from ionet_agent.opening import Opening
from ionet_agent.overlay.joining import ClusterNetwork
from ionet_agent.providers.base import Provider
from ionet_agent.proving import note_uptime

_MIN_BACKOFF_SECS, _MAX_BACKOFF_SECS = 1.0, 5.0
_log = logging.getLogger(__name__)


class Uploader(Protocol):
    """Hands the leaves of landed proofs to an indexer."""

    async def step(self) -> None:
        """Upload what nobody has yet. Never raises for an indexer that does not answer."""


class Loop:
    """One node: its view of the chain and its Ray process."""

    def __init__(
        self,
        chain: NodeChain,
        journal: Journal,
        provider: Provider,
        opening: Opening,
        *,
        report_hash: bytes,
        alarms: Alarms | None = None,
        uploader: Uploader | None = None,
        network: ClusterNetwork | None = None,
        poll_secs: float = 0.5,
        gpus: Callable[[], Seen] = lambda: Seen([]),
    ) -> None:
        self._gpus = gpus
        self._chain, self._journal, self._provider = chain, journal, provider
        self._opening, self.alarms = opening, alarms or Alarms()
        self._report_hash, self._uploader, self._poll_secs = report_hash, uploader, poll_secs
        self._network = network
        self._view: NodeView | None = None
        self._viewed_at = 0.0
        self._reading: asyncio.Task[NodeView] | None = None
        self._uploading: asyncio.Task[None] | None = None
        self._asked_at = 0.0
        self._restart_at, self._backoff = 0.0, _MIN_BACKOFF_SECS

    async def view(self, fresh: bool) -> NodeView:
        """The node as last read; `fresh` reads it again, though not more than once per half poll, whoever asks."""
        now, half = time.monotonic(), self._poll_secs / 2
        age = now - self._viewed_at
        if self._view is not None and age <= 4 * self._poll_secs and not (fresh and age > half):
            return self._view
        reading = self._reading
        if reading is None or (reading.done() and (reading.exception() is None or now - self._asked_at > half)):
            reading = self._reading = asyncio.create_task(self._look())
            self._asked_at = now
        # Everybody waits for the same answer, and gets the same error when none came.
        return await asyncio.shield(reading)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then end the Ray process too."""
        await self._adopt(stopping)
        loop, told = asyncio.create_task(self._loop()), asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait([loop, told], return_when=asyncio.FIRST_COMPLETED)
            if loop.done():
                loop.result()  # an error nobody expected: end, and leave Ray to the next agent
        finally:
            # Cancelling is safe at any point, just as a kill is.
            tasks = [loop, told] if self._uploading is None else [loop, told, self._uploading]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        status = await self._provider.status()
        if status.lease is not None:
            await self._provider.stop(status.lease)
            self._opening.end(status.lease)
        if self._network is not None:
            await self._network.look(None, 0, None)

    async def _adopt(self, stopping: asyncio.Event) -> None:
        """Take over what an earlier agent left, however often that takes."""
        while not stopping.is_set():
            with self.alarms.guard("taking over", Exception):
                await self._provider.adopt()
                return
            await asyncio.sleep(self._poll_secs)

    async def _loop(self) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(self._poll_secs)

    async def tick(self) -> None:
        """One round. What does not work now is an alarm, and is tried again in the next."""
        view = None
        with self.alarms.guard("machine's view of the chain"):
            view = await self._look()
        if view is not None:
            # Of what a renter's code leaves behind anything may go wrong, and nothing ends this process.
            with self.alarms.guard("machine", Exception):
                await self._agree(view)
        # By itself: no indexer holds up what the chain wants.
        if self._uploader is not None and (self._uploading is None or self._uploading.done()):
            self._uploading = asyncio.create_task(self._upload(self._uploader))

    async def _upload(self, uploader: Uploader) -> None:
        with self.alarms.guard("upload", Exception):
            await uploader.step()

    async def _agree(self, view: NodeView) -> None:
        status = await self._provider.tend()
        self._opening.look(view.lease, status)
        # The prover does so too; this is for the seconds before a member is stopped.
        with self.alarms.guard("uptime"):
            note_uptime(self._journal, self._gpus().of(status, view.find(status.lease)), view.now)
        with self.alarms.guard("answer to a booking"):
            await self._answer(view, status)
        if self._network is not None:
            with self.alarms.guard("network"):
                await self._network.look(view.lease, view.now, status.lease)
        await self._run_ray(view, status)

    async def _look(self) -> NodeView:
        self._view, self._viewed_at = await self._chain.view(), time.monotonic()
        return self._view

    async def _answer(self, view: NodeView, status: Status) -> None:
        """Tell the chain that the machine is reserved for a new booking, or is there again after it missed one."""
        if status.lease is not None:
            return  # a member of an earlier lease has to end first
        if view.lease is not None and view.lease.status == LeaseStatus.BOOKED:
            if self._gpus().about(view.lease) is not None:
                return  # an alarm says so; not ready costs less than a promise that is not kept
            signed = await self._chain.sign_ready(view.lease, self._report_hash)
        elif view.lease is None and view.flags & NodeFlag.ABSENT:
            signed = await self._chain.sign_return()
        else:
            return
        try:
            await self._chain.send(signed)
        except NotEnough:
            raise  # an alarm, for as long as it is so
        except ChainRefused as error:
            # Too late, or somebody else was first: the next look tells what is so now.
            _log.info("not said to the chain: %s", error, extra={"action": "answer_refused"})

    async def _run_ray(self, view: NodeView, status: Status) -> None:
        lease = view.lease
        if status.lease is None:
            return
        if lease is None or str(lease.address) != status.lease or not runs_at(lease, view.now):
            _log.info("lease %s is over: stopping its member", status.lease, extra={"action": "stop_member"})
            await self._provider.stop(status.lease)
        elif self._opening.is_over(lease):
            await self._shut(status.lease)
        elif status.phase is Phase.FAILED:
            await self._restart(status)
        elif status.phase is Phase.UP:
            self._backoff = _MIN_BACKOFF_SECS

    async def _shut(self, name: str) -> None:
        """End a member that nobody accepted in time, unless it was accepted since this round began."""
        view = await self._look()
        if view.lease is None or str(view.lease.address) != name or not self._opening.is_over(view.lease):
            return
        text = "lease %s: not accepted, and its time for the check is over: stopping its member"
        _log.warning(text, name, extra={"action": "check_over"})
        await self._provider.stop(name)

    async def _restart(self, status: Status) -> None:
        if time.monotonic() < self._restart_at:
            return
        _log.warning("Ray ended (%s); starting it again", status.reason, extra={"action": "restart_member"})
        self._restart_at = time.monotonic() + self._backoff
        self._backoff = min(self._backoff * 2, _MAX_BACKOFF_SECS)
        await self._provider.restart()

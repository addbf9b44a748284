"""The agent's loop: look at the chain, make the machine agree with it, prove what was served."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Protocol

from ionet.agent_api import Phase, Status
from ionet.errors import ChainRefused, IonetError
from ionet.generated.enums import LeaseStatus, NodeFlag
from ionet.lease_view import NodeView
from ionet.rules.disputes import may_be_disputed
from ionet.rules.lease_time import runs_at

from ionet_agent.defender import Defender
from ionet_agent.journal import Journal
from ionet_agent.leaver import Leaver
from ionet_agent.node_chain import NodeChain
from ionet_agent.prover import Prover
from ionet_agent.providers.base import Provider

_MIN_BACKOFF_SECS, _MAX_BACKOFF_SECS = 1.0, 5.0
_log = logging.getLogger(__name__)


class Uploader(Protocol):
    """Hands the leaves of landed proofs to an indexer."""

    async def step(self) -> None:
        """Upload what nobody has yet. Never raises for an indexer that does not answer."""


class Loop:
    """One node: its view of the chain, its Ray process, its proofs. `spools` holds a spool file per lease."""

    def __init__(
        self,
        chain: NodeChain,
        journal: Journal,
        provider: Provider,
        spools: Path,
        *,
        report_hash: bytes,
        uploader: Uploader | None = None,
        poll_secs: float = 0.5,
    ) -> None:
        self._chain, self._journal, self._provider, self._spools = chain, journal, provider, spools
        self._prover = Prover(chain, journal, spools)
        self._defender = Defender(chain, journal)
        self._leaver = Leaver(chain, journal)
        self._report_hash, self._uploader, self._poll_secs = report_hash, uploader, poll_secs
        self._view: NodeView | None = None
        self._viewed_at = 0.0
        self._restart_at, self._backoff = 0.0, _MIN_BACKOFF_SECS

    async def view(self, fresh: bool) -> NodeView:
        """The node as last read; `fresh` reads it again, though not more than once per half poll."""
        age = time.monotonic() - self._viewed_at
        if self._view is None or age > 4 * self._poll_secs or (fresh and age > self._poll_secs / 2):
            self._view, self._viewed_at = await self._chain.view(), time.monotonic()
        return self._view

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then end the Ray process too."""
        await self._provider.adopt()
        loop, told = asyncio.create_task(self._loop()), asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait([loop, told], return_when=asyncio.FIRST_COMPLETED)
            if loop.done():
                loop.result()  # an error nobody expected: end, and leave Ray to the next agent
        finally:
            # Cancelling is safe at any point, just as a kill is.
            for task in (loop, told):
                task.cancel()
            await asyncio.wait([loop, told])
        status = await self._provider.status()
        if status.lease is not None:
            await self._provider.stop(status.lease)

    async def _loop(self) -> None:
        while True:
            try:
                await self.tick()
            except IonetError as error:
                _log.warning("cannot go on yet: %s", error, extra={"action": "no_chain"})
            await asyncio.sleep(self._poll_secs)

    async def tick(self) -> None:
        """One round. Raises IonetError when the chain gives no useful answer; then the next round may do better."""
        view = await self._chain.view(self._journal.leases())
        self._view, self._viewed_at = view, time.monotonic()
        status = await self._provider.status()
        if status.lease is not None and status.phase is not Phase.FAILED:
            # A worker that waits for its head is at the renter's disposal too; before the meter starts, the chain
            # learns of no uptime.
            self._journal.seen_up(status.lease, str(status.since), view.now)
        # Before Ray is touched: stopping it can take longer than the last proof may wait.
        for lease in view.others if view.lease is None else (*view.others, view.lease):
            await self._prover.step(lease, view.now)
            await self._defender.step(lease)
        if view.lease is not None:
            await self._leaver.step(view.lease, view.now)
        await self._answer(view, status)
        await self._run_ray(view, status)
        if self._uploader is not None:
            await self._uploader.step()
        self._forget(view)

    async def _answer(self, view: NodeView, status: Status) -> None:
        """Tell the chain that the machine is reserved for a new booking, or is there again after it missed one."""
        if status.lease is not None:
            return  # a member of an earlier lease has to end first
        if view.lease is not None and view.lease.status == LeaseStatus.BOOKED:
            signed = await self._chain.sign_ready(view.lease, self._report_hash)
        elif view.lease is None and view.flags & NodeFlag.ABSENT:
            signed = await self._chain.sign_return()
        else:
            return
        try:
            await self._chain.send(signed)
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
        elif status.phase is Phase.FAILED:
            await self._restart(status)
        elif status.phase is Phase.UP:
            self._backoff = _MIN_BACKOFF_SECS

    async def _restart(self, status: Status) -> None:
        if time.monotonic() < self._restart_at:
            return
        _log.warning("Ray ended (%s); starting it again", status.reason, extra={"action": "restart_member"})
        self._restart_at = time.monotonic() + self._backoff
        self._backoff = min(self._backoff * 2, _MAX_BACKOFF_SECS)
        await self._provider.restart()

    def _forget(self, view: NodeView) -> None:
        """Drop what is known of leases that cannot be disputed any more and whose leaves are uploaded."""
        waiting = {proof.lease for proof in self._journal.to_upload()} if self._uploader is not None else set()
        for name in self._journal.leases():
            lease = view.find(name)
            if name not in waiting and (lease is None or not may_be_disputed(lease, view.now)):
                self._journal.forget(name)
                self._defender.forget(name)
                (self._spools / name).unlink(missing_ok=True)

"""Looks at the chain and proves, defends and leaves the node's leases: what no other part of an agent may stop.

It runs in a process of its own, which listens to nobody and starts nothing but its machine side. Of that it needs no
more than what is running, which it sees for itself.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ionet.agent_api import Phase, Status
from ionet.lease_view import LeaseView, NodeView
from ionet.rules.disputes import may_be_disputed

from ionet_agent.alarms import Alarms, Guard
from ionet_agent.defender import Defender
from ionet_agent.gpu_watch import Seen
from ionet_agent.journal import Journal
from ionet_agent.leaver import Leaver
from ionet_agent.node_chain import NodeChain
from ionet_agent.prover import Prover

_RESERVE_SECS, _FULL_BYTES = 30.0, 1024 * 1024
# A clock that differs from the chain's by more than this is worth a warning.
_SKEW_SECS = 15
# A lease that one RPC node does not show may be too new for it, and known to the machine side from another.
_FORGET_SECS = 30.0


class Watch(Protocol):
    """Sees what runs on this machine; not more than a file and `/proc`."""

    async def status(self) -> Status:
        """What runs now."""


class Proving:
    """The proofs of one node. `spools`: a spool file per lease. uploads: whether leaves have to wait for an indexer."""

    def __init__(
        self,
        chain: NodeChain,
        journal: Journal,
        watch: Watch,
        spools: Path,
        *,
        alarms: Alarms | None = None,
        uploads: bool = False,
        poll_secs: float = 0.5,
        forget_secs: float = _FORGET_SECS,
        clock: Callable[[], float] = time.time,
        gpus: Callable[[], Seen] = lambda: Seen([]),
    ) -> None:
        self._chain, self._journal, self._watch, self._spools = chain, journal, watch, spools
        self.alarms = alarms or Alarms()
        self._prover = Prover(chain, journal, spools)
        self._defender = Defender(chain, journal)
        self._leaver = Leaver(chain, journal)
        self._uploads, self._poll_secs, self._clock, self._gpus = uploads, poll_secs, clock, gpus
        self._reserve_at, self._forget_secs = 0.0, forget_secs
        self._missing: dict[str, float] = {}

    async def run(self) -> None:
        """Work until cancelled, which is safe at any point, just as a kill is."""
        while True:
            await self.tick()
            await asyncio.sleep(self._poll_secs)

    async def tick(self) -> None:
        """One round. What does not work now is an alarm, and is tried again in the next."""
        if time.monotonic() >= self._reserve_at:
            self._reserve_at = time.monotonic() + _RESERVE_SECS
            with self._guard("journal"):
                full = not self._journal.reserve() or shutil.disk_usage(self._spools).free < _FULL_BYTES
                self.alarms.put("disk", "it is full; proofs go on with what was set aside" if full else None)
        view, known = None, list[str]()
        with self._guard("database"):
            known = self._journal.leases()
            with self._guard("chain"):
                view = await self._chain.view(known)
        if view is None:
            return
        skew = self._clock() - view.now
        apart = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the chain's"
        self.alarms.put("clock", apart if abs(skew) > _SKEW_SECS else None)
        with self._guard("uptime"):
            status = await self._watch.status()
            note_uptime(self._journal, self._gpus().of(status, view.find(status.lease)), view.now)
        for lease in view.others if view.lease is None else (*view.others, view.lease):
            await self._step(lease, view.now)
        if view.lease is not None:
            with self._guard("leaving"):
                await self._leaver.step(view.lease, view.now)
        with self._guard("journal"):
            self._forget(view, known)

    def _guard(self, name: str) -> Guard:
        # Also of errors that nobody expected: nothing on this side is worth more than the next round.
        return self.alarms.guard(name, Exception)

    async def _step(self, lease: LeaseView, now: int) -> None:
        # Each by itself: what is wrong with one lease must not keep another from its proof.
        with self._guard(f"proof of {lease.address}"):
            await self._prover.step(lease, now)
        with self._guard(f"defence of {lease.address}"):
            await self._defender.step(lease)

    def _forget(self, view: NodeView, known: Sequence[str]) -> None:
        """Drop what is known of leases that cannot be disputed any more and whose leaves are uploaded."""
        waiting = {proof.lease for proof in self._journal.to_upload()} if self._uploads else set()
        for name in known:
            lease = view.find(name)
            over = not may_be_disputed(lease, view.now) if lease is not None else self._is_gone(name)
            if lease is not None:
                self._missing.pop(name, None)
            if over and name not in waiting:
                self._journal.forget(name)
                self._defender.forget(name)
                self._missing.pop(name, None)
                self.alarms.end(f"proof of {name}")
                self.alarms.end(f"defence of {name}")
                (self._spools / name).unlink(missing_ok=True)

    def _is_gone(self, name: str) -> bool:
        """Whether a lease has not been on the chain for a while."""
        now = time.monotonic()
        return now - self._missing.setdefault(name, now) >= self._forget_secs


def note_uptime(journal: Journal, status: Status, now: int) -> None:
    """Note in the journal that a process was up at `now`, if one was."""
    if status.lease is not None and status.phase is not Phase.FAILED:
        # A worker that waits for its head is at the renter's disposal too; before the meter starts, the chain
        # learns of no uptime.
        journal.seen_up(status.lease, str(status.since), now)

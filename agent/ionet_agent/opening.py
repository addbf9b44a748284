"""How long the machine is open to a renter who has not accepted its lease yet: for two minutes, and no longer.

A renter has the accept deadline, twenty minutes, to check a machine, and may then reject it for little: that must not
be twenty minutes of its use. What counts is the time from the start of a member until all its processes have ended, and
not only while Ray says that it is up: a driver runs beside a member that is still starting, a head of the renter's own
decides when a worker has joined, and what the renter's code left behind runs on after Ray has failed.

The journal holds when the machine was opened, before anything is started, and for how long it was open before; nothing
is written while it is open. A kill therefore loses nothing: what was open counts until an agent sees that it is not.
Time is that of the machine since its boot, which nobody can set, and which goes on while the chain stands still; a
reboot ends the member, and what was not written yet is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ionet.agent_api import Status
from ionet.agent_errors import CheckTimeOver
from ionet.lease_view import LeaseView

from ionet_agent.journal import Journal

CHECK_SECS = 120.0


def boot_secs() -> float:
    """Seconds since the machine's boot, its sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Opening:
    """Counts for one node, over all members, restarts and agents. `limit_secs`: how long a lease has in all."""

    def __init__(
        self, journal: Journal, limit_secs: float = CHECK_SECS, *, clock: Callable[[], float] = boot_secs
    ) -> None:
        self._journal, self._limit, self._clock = journal, limit_secs, clock

    def begin(self, lease: LeaseView) -> None:
        """Count from now on, because a member is about to start. Raises CheckTimeOver when no time is left."""
        if lease.started_at:
            return
        if self.is_over(lease):
            raise CheckTimeOver(f"it was open for {self._limit:g} s; accepted, it can be started again")
        self._journal.open(str(lease.address), self._clock())

    def look(self, lease: LeaseView | None, status: Status) -> None:
        """Note what is open and what is not any more. lease: the node's own now."""
        counted = None if lease is None or lease.started_at else str(lease.address)
        for name in self._journal.opened():
            if name != counted or name != status.lease:
                self.end(name)
        if counted is not None and counted == status.lease:
            self._journal.open(counted, self._clock())

    def end(self, lease: str) -> None:
        """Stop counting: all processes of the lease's member have ended."""
        self._journal.shut(lease, self._clock())

    def left(self, lease: LeaseView) -> float | None:
        """Seconds for which a member may still run; None once the lease is accepted."""
        if lease.started_at:
            return None
        return max(0.0, self._limit - self._journal.open_secs(str(lease.address), self._clock()))

    def is_over(self, lease: LeaseView) -> bool:
        """Whether the lease is not accepted and has no time left."""
        return self.left(lease) == 0

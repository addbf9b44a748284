"""Leaves a lease whose renter withholds challenges, before that can cost more than it costs them.

An interval without a challenge cannot be defended, and undefended time counts towards the supplier's fault. The agent
leaves when two of the last eight intervals had none, before unchallenged and missed time together come near the
threshold at which the renter may end the lease as the supplier's fault, and before more was lost in disputes than the
renter pays for: beyond that, what nobody defends is refunded. The last two intervals are given up by it: the renter
pays them, nobody gets them. It costs no stake.
"""

from __future__ import annotations

import logging
import time

from ionet.errors import ChainRefused, NotEnough
from ionet.generated.enums import BPS, LeaseStatus
from ionet.lease_view import NONE, LeaseView

from ionet_agent.journal import Journal
from ionet_agent.node_chain import NodeChain

_LOOK_BACK, _MOST_SILENT = 8, 2
_RETRY_SECS = 5.0
_log = logging.getLogger(__name__)


class Leaver:
    """Watches the challenges of one node's leases."""

    def __init__(self, chain: NodeChain, journal: Journal) -> None:
        self._chain, self._journal = chain, journal
        self._next_try = 0.0

    async def step(self, lease: LeaseView, now: int) -> None:
        """Leave if it is time to. Raises IonetError when the chain does not answer."""
        if not self.is_time(lease, now) or time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + _RETRY_SECS
        try:
            await self._chain.send(await self._chain.sign_leave(lease))
        except NotEnough:
            raise  # an alarm, for as long as it is so
        except ChainRefused as error:
            text = "lease %s: it cannot be left yet: %s"
            _log.warning(text, lease.address, error, extra={"action": "leave_refused"})
            return
        text = "lease %s: left, because its challenges did not come"
        _log.warning(text, lease.address, extra={"action": "left"})

    def is_time(self, lease: LeaseView, now: int) -> bool:
        """Whether challenges were withheld for too long; only while a key exists whose disputes they would answer."""
        challenged = lease.parent is not None and lease.session_key != NONE and now < lease.parent.session_expires_at
        if lease.status != LeaseStatus.ACTIVE or now >= lease.ends_at or not challenged:
            return False
        silent = self._journal.silent_intervals(str(lease.address))
        recent = [interval for interval in silent if interval >= lease.ring_next - _LOOK_BACK]
        if len(recent) >= _MOST_SILENT:
            return True
        if not silent:
            return False
        lost = len(silent) * lease.interval_secs + lease.missed_secs
        unpaid = lease.undefended_secs + lease.held_secs
        # One more can be withheld, and one that is open already be disputed.
        return (
            lost + lease.interval_secs >= most_lost_secs(lease, now)
            or unpaid + 2 * lease.interval_secs > lease.fault_after_secs
        )


def most_lost_secs(lease: LeaseView, now: int) -> int:
    """Three quarters of the outage, or four fifths of the part of the metered time, that make a fault; the longer."""
    metered = now - lease.started_at
    return max(lease.fault_after_secs * 3 // 4, metered * lease.fault_bps * 4 // 5 // BPS)

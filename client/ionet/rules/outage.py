"""Silence of a node and what it costs: the program's own rules (`state/lease/outage.rs`). Pure.

Leases are those that their next instruction finds (`ionet.rules.restarts.caught_up`).
"""

from __future__ import annotations

from ionet.generated.accounts import Lease
from ionet.rules.lease_time import closed_intervals, interval_end, interval_start
from ionet.rules.restarts import Moment, recovery_left, since


def due_bps(lease: Lease, at: Moment) -> int:
    """Part of the required stake that can be charged now, in basis points."""
    return lease.pending_bps + max(0, _tier(lease, outage_secs(lease, at)) - lease.charged_bps)


def outage_secs(lease: Lease, at: Moment) -> int:
    """For how long the node has been silent; 0 before the first tier is reached."""
    first, closed = lease.kept_next, closed_intervals(lease, at.now)
    lost = max(0, closed - first) - excused_intervals(lease, first, closed)
    if lost < lease.tier1_intervals:
        return 0
    until = min(at.now, lease.ends_at)
    silent = since(at, lease.last_kept_at, lease.last_kept_slot, lease.slot_ms, until=until)
    excused = max(0, min(lease.excused_to, until) - max(lease.excused_from, lease.last_kept_at))
    return max(0, silent - excused)


def is_abandoned(lease: Lease, at: Moment) -> bool:
    """Whether anyone may end a running lease as the supplier's fault."""
    return recovery_left(lease, at) == 0 and outage_secs(lease, at) > lease.fault_after_secs


def missed_of(lease: Lease, interval: int, served: int) -> int:
    """Unserved seconds of one interval that are somebody's fault."""
    if excused_intervals(lease, interval, interval + 1):
        return 0
    return max(0, interval_end(lease, interval) - interval_start(lease, interval) - served)


def missed_between(lease: Lease, first: int, end: int) -> int:
    """Seconds of unproven intervals first..end, without those that are nobody's fault."""
    if end <= first:
        return 0
    excused_from, excused_to = _excused_range(lease, first, end)
    return _secs(lease, first, end) - _secs(lease, excused_from, excused_to)


def excused_intervals(lease: Lease, first: int, end: int) -> int:
    """How many of the intervals first..end are touched by a time that is nobody's fault."""
    low, high = _excused_range(lease, first, end)
    return max(0, high - low)


def _secs(lease: Lease, first: int, end: int) -> int:
    return max(0, interval_end(lease, end - 1) - interval_start(lease, first)) if end > first else 0


def _excused_range(lease: Lease, first: int, end: int) -> tuple[int, int]:
    if lease.excused_to == 0 or end <= first:
        return first, first
    length = max(1, lease.interval_secs)
    low = max(0, lease.excused_from - lease.started_at) // length
    high = -(-max(0, lease.excused_to - lease.started_at) // length)
    return min(max(low, first), end), min(max(high, first), end)


def _tier(lease: Lease, secs: int) -> int:
    if secs == 0 or secs < lease.interval_secs * lease.tier1_intervals:
        return 0
    return lease.tier_bps[sum(secs >= bound for bound in lease.tier_secs)]

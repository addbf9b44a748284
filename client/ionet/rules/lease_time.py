"""A lease's time, cut into intervals: the program's own rules (`state/lease/ring.rs`, `state/lease.rs`). Pure.

Times are the chain's clock in unix seconds. All bounds are half-open: at the deadline is too late.
"""

from __future__ import annotations

from ionet.generated.accounts import Lease
from ionet.generated.enums import LeaseStatus


def interval_bounds(started_at: int, ends_at: int, interval_secs: int, interval: int) -> tuple[int, int]:
    """Start and end of one interval; the last may be shorter."""
    start = started_at + interval * interval_secs
    return start, min(start + interval_secs, ends_at)


def interval_start(lease: Lease, interval: int) -> int:
    return interval_bounds(lease.started_at, lease.ends_at, lease.interval_secs, interval)[0]


def interval_end(lease: Lease, interval: int) -> int:
    return interval_bounds(lease.started_at, lease.ends_at, lease.interval_secs, interval)[1]


def intervals(lease: Lease) -> int:
    """Number of intervals of the lease; the last may be shorter."""
    return -(-(lease.ends_at - lease.started_at) // lease.interval_secs)


def interval_at(lease: Lease, now: int) -> int | None:
    """The interval that runs at `now`, None when the meter does not run."""
    if lease.started_at == 0 or not lease.started_at <= now < lease.ends_at:
        return None
    return (now - lease.started_at) // lease.interval_secs


def grace_secs(lease: Lease) -> int:
    """Seconds after an interval's end in which its proof is still accepted."""
    return lease.grace_intervals * lease.interval_secs


def maturity_secs(lease: Lease) -> int:
    """Seconds from an interval's end until its payment cannot be disputed any more."""
    return grace_secs(lease) + lease.dispute_window_secs


def ready_by(lease: Lease) -> int:
    """When a booked node is too late to be ready."""
    return lease.booked_at + lease.ready_deadline_secs


def accept_by(lease: Lease) -> int:
    """When a ready node is too late to be accepted; 0 while it is not ready."""
    return lease.ready_at + lease.accept_deadline_secs if lease.ready_at else 0


def proof_deadline(lease: Lease, interval: int) -> int:
    """When the interval's proof is too late."""
    return interval_end(lease, interval) + grace_secs(lease)


def final_at(lease: Lease) -> int:
    """When nothing about the lease can change any more, except by its closing; later where a dispute keeps intervals
    from maturing."""
    return lease.ends_at + maturity_secs(lease)


def closed_intervals(lease: Lease, now: int) -> int:
    """How many intervals can no longer be proven, from the first one on."""
    return _older_than(lease, grace_secs(lease), now)


def mature_intervals(lease: Lease, now: int, *, recovering: bool = False) -> int:
    """How many intervals can no longer be disputed, from the first one on: those approved, and those old enough.

    While a dispute is open, one interval longer, and while the chain is `recovering` from a restart nothing in question
    matures, though no interval more than a defence and one interval late.
    """
    in_time = _older_than(lease, maturity_secs(lease), now)
    blocked = lease.dispute_to > lease.dispute_from or now < lease.blocked_until
    held = 0 if recovering else lease.blocked_from if blocked else in_time
    latest = _older_than(lease, maturity_secs(lease) + lease.defend_window_secs + lease.interval_secs, now)
    return max(min(in_time, max(held, latest)), lease.approved_through)


def early_secs(lease: Lease) -> int:
    """Seconds at the start of the lease of which nothing is refunded."""
    return min(lease.min_charge_secs, lease.duration)


def is_kept(lease: Lease, interval: int, served_secs: int) -> bool:
    """Whether this many served seconds make an interval a kept one: at least half of its length."""
    return 2 * served_secs >= interval_end(lease, interval) - interval_start(lease, interval)


def _older_than(lease: Lease, secs: int, now: int) -> int:
    """How many intervals ended at least `secs` ago."""
    reference = now - secs
    if lease.started_at == 0 or reference < lease.started_at:
        return 0
    if reference >= lease.ends_at:
        return intervals(lease)
    return (reference - lease.started_at) // lease.interval_secs


def runs_at(lease: Lease, now: int) -> bool:
    """Whether the node has to be up: booked or ready and not too late, or metered and not over."""
    until = {
        LeaseStatus.BOOKED: ready_by(lease),
        LeaseStatus.READY: accept_by(lease),
        LeaseStatus.ACTIVE: lease.ends_at,
    }
    return now < until.get(LeaseStatus(lease.status), 0)


def provable_at(lease: Lease, now: int) -> bool:
    """Whether a proof of any interval can still be taken, now or later."""
    if lease.status in (LeaseStatus.BOOKED, LeaseStatus.READY):
        return True
    return lease.started_at > 0 and now < lease.ends_at + grace_secs(lease)

"""What agent and launcher know of a lease, and its time cut into intervals. Pure; the program's own rules.

Times are the chain's clock in unix seconds. All intervals are half-open: at the end is too late.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec
from solders.pubkey import Pubkey

TAKEN = 2**32 - 1


class LeaseStatus(IntEnum):
    BOOKED = 1
    READY = 2
    ACTIVE = 3
    ENDED = 4
    CANCELLED = 5


class LeaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One lease and the parts of its cluster that say who may do what, as read at one slot."""

    address: Pubkey
    node: Pubkey
    cluster: Pubkey
    renter: Pubkey
    session_key: Pubkey
    session_expires_at: int
    head_lease: Pubkey
    status: LeaseStatus
    processors: int
    ready_by: int
    """When a booked node is too late to be ready."""
    accept_by: int
    """When a ready node is too late to be accepted; 0 while it is not ready."""
    started_at: int
    """Start of the meter; 0 while it has not started."""
    ends_at: int
    interval_secs: int
    grace_intervals: int
    ring_next: int
    """First interval for which no proof was appended."""
    proof_head: bytes
    """Hash chain over all proofs, 32 bytes."""
    ring: tuple[int, ...] = ()
    """Seconds proven in the open intervals, at interval % 16; TAKEN where a dispute took them out."""
    ring_base: int = 0
    """First interval whose payment can still be disputed."""
    approved_through: int = 0
    dispute_window_secs: int = 0
    dispute_from: int = 0
    dispute_to: int = 0
    """Intervals dispute_from..dispute_to are in dispute; equal when there is none."""
    dispute_head: bytes = bytes(32)
    """Where its defence has walked back to in the chain of proofs."""
    disputed_at: int = 0
    unchallenged: int = 0
    """The last so many intervals cannot be defended: the supplier left because nobody challenged them."""
    tier1_intervals: int = 0

    @property
    def is_head(self) -> bool:
        return self.head_lease == self.address

    def is_open(self, interval: int) -> bool:
        """Whether an interval between ring_base and ring_next is proven, and was not disputed yet."""
        return 0 < self.ring[interval % len(self.ring)] < TAKEN

    @property
    def is_disputed(self) -> bool:
        return self.dispute_to > self.dispute_from

    def can_defend(self, interval: int) -> bool:
        """Whether an interval is in dispute and evidence for it would be taken."""
        challenged = self.unchallenged == 0 or interval < self.intervals() - self.unchallenged
        return challenged and self.dispute_from <= interval < self.dispute_to

    def may_act(self, key: Pubkey, now: int) -> bool:
        """Whether `key` speaks for the renter: his wallet, or the session key until it expires."""
        return key == self.renter or (key == self.session_key and now < self.session_expires_at)

    def runs_at(self, now: int) -> bool:
        """Whether the node has to be up: booked or ready and not too late, or metered and not over."""
        until = {LeaseStatus.BOOKED: self.ready_by, LeaseStatus.READY: self.accept_by, LeaseStatus.ACTIVE: self.ends_at}
        return now < until.get(self.status, 0)

    def intervals(self) -> int:
        """Number of intervals of the lease; the last may be shorter."""
        return -(-(self.ends_at - self.started_at) // self.interval_secs)

    def interval_start(self, interval: int) -> int:
        return self.started_at + interval * self.interval_secs

    def interval_end(self, interval: int) -> int:
        return min(self.interval_start(interval + 1), self.ends_at)

    def proof_deadline(self, interval: int) -> int:
        """When the interval's proof is too late."""
        return self.interval_end(interval) + self.grace_intervals * self.interval_secs

    def provable_at(self, now: int) -> bool:
        """Whether a proof of any interval can still be taken, now or later."""
        if self.status in (LeaseStatus.BOOKED, LeaseStatus.READY):
            return True
        return self.started_at > 0 and now < self.proof_deadline(self.intervals() - 1)

    def disputable_at(self, now: int) -> bool:
        """Whether there is, or can still come, a dispute about it."""
        final_at = self.ends_at + self.grace_intervals * self.interval_secs + self.dispute_window_secs
        return self.is_disputed or self.provable_at(now) or (self.started_at > 0 and now < final_at)

    def closed_at(self, now: int) -> int:
        """How many of the intervals proven so far can no longer be proven otherwise, from the first one on."""
        open_ones = range(self.ring_base, self.ring_next)
        return self.ring_base + sum(now >= self.proof_deadline(interval) for interval in open_ones)

    def interval_at(self, now: int) -> int | None:
        """The interval that runs at `now`, None when the meter does not run."""
        if self.started_at == 0 or not self.started_at <= now < self.ends_at:
            return None
        return (now - self.started_at) // self.interval_secs


class NodeView(msgspec.Struct, frozen=True):
    """A node at one slot: the chain's time, the lease that occupies it, if any, and others that were asked for."""

    now: int
    slot: int
    lease: LeaseView | None
    others: tuple[LeaseView, ...] = ()
    """A node is free for the next lease as soon as one ends, but the ended one can still be proven. Without renter and
    session key."""

    def find(self, address: Pubkey | str | None) -> LeaseView | None:
        """The lease at an address, if it is on the chain."""
        known = self.others if self.lease is None else (self.lease, *self.others)
        return next((lease for lease in known if str(lease.address) == str(address)), None)

"""What a lease owes at a moment: the program's own rules (`payment.rs`, `state/lease/due.rs`, `ring.rs`). Pure.

Leases are those that their next instruction finds (`ionet.rules.restarts.caught_up`).
"""

from __future__ import annotations

import msgspec

from ionet.generated.accounts import Lease
from ionet.generated.enums import TAKEN, EndReason, LeaseStatus
from ionet.rules.lease_time import intervals, mature_intervals
from ionet.rules.outage import missed_between, missed_of
from ionet.rules.pricing import fee_on
from ionet.rules.restarts import Moment, recovery_left

_HOUR = 3_600


class Payment(msgspec.Struct, frozen=True):
    """What the next settlement moves, in base units of the cluster's currency.

    gross: the supplier's before their fee. burned: price of time that the renter owes and nobody gets. bond: of
    disputes that the supplier won.
    """

    gross: int
    supplier_fee: int
    renter_fee: int
    burned: int
    bond: int

    @property
    def is_empty(self) -> bool:
        return not (self.gross or self.renter_fee or self.burned or self.bond)


def folded(lease: Lease, at: Moment) -> Lease:
    """The lease with everything that nobody can dispute any more added up, as a settlement does first."""
    mature = mature_intervals(lease, at.now, recovering=recovery_left(lease, at) > 0)
    ring, matured, missed, base = list(lease.ring), lease.matured_secs, lease.missed_secs, lease.ring_base
    # More are never open, whatever an account claims.
    while base < min(mature, lease.ring_next, lease.ring_base + len(ring)):
        served, ring[base % len(ring)] = ring[base % len(ring)], 0
        if served != TAKEN:
            matured += served
            missed += missed_of(lease, base, served)
        base += 1
    if base < mature:
        missed += missed_between(lease, base, mature)
        base = mature
    return msgspec.structs.replace(lease, ring=tuple(ring), matured_secs=matured, missed_secs=missed, ring_base=base)


def is_decided(lease: Lease) -> bool:
    """Whether nothing more can become payable."""
    if lease.status == LeaseStatus.CANCELLED:
        return True
    disputed = lease.dispute_to > lease.dispute_from
    return lease.status == LeaseStatus.ENDED and lease.ring_base >= intervals(lease) and not disputed


def payment(lease: Lease) -> Payment:
    """What a folded lease owes and has not paid."""
    paid_secs, burned_secs = _owed_secs(lease)
    earned = _price(lease, paid_secs)
    return Payment(
        gross=earned - lease.paid,
        supplier_fee=fee_on(earned, lease.supplier_fee_bps) - lease.supplier_fee,
        renter_fee=fee_on(earned, lease.renter_fee_bps) - lease.renter_fee,
        burned=_price(lease, burned_secs) - lease.burned,
        bond=lease.bond_due,
    )


def unpaid_secs(lease: Lease) -> int:
    """Of what a folded lease owes the supplier, about how many seconds are not paid yet."""
    each = lease.price * lease.processors
    return payment(lease).gross * _HOUR // each if each else 0


def _owed_secs(lease: Lease) -> tuple[int, int]:
    """Seconds that the supplier is paid, and seconds that the renter owes and nobody gets, from the first one on."""
    paid, burned = lease.matured_secs + lease.unanswered_secs, lease.burned_secs
    if not is_decided(lease) or lease.end_reason in (EndReason.QUIT, EndReason.SUPPLIER_FAULT):
        return paid, burned
    early = lease.undefended_early_secs
    burned += min(max(0, lease.undefended_secs - early), max(0, lease.fault_after_secs - early))
    if lease.missed_secs == 0:
        burned += early
        if lease.undefended_secs == 0:
            paid += lease.rest_secs
        else:
            burned += lease.rest_secs
    return paid, burned


def _price(lease: Lease, secs: int) -> int:
    return lease.price * lease.processors * secs // _HOUR

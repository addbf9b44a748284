"""Leases: cancelled when they never started, reported when silent, ended, settled, closed."""

from __future__ import annotations

import msgspec

from ionet.client import Client
from ionet.duties.duty import Duty, Reward, Seen, first, overdue_at
from ionet.generated.accounts import Lease
from ionet.generated.enums import EndReason, LeaseStatus
from ionet.plan import Plan
from ionet.rules.disputes import is_disputed
from ionet.rules.lease_time import final_at, interval_end, maturity_secs, proof_deadline
from ionet.rules.outage import due_bps, excused_intervals, is_abandoned
from ionet.rules.payment import folded, is_decided, payment, unpaid_secs
from ionet.rules.restarts import Moment, caught_up, recovery_left

_BPS = 10_000


def _has_run(lease: Lease) -> bool:
    return lease.status in (LeaseStatus.ACTIVE, LeaseStatus.ENDED)


# -- cancel


def cancel_due(seen: Seen, at: Moment) -> int | None:
    lease: Lease = seen.account
    if lease.status == LeaseStatus.BOOKED:
        return overdue_at(lease, at, lease.booked_at, lease.booked_slot, lease.ready_deadline_secs)
    if lease.status == LeaseStatus.READY:
        return overdue_at(lease, at, lease.ready_at, lease.ready_slot, lease.accept_deadline_secs)
    return None


# -- report


def report_due(seen: Seen, at: Moment) -> int | None:
    lease = caught_up(seen.account, at)
    if not _has_run(lease):
        return None
    return first(at, lease.slot_ms, _silences(lease, at), lambda then: _reportable(lease, then))


def _reportable(lease: Lease, at: Moment) -> bool:
    return recovery_left(lease, at) == 0 and due_bps(lease, at) > 0


def _silences(lease: Lease, at: Moment) -> list[int]:
    """When the outage that goes on may reach something, from the first interval after the last kept one on."""
    excused = max(0, lease.excused_to - max(lease.excused_from, lease.last_kept_at))
    skipped = excused_intervals(lease, lease.kept_next, lease.kept_next + 2**20)
    last = lease.kept_next + lease.tier1_intervals - 1
    intervals = {last, last + skipped}
    # The time by slots may reach a bound later than the clock's.
    slots = -(-(at.slot - lease.last_kept_slot) * lease.slot_ms // 1_000)
    behind = max(0, at.now - lease.last_kept_at - slots)
    bounds = (*lease.tier_secs, lease.fault_after_secs + 1, lease.interval_secs * lease.tier1_intervals)
    reached = [lease.last_kept_at + secs + more for secs in bounds for more in (0, excused, behind, excused + behind)]
    return [
        at.now,
        at.now + recovery_left(lease, at),
        *(proof_deadline(lease, interval) for interval in intervals),
        *reached,
    ]


def report_pays(seen: Seen, at: Moment) -> Reward:
    """At most; less where the node has less stake, or the renter's part is large."""
    lease = caught_up(seen.account, at)
    taken = lease.required_stake * due_bps(lease, at) // _BPS
    return Reward(io=min(taken * lease.reporter_bps // _BPS, lease.reporter_cap, taken // 2))


# -- end


def end_due(seen: Seen, at: Moment) -> int | None:
    lease = caught_up(seen.account, at)
    if lease.status != LeaseStatus.ACTIVE:
        return None

    def abandoned(then: Moment) -> bool:
        return then.now < lease.ends_at and is_abandoned(lease, then)

    return first(at, lease.slot_ms, _silences(lease, at), abandoned)


# -- settle


def settle_due(seen: Seen, at: Moment) -> int | None:
    lease, secs = caught_up(seen.account, at), seen.habits.settle_secs
    if lease.status == LeaseStatus.CANCELLED:
        return at.now if not payment(lease).is_empty else None
    if not _has_run(lease):
        return None
    return first(at, lease.slot_ms, _maturities(lease, at, secs), lambda then: _payable(lease, then, secs))


def _payable(lease: Lease, at: Moment, secs: int) -> bool:
    if lease.status == LeaseStatus.ACTIVE and at.now >= lease.ends_at:
        return True
    if _undefended(lease, at):
        return True
    found = folded(lease, at)
    if payment(found).is_empty:
        return False
    return is_decided(found) or unpaid_secs(found) >= secs


def _undefended(lease: Lease, at: Moment) -> bool:
    if not is_disputed(lease):
        return False
    return overdue_at(lease, at, lease.disputed_at, lease.disputed_slot, lease.defend_window_secs) <= at.now


def _maturities(lease: Lease, at: Moment, secs: int) -> list[int]:
    times = [at.now, at.now + recovery_left(lease, at), lease.ends_at, *_finals(lease)]
    if is_disputed(lease):
        times.append(overdue_at(lease, at, lease.disputed_at, lease.disputed_slot, lease.defend_window_secs))
    found = folded(lease, at)
    more = max(1, -(-(secs - unpaid_secs(found)) // max(1, lease.interval_secs)))
    times.append(interval_end(lease, found.ring_base + more - 1) + maturity_secs(lease))
    return times


def _finals(lease: Lease) -> list[int]:
    """When everything may have matured: in time, when a dispute's blocking ends, at the latest possible moment."""
    latest = lease.defend_window_secs + lease.interval_secs
    return [final_at(lease), lease.blocked_until, final_at(lease) + latest]


# -- close


def close_due(seen: Seen, at: Moment) -> int | None:
    """From when a lease can be closed with what has to come before it in the same transaction."""
    if seen.account.status == LeaseStatus.CANCELLED:
        return at.now
    lease = _as_ended(caught_up(seen.account, at))
    if lease is None:
        return None
    times = [at.now, at.now + recovery_left(lease, at), *_finals(lease)]
    return first(at, lease.slot_ms, times, lambda then: _closable(lease, then))


def _as_ended(lease: Lease) -> Lease | None:
    """The lease as it is once a settlement has ended it; None while it cannot come to that by itself."""
    if lease.status == LeaseStatus.ACTIVE:
        return msgspec.structs.replace(lease, status=LeaseStatus.ENDED, end_reason=EndReason.EXPIRED)
    return lease if lease.status == LeaseStatus.ENDED else None


def _closable(lease: Lease, at: Moment) -> bool:
    if is_disputed(lease) or at.now < final_at(lease) or not is_decided(folded(lease, at)):
        return False
    return recovery_left(lease, at) == 0 or due_bps(lease, at) == 0


def _close(client: Client, seen: Seen, at: Moment) -> Plan:
    """Settle and report first, where something is unpaid or uncharged: they fit into the same transaction."""
    lease = caught_up(seen.account, at)
    plans = [client.lease.close(seen.address)]
    if lease.status != LeaseStatus.CANCELLED and due_bps(lease, at):
        plans.insert(0, client.lease.report_missed(seen.address))
    if lease.status == LeaseStatus.ACTIVE or not payment(folded(lease, at)).is_empty:
        plans.insert(0, client.lease.settle(seen.address))
    return plans[0] if len(plans) == 1 else client.batch(*plans)


def _close_pays(seen: Seen, at: Moment) -> Reward:
    return report_pays(seen, at) if seen.account.status != LeaseStatus.CANCELLED else Reward()


LEASE_DUTIES = (
    Duty("cancel_lease", "lease", cancel_due, lambda client, seen, _: client.lease.cancel(seen.address)),
    Duty("close_lease", "lease", close_due, _close, pays=_close_pays),
    Duty(
        "report_missed",
        "lease",
        report_due,
        lambda client, seen, _: client.lease.report_missed(seen.address),
        pays=report_pays,
    ),
    Duty("end_lease", "lease", end_due, lambda client, seen, _: client.lease.end(seen.address)),
    Duty("settle_lease", "lease", settle_due, lambda client, seen, _: client.lease.settle(seen.address)),
)

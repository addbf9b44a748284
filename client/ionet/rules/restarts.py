"""A lease's clock stands still while the chain does: the program's own rules (`state/lease/restart.rs`). Pure.

The clock of a chain that halted jumps when it restarts. The first instruction that touches a lease afterwards moves its
times; until then whoever reads the account has to do the same.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ionet.generated.accounts import Lease
from ionet.rules.lease_time import interval_start, mature_intervals

L = TypeVar("L", bound=Lease)


class Moment(msgspec.Struct, frozen=True):
    """When something is looked at: unix seconds, slot, and the slot of the chain's last restart (0 = none)."""

    now: int
    slot: int
    restart_slot: int = 0

    def later(self, secs: int, slot_ms: int) -> Moment:
        """What it will be after some seconds in which the chain does not halt."""
        return Moment(self.now + secs, self.slot + -(-secs * 1_000 // max(1, slot_ms)), self.restart_slot)


def _slots_secs(since: int, until: int, slot_ms: int) -> int:
    return max(0, until - since) * slot_ms // 1_000


def since(at: Moment, time: int, slot: int, slot_ms: int, *, until: int | None = None) -> int:
    """Seconds since a moment, as the smaller of the clock's and the slots'. until: the clock's end, by default now."""
    now = at.now if until is None else until
    return max(0, min(now - time, _slots_secs(slot, at.slot, slot_ms)))


def recovery_left(lease: Lease, at: Moment) -> int:
    """Seconds left in which nobody is held to a deadline after a restart, counted in slots; 0 = none."""
    if at.restart_slot == 0:
        return 0
    return max(0, lease.recovery_secs - _slots_secs(at.restart_slot, at.slot, lease.slot_ms))


def caught_up(lease: L, at: Moment) -> L:
    """The lease as its next instruction finds it: its clock moved past a halt that it has not seen yet."""
    # The restart's slot is the last one before the halt: what came in it came before.
    if lease.started_at == 0 or at.restart_slot < lease.synced_slot:
        return lease
    ran = max(0, at.now - lease.synced_at)
    halted = max(0, ran - _slots_secs(lease.synced_slot, at.slot, lease.slot_ms))
    moved = {name: getattr(lease, name) + halted for name in ("started_at", "ends_at", "last_kept_at")}
    for name in ("excused_from", "excused_to", "blocked_until"):
        moved[name] = getattr(lease, name) and getattr(lease, name) + halted
    moved |= {"moved_secs": min(2**32 - 1, lease.moved_secs + halted), "synced_at": at.now, "synced_slot": at.slot}
    synced = lease.synced_at + halted
    slots = max(1, at.slot - lease.synced_slot)
    until_halt = max(0, min(at.restart_slot, at.slot) - lease.synced_slot)
    restarted = synced - (halted - ran) * until_halt // slots  # rounded up
    # What could still be proven when the chain halted, and what came after; older silence stays what it was.
    since = max(synced, restarted - lease.grace_intervals * lease.interval_secs)
    until = restarted + lease.recovery_secs
    found = msgspec.structs.replace(lease, **moved)
    return _excused(found, since, until, at) if until > since else found


def _excused(lease: L, since: int, until: int, at: Moment) -> L:
    """What is not proven in between is nobody's fault. An earlier such time is kept while its intervals are open; of a
    silence that began before it, it stays taken out.
    """
    before = max(0, since - lease.started_at) // lease.interval_secs
    mature = mature_intervals(lease, at.now, recovering=recovery_left(lease, at) > 0)
    first_open = interval_start(lease, max(lease.ring_base, min(mature, before)))
    if lease.excused_to > first_open:
        since, until = min(lease.excused_from, since), max(lease.excused_to, until)
        return msgspec.structs.replace(lease, excused_from=since, excused_to=until)
    silent = max(0, lease.excused_to - max(lease.excused_from, lease.last_kept_at))
    kept_at = lease.last_kept_at + silent
    return msgspec.structs.replace(lease, excused_from=since, excused_to=until, last_kept_at=kept_at)

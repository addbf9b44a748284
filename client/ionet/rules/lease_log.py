"""What each interval of a lease was paid, from the lease's own events. Pure.

Amounts are cumulative in the order in which time was paid, so that those of one settlement add up to what it paid; what
is not paid yet comes after that. The log of the indexer's API says the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from ionet.generated.events import (
    DisputeDefended,
    DisputeResolved,
    LeaseApproved,
    LeaseBooked,
    LeaseDisputed,
    LeaseEnded,
    LeaseExtended,
    LeaseSettled,
    LeaseStarted,
    ProofAppended,
)
from ionet.rules import pricing
from ionet.rules.lease_time import interval_bounds


class Logged(msgspec.Struct):
    """An interval that was proven. `proof` and `payment` are places in the events; `challenge` as the API says it."""

    interval: int
    proof: int
    served_secs: int
    challenge: str | None = None
    secs: int = 0
    amount: int = 0
    payment: int | None = None


class Log(msgspec.Struct):
    """A lease's intervals and its clock."""

    started_at: int = 0
    ends_at: int = 0
    interval_secs: int = 0
    intervals: dict[int, Logged] = msgspec.field(default_factory=dict)

    def bounds(self, interval: int) -> tuple[int, int]:
        """Start and end of an interval."""
        return interval_bounds(self.started_at, self.ends_at, self.interval_secs, interval)


class _Facts(msgspec.Struct):
    price: int = 0
    processors: int = 0
    moved: int = 0
    named_secs: int = 0
    approved: int = 0
    open: set[int] = msgspec.field(default_factory=set)
    held: set[int] = msgspec.field(default_factory=set)
    defended: dict[int, tuple[int, int]] = msgspec.field(default_factory=dict)  # interval → place, seconds
    payments: list[tuple[int, int]] = msgspec.field(default_factory=list)  # place, payable seconds


def log_of(events: Iterable[Any]) -> Log:
    """The log of one lease from all its events, in their order."""
    log, facts = Log(), _Facts()
    for place, event in enumerate(events):
        _follow(log, facts, place, event)
    _judge(log, facts)
    _settle(log, facts)
    return log


def _follow(log: Log, facts: _Facts, place: int, event: Any) -> None:
    match event:
        case LeaseBooked():
            facts.price, facts.processors, log.interval_secs = event.price, event.processors, event.interval_secs
        case LeaseStarted():
            log.started_at, log.ends_at = event.at, event.ends_at
        case LeaseExtended():
            if log.started_at:
                log.started_at += event.ends_at - log.ends_at - (event.duration - event.duration_before)
            log.ends_at = event.ends_at
        case LeaseEnded():
            log.started_at += event.ends_at_before - log.ends_at
            log.ends_at, facts.named_secs = event.ends_at, event.burned_secs
        case ProofAppended():
            log.started_at += event.moved_secs - facts.moved
            log.ends_at += event.moved_secs - facts.moved
            facts.moved = event.moved_secs
            log.intervals[event.interval] = Logged(event.interval, place, event.served_secs)
        case LeaseApproved():
            facts.approved = event.through_interval
        case LeaseDisputed():
            facts.open = set(range(event.from_interval, event.to_interval))
            facts.held |= facts.open
        case DisputeDefended(defended=True):
            facts.defended[event.interval] = place, event.served_secs
        case DisputeResolved():
            facts.open = set()
        case LeaseSettled():
            facts.payments.append((place, event.payable_secs))


def _judge(log: Log, facts: _Facts) -> None:
    """What came of each interval's challenge, and how many seconds of it are the supplier's."""
    named = 0
    for number in sorted(log.intervals, reverse=True):
        item = log.intervals[number]
        named += item.served_secs
        if named <= facts.named_secs:
            item.challenge = "unchallenged"
        elif number in facts.defended:
            item.challenge, item.secs = "defended", min(facts.defended[number][1], item.served_secs)
        elif number in facts.open:
            item.challenge, item.secs = "disputed", item.served_secs
        elif number in facts.held:
            item.challenge = "undefended"
        else:
            item.challenge, item.secs = "approved" if number < facts.approved else None, item.served_secs


def _settle(log: Log, facts: _Facts) -> None:
    """Which settlement paid for which interval, and how much."""
    items = [log.intervals[number] for number in sorted(log.intervals) if log.intervals[number].secs]
    plain = deque(item for item in items if item.challenge in (None, "approved"))
    through = 0
    for place, payable in facts.payments:
        won = [log.intervals[number] for number, (when, _) in facts.defended.items() if when < place]
        for item in won:
            if item.payment is None and item.secs:
                item.payment = place
        left = payable - sum(item.secs for item in won)
        while plain and through + plain[0].secs <= left:
            item = plain.popleft()
            item.payment = place
            through += item.secs
    total = 0
    last = len(facts.payments) and facts.payments[-1][0]
    for item in sorted(items, key=lambda item: (last + 1 if item.payment is None else item.payment, item.interval)):
        before = pricing.earned(facts.price, facts.processors, total)
        total += item.secs
        item.amount = pricing.earned(facts.price, facts.processors, total) - before

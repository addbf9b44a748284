"""What a lease cost and who got it, interval by interval, from the chain's history alone; also of a closed lease."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from solders.pubkey import Pubkey

from ionet.chain import Chain
from ionet.errors import NotFound
from ionet.generated.accounts import Cluster
from ionet.generated.enums import Currency, EndReason
from ionet.generated.events import (
    ClusterOpened,
    LeaseBooked,
    LeaseCancelled,
    LeaseClosed,
    LeaseEnded,
    LeaseSettled,
)
from ionet.rules.lease_log import Log, log_of
from ionet.trace_check import Seen, history
from ionet.words import word


class Line(msgspec.Struct, frozen=True):
    """An interval that was proven. start, end: unix seconds. amount: base units. paid_in: a transaction, once paid.

    challenge: what came of it where the renter asked: approved, disputed, defended, undefended or unchallenged.
    """

    interval: int
    start: int
    end: int
    served_secs: int
    challenge: str | None
    amount: str
    paid_in: str | None


class Payment(msgspec.Struct, frozen=True):
    """One settlement, in base units.

    price: of the time it paid for. intervals: the part of it that the lines are; the rest is time that is owed
    unproven, of the first hour or of a readiness that nobody answered. The renter paid price, renter_fee, burned and
    bond; the supplier's side got supplier_amount and bond.
    """

    transaction: str
    at: int
    price: str
    intervals: str
    supplier_amount: str
    supplier_fee: str
    renter_fee: str
    burned: str
    bond: str


class Bill(msgspec.Struct, frozen=True):
    """A lease's receipt. price: base units per processor-hour. Totals are of what was settled so far.

    total: what the renter paid. closed_at: unix seconds, None while the lease is open and more may come.
    """

    lease: str
    cluster: str
    node: str
    currency: str
    price: str
    processors: int
    started_at: int
    ends_at: int
    end_reason: str | None
    closed_at: int | None
    lines: list[Line]
    payments: list[Payment]
    to_supplier: str
    fees: str
    burned: str
    total: str


async def receipt(chain: Chain, lease: Pubkey) -> Bill:
    """The receipt of a lease, open or closed. Raises NotFound, and TraceRefused where a part is missing."""
    seen = await history(chain, lease, "lease", "seq")
    booked = next((each.event for each in seen if isinstance(each.event, LeaseBooked)), None)
    if booked is None:
        raise NotFound(f"lease {lease}")
    log = log_of([each.event for each in seen])
    payments = _payments(seen, log)
    closed = next((each.event.at for each in seen if isinstance(each.event, LeaseClosed)), None)
    # A cancelled lease's burned time is in its cancellation and in no settlement.
    cancelled = sum(each.event.burned for each in seen if isinstance(each.event, LeaseCancelled))
    price, renter_fee, supplier_fee, burned = (
        sum(int(getattr(payment, name)) for payment in payments)
        for name in ("price", "renter_fee", "supplier_fee", "burned")
    )
    bonds = sum(int(payment.bond) for payment in payments)
    return Bill(
        lease=str(lease),
        cluster=str(booked.cluster),
        node=str(booked.node),
        currency=await _currency(chain, booked.cluster),
        price=str(booked.price),
        processors=booked.processors,
        started_at=log.started_at,
        ends_at=log.ends_at,
        end_reason=_reason(seen),
        closed_at=closed,
        lines=_lines(seen, log),
        payments=payments,
        to_supplier=str(price - supplier_fee + bonds),
        fees=str(renter_fee + supplier_fee),
        burned=str(burned + cancelled),
        total=str(price + renter_fee + burned + cancelled + bonds),
    )


def _lines(seen: Sequence[Seen], log: Log) -> list[Line]:
    lines = []
    for number in sorted(log.intervals):
        item, (start, end) = log.intervals[number], log.bounds(number)
        paid_in = None if item.payment is None else str(seen[item.payment].signature)
        lines.append(Line(number, start, end, item.served_secs, item.challenge, str(item.amount), paid_in))
    return lines


def _payments(seen: Sequence[Seen], log: Log) -> list[Payment]:
    found = []
    for place, each in enumerate(seen):
        event = each.event
        if not isinstance(event, LeaseSettled):
            continue
        intervals = sum(item.amount for item in log.intervals.values() if item.payment == place)
        amounts = (event.paid - event.paid_before, intervals, event.supplier_amount, event.supplier_fee)
        rest = (event.renter_fee, event.burned, event.bond_paid)
        found.append(Payment(str(each.signature), event.at, *map(str, amounts), *map(str, rest)))
    return found


def _reason(seen: Sequence[Seen]) -> str | None:
    for each in reversed(seen):
        if isinstance(each.event, (LeaseEnded, LeaseCancelled)):
            return word(EndReason, each.event.reason)
    return None


async def _currency(chain: Chain, cluster: Pubkey) -> str:
    found = await chain.find(Cluster, cluster)
    if found is not None:
        return word(Currency, found.currency)
    for each in await history(chain, cluster, "cluster", None):
        if isinstance(each.event, ClusterOpened):
            return word(Currency, each.event.currency)
    raise NotFound(f"cluster {cluster}")

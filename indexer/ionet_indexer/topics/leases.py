"""Leases from booking to close, and with them their node and cluster."""

from __future__ import annotations

from typing import Any, ClassVar

from ionet.generated import events
from ionet.generated.enums import EndReason, LeaseRole, LeaseStatus
from ionet.words import word, words

from ionet_indexer.core.answers import Amount, answer_of
from ionet_indexer.core.decode import Event
from ionet_indexer.core.keys import key_or_none
from ionet_indexer.core.lists import SLOT, Listing, Order, addresses, choice, currency, either
from ionet_indexer.core.rows import State
from ionet_indexer.core.view import View
from ionet_indexer.topics import parts
from ionet_indexer.topics.clusters import cluster_at
from ionet_indexer.topics.nodes import Node, bind_terms, node_at

BOOKED, READY, ACTIVE, ENDED, CANCELLED = words(LeaseStatus)
REJECTED = word(EndReason, EndReason.REJECTED)

# -- rows


class Lease(State, kw_only=True):
    """One node leased by one cluster. `price` is units of `currency` per processor-hour; `model` and `country` are the
    node's when it was booked.

    `role` is null until it is accepted. Restarts of the chain have moved `started_at` and `ends_at` by `moved_secs`, as
    far as its events told. `dispute_from` and `dispute_to` (exclusive) bound the intervals still in dispute, null
    without one; `disputed_secs` are held meanwhile, `undefended_secs` are never the supplier's. Paid without having
    been served: `unanswered_secs` (ready, and nobody answered) and `rest_secs` (of the first hour, which the renter did
    not stay for; burned if anything was undefended). `burned` is the price of time that the renter owes and nobody
    gets, and no fee; `burned_secs` were named as unchallenged on leaving, null for a rejected readiness. `ended_by` is
    null where its time or a deadline ended it.
    """

    table: ClassVar[str] = "leases"
    key: ClassVar[str] = "lease"
    entity: ClassVar[str] = "lease"

    lease: str
    position: int
    seq: int
    node: str
    owner: str
    cluster: str
    renter: str
    currency: str
    model: int
    country: int
    number: Amount
    processors: int
    price: Amount
    duration: int
    max_duration: int
    interval_secs: int
    required_stake: Amount
    io_price: Amount
    booked_at: int
    ready_by: int
    locked: Amount
    role: str | None = None
    status: str = BOOKED
    end_reason: str | None = None
    ended_by: str | None = None
    ready_at: int | None = None
    report_hash: str | None = None
    accept_by: int | None = None
    started_at: int | None = None
    ends_at: int | None = None
    closed_at: int | None = None
    moved_secs: int = 0
    rest_secs: int = 0
    unanswered_secs: int = 0
    proof_count: int = 0
    proof_head: str | None = None
    last_interval: int | None = None
    paid: Amount = 0
    supplier_fee: Amount = 0
    renter_fee: Amount = 0
    burned: Amount = 0
    burned_secs: int | None = 0
    payable_secs: Amount = 0
    served_secs: Amount | None = None
    missed_secs: Amount = 0
    released: Amount = 0
    approved_through: int = 0
    disputes: int = 0
    dispute_from: int | None = None
    dispute_to: int | None = None
    disputed_secs: int = 0
    dispute_bond: Amount = 0
    defend_by: int | None = None
    bond_due: Amount = 0
    bond_paid: Amount = 0
    undefended_secs: int = 0

    @property
    def where(self) -> tuple[int, int]:
        """Model and country that it counts for."""
        return self.model, self.country


class LeaseWork(State, kw_only=True):
    """What a launcher sees of a lease: its status, until when, and whether that is final."""

    table: ClassVar[str] = "lease_work"
    key: ClassVar[str] = "lease"
    entity: ClassVar[str] = "lease"

    lease: str
    node: str
    cluster: str
    cluster_id: int
    lease_number: int
    processors: int
    status: str
    ready_by: int
    accept_by: int | None
    ends_at: int | None
    interval_secs: int
    slot: int
    updated_at: int
    role: str | None = None
    dispute_from: int | None = None
    dispute_to: int | None = None
    defend_by: int | None = None
    finalized: bool = False


# -- folds


def lease_at(view: View, event: Event, key: str, seq: int) -> Lease:
    """The lease's row, stamped with this event."""
    row = view.get(Lease, key)
    row.position, row.seq = event.position, seq
    return row


def show_work(view: View, event: Event, lease: Lease, at: int) -> None:
    """Bring the launcher's row in line with the lease."""
    row = view.get(LeaseWork, lease.lease)
    row.role, row.status = lease.role, lease.status
    row.accept_by, row.ends_at = lease.accept_by, lease.ends_at
    row.dispute_from, row.dispute_to, row.defend_by = lease.dispute_from, lease.dispute_to, lease.defend_by
    row.slot, row.updated_at, row.finalized = event.slot, at, False


def move(row: Lease, secs: int) -> None:
    """The lease's clock stood still for `secs`: the chain had halted."""
    if row.started_at is not None and row.ends_at is not None:
        row.started_at += secs
        row.ends_at += secs
        row.moved_secs += secs


def _vacate(node: Node, lease: str) -> None:
    if node.current_lease == lease:
        node.current_lease = None


def _booked(view: View, event: Event, e: events.LeaseBooked) -> None:
    key = str(e.lease)
    node = node_at(view, event, str(e.node), e.node_seq)
    bind_terms(node, e.at)
    node.current_lease = key
    node.leases_booked += 1
    cluster = cluster_at(view, event, str(e.cluster), e.cluster_seq)
    cluster.locked = e.cluster_locked_after
    cluster.leases_booked += 1
    cluster.leases_open += 1
    view.put(
        Lease(
            lease=key,
            position=event.position,
            seq=e.seq,
            node=node.node,
            owner=node.owner,
            cluster=cluster.cluster,
            renter=cluster.renter,
            currency=cluster.currency,
            model=node.model,
            country=node.country,
            number=e.number,
            processors=e.processors,
            price=e.price,
            duration=e.duration,
            max_duration=e.max_duration,
            interval_secs=e.interval_secs,
            required_stake=e.required_stake,
            io_price=e.io_price,
            booked_at=e.at,
            ready_by=e.ready_by,
            locked=e.locked,
        )
    )
    view.put(
        LeaseWork(
            lease=key,
            node=node.node,
            cluster=cluster.cluster,
            cluster_id=cluster.id,
            lease_number=e.number,
            processors=e.processors,
            status=BOOKED,
            ready_by=e.ready_by,
            accept_by=None,
            ends_at=None,
            interval_secs=e.interval_secs,
            slot=event.slot,
            updated_at=e.at,
        )
    )


def _ready(view: View, event: Event, e: events.LeaseReady) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.status, row.ready_at, row.accept_by = READY, e.at, e.accept_by
    row.report_hash = e.report_hash.hex()
    show_work(view, event, row, e.at)


def _started(view: View, event: Event, e: events.LeaseStarted) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.status, row.started_at, row.ends_at = ACTIVE, e.at, e.ends_at
    row.role = word(LeaseRole, e.role)
    cluster_at(view, event, str(e.cluster), e.cluster_seq)
    show_work(view, event, row, e.at)


def _extended(view: View, event: Event, e: events.LeaseExtended) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    if row.ends_at is not None:
        move(row, e.ends_at - row.ends_at - (e.duration - e.duration_before))
    row.duration, row.ends_at = e.duration, e.ends_at
    row.locked += e.added_amount
    node_at(view, event, row.node, e.node_seq)
    cluster_at(view, event, row.cluster, e.cluster_seq).locked = e.cluster_locked_after
    show_work(view, event, row, e.at)


def _ended(view: View, event: Event, e: events.LeaseEnded) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    if row.ends_at is not None:
        move(row, e.ends_at_before - row.ends_at)
    row.status, row.end_reason, row.ends_at = ENDED, word(EndReason, e.reason), e.ends_at
    row.ended_by, row.rest_secs, row.burned_secs = key_or_none(e.by), e.rest_secs, e.burned_secs
    _vacate(node_at(view, event, row.node, e.node_seq), row.lease)
    show_work(view, event, row, e.at)


def _cancelled(view: View, event: Event, e: events.LeaseCancelled) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.status, row.end_reason, row.ended_by = CANCELLED, word(EndReason, e.reason), key_or_none(e.by)
    row.unanswered_secs, row.burned = e.unanswered_secs, e.burned
    if row.end_reason == REJECTED:
        row.burned_secs = None
    row.released = e.released
    row.locked -= e.released + e.burned
    node = node_at(view, event, row.node, e.node_seq)
    _vacate(node, row.lease)
    cluster = cluster_at(view, event, row.cluster, e.cluster_seq)
    burned = {f"unserved-{cluster.currency}": e.burned}
    parts.add(view, event, e.at, burned, where=row.where, who=node.who)
    cluster.fees, cluster.locked = e.cluster_fees_after, e.cluster_locked_after
    cluster.burned += e.burned
    show_work(view, event, row, e.at)


def _closed(view: View, event: Event, e: events.LeaseClosed) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.status, row.closed_at = "closed", e.at
    row.paid, row.supplier_fee, row.renter_fee = e.paid, e.supplier_fee, e.renter_fee
    row.served_secs, row.missed_secs, row.locked = e.served_secs, e.missed_secs, 0
    row.burned, row.undefended_secs = e.burned, e.undefended_secs
    row.released += e.released
    node = node_at(view, event, row.node, e.node_seq)
    node.leases_closed += 1
    node.served_secs += e.served_secs
    node.missed_secs += e.missed_secs + e.undefended_secs
    cluster = cluster_at(view, event, row.cluster, e.cluster_seq)
    cluster.locked = e.cluster_locked_after
    cluster.leases_open -= 1
    show_work(view, event, row, e.at)


HANDLERS: dict[str, Any] = {
    "LeaseBooked": _booked,
    "LeaseReady": _ready,
    "LeaseStarted": _started,
    "LeaseExtended": _extended,
    "LeaseEnded": _ended,
    "LeaseCancelled": _cancelled,
    "LeaseClosed": _closed,
}


# -- lists

LEASES = Listing(
    name="leases",
    docs="Leases, newest booking first.",
    item="One lease.",
    out=answer_of(Lease, more={"slot": int}),
    source="leases t",
    order=(Order("booked_at", "t.booked_at", "bigint"), Order("lease", "t.lease", "text")),
    key="t.lease",
    narrowed={
        **addresses("node", "owner", "cluster", "renter"),
        "status": choice("t.status", *words(LeaseStatus), "closed"),
        "currency": currency(),
        "disputed": either("t.dispute_to IS NOT NULL", "t.dispute_to IS NULL", "Whether a dispute is open."),
    },
    computed={"slot": SLOT},
    time="t.booked_at",
    newest_first=True,
)

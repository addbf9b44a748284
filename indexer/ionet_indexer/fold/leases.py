"""Folds of leases, and with them of the node and the cluster that a lease's events also belong to."""

from __future__ import annotations

from typing import Any

from ionet.generated import events
from ionet.generated.enums import EndReason, LeaseRole
from ionet.words import word

from ionet_indexer.decode import Event
from ionet_indexer.facts import Payment, Proof
from ionet_indexer.fold.clusters import cluster_at
from ionet_indexer.fold.nodes import node_at
from ionet_indexer.fold.owed import owe
from ionet_indexer.fold.view import View
from ionet_indexer.tables import Cluster, Lease, LeaseWork, Node


def lease_at(view: View, event: Event, key: str, seq: int) -> Lease:
    """The lease's row, stamped with this event."""
    row = view.get(Lease, key)
    row.position, row.seq = event.position, seq
    return row


def show_work(view: View, event: Event, lease: Lease, at: int) -> None:
    """Bring the launcher's row in line with the lease."""
    row = view.get(LeaseWork, lease.lease)
    row.status, row.accept_by, row.ends_at = lease.status, lease.accept_by, lease.ends_at
    row.dispute_from, row.dispute_to, row.defend_by = lease.dispute_from, lease.dispute_to, lease.defend_by
    row.slot, row.updated_at, row.finalized = event.slot, at, False


def _vacate(node: Node, lease: str) -> None:
    if node.current_lease == lease:
        node.current_lease = None


def _booked(view: View, event: Event, e: events.LeaseBooked) -> None:
    key, role = str(e.lease), word(LeaseRole, e.role)
    node = node_at(view, event, str(e.node), e.node_seq)
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
            cluster=cluster.cluster,
            number=e.number,
            role=role,
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
            role=role,
            processors=e.processors,
            status="booked",
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
    row.status, row.ready_at, row.accept_by = "ready", e.at, e.accept_by
    row.report_hash = e.report_hash.hex()
    show_work(view, event, row, e.at)


def _started(view: View, event: Event, e: events.LeaseStarted) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.status, row.started_at, row.ends_at = "active", e.at, e.ends_at
    cluster = cluster_at(view, event, str(e.cluster), e.cluster_seq)
    if row.role == "head":
        cluster.head_started_at = e.at
    show_work(view, event, row, e.at)


def _proof_appended(view: View, event: Event, e: events.ProofAppended) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.proof_count, row.proof_head, row.last_interval = e.proof_count, e.proof_head.hex(), e.interval
    view.facts.append(
        Proof(
            position=event.position,
            lease=row.lease,
            node=row.node,
            at=e.at,
            interval=e.interval,
            served_before=e.served_before,
            served_secs=e.served_secs,
            gpu_ms=e.gpu_ms,
            root=e.root.hex(),
            proof_head=row.proof_head,
            proof_count=e.proof_count,
        )
    )


def _extended(view: View, event: Event, e: events.LeaseExtended) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.duration, row.ends_at = e.duration, e.ends_at
    row.locked += e.added_amount
    node_at(view, event, row.node, e.node_seq)
    cluster_at(view, event, row.cluster, e.cluster_seq).locked = e.cluster_locked_after
    show_work(view, event, row, e.at)


def _settled(view: View, event: Event, e: events.LeaseSettled) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    view.facts.append(_payment(event, row, e))
    row.paid = e.paid
    row.supplier_fee += e.supplier_fee
    row.renter_fee += e.renter_fee
    row.locked -= e.paid - e.paid_before + e.renter_fee
    row.payable_secs, row.missed_secs = e.payable_secs, e.missed_secs
    row.bond_paid += e.bond_paid
    row.bond_due -= e.bond_paid
    cluster = cluster_at(view, event, row.cluster, e.cluster_seq)
    cluster.paid, cluster.fees, cluster.locked = (
        e.cluster_paid_after,
        e.cluster_fees_after,
        e.cluster_locked_after,
    )
    if e.owed:
        amount = e.supplier_amount + e.bond_paid
        owe(view, event, str(e.payout), cluster.currency, amount, at=e.at, reason="payment", source=row.lease)


def _payment(event: Event, row: Lease, e: events.LeaseSettled) -> Payment:
    return Payment(
        position=event.position,
        lease=row.lease,
        node=row.node,
        cluster=row.cluster,
        at=e.at,
        payable_secs=e.payable_secs,
        amount=e.paid - e.paid_before,
        supplier_amount=e.supplier_amount,
        supplier_fee=e.supplier_fee,
        renter_fee=e.renter_fee,
        payout=str(e.payout),
        bond=e.bond_paid,
        owed=e.owed,
    )


def _ended(view: View, event: Event, e: events.LeaseEnded) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.status, row.end_reason, row.ends_at = "ended", word(EndReason, e.reason), e.ends_at
    row.due_min_secs = e.due_min_secs
    _vacate(node_at(view, event, row.node, e.node_seq), row.lease)
    show_work(view, event, row, e.at)


def _cancelled(view: View, event: Event, e: events.LeaseCancelled) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.status, row.end_reason = "cancelled", word(EndReason, e.reason)
    row.released, row.locked = e.released, 0
    _vacate(node_at(view, event, row.node, e.node_seq), row.lease)
    cluster = cluster_at(view, event, row.cluster, e.cluster_seq)
    cluster.fees, cluster.locked = e.cluster_fees_after, e.cluster_locked_after
    show_work(view, event, row, e.at)


def _closed(view: View, event: Event, e: events.LeaseClosed) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.status, row.closed_at = "closed", e.at
    row.paid, row.supplier_fee, row.renter_fee = e.paid, e.supplier_fee, e.renter_fee
    row.served_secs, row.missed_secs, row.locked = e.served_secs, e.missed_secs, 0
    row.released += e.released
    node = node_at(view, event, row.node, e.node_seq)
    node.leases_closed += 1
    node.served_secs += e.served_secs
    node.missed_secs += e.missed_secs
    cluster = cluster_at(view, event, row.cluster, e.cluster_seq)
    _count_earned(node, cluster, e.paid)
    cluster.locked = e.cluster_locked_after
    cluster.leases_open -= 1
    show_work(view, event, row, e.at)


def _count_earned(node: Node, cluster: Cluster, amount: int) -> None:
    """Currencies are never added up, but the program counts IOSD and USDC, both micro-dollars, together."""
    if cluster.currency == "IO":
        node.earned_io += amount
        return
    node.earned += amount
    if cluster.currency == "USDC":
        node.earned_usdc += amount


HANDLERS: dict[str, Any] = {
    "LeaseBooked": _booked,
    "LeaseReady": _ready,
    "LeaseStarted": _started,
    "ProofAppended": _proof_appended,
    "LeaseExtended": _extended,
    "LeaseSettled": _settled,
    "LeaseEnded": _ended,
    "LeaseCancelled": _cancelled,
    "LeaseClosed": _closed,
}

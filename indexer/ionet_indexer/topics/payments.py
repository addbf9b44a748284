"""Proofs of intervals, and what was paid for them."""

from __future__ import annotations

from typing import Any, ClassVar

from ionet.generated import events
from ionet.rules.lease_time import interval_bounds

from ionet_indexer.core.answers import Amount
from ionet_indexer.core.decode import Event
from ionet_indexer.core.lists import addresses, currency, facts, number
from ionet_indexer.core.rows import Fact
from ionet_indexer.core.view import View
from ionet_indexer.topics import parts
from ionet_indexer.topics.clusters import Cluster, cluster_at
from ionet_indexer.topics.leases import Lease, lease_at, move, show_work
from ionet_indexer.topics.nodes import Node, node_at
from ionet_indexer.topics.owed import owe

# -- rows


class Proof(Fact, kw_only=True):
    """A proof of an interval; a later one of the same interval replaces it. `kept`: served for at least half of its
    length; `kept_first`: no proof of it before was. `leaves` counts the uploaded leaves.
    """

    table: ClassVar[str] = "proofs"

    position: int
    lease: str
    node: str
    at: int
    interval: int
    served_before: int
    served_secs: int
    gpu_ms: Amount
    root: str
    proof_head: str
    proof_count: int
    kept: bool
    kept_first: bool
    processor_secs: int
    """What it brings to the series, of the lease's model and country, beyond the proof before of its interval."""
    model: int
    country: int


class Payment(Fact, kw_only=True):
    """A settlement: `amount` was earned by it; the supplier got `supplier_amount`, which is that less their fee, and
    `bond` for disputes they won. Of `supplier_amount`, `to_stakers` went to co-stakers. `burned` is the price of time
    that the renter owes and nobody gets, and no fee. `owed`: it went to the supplier's owed account.
    """

    table: ClassVar[str] = "payments"

    position: int
    lease: str
    node: str
    cluster: str
    currency: str
    at: int
    payable_secs: Amount
    processor_secs: Amount
    amount: Amount
    supplier_amount: Amount
    supplier_fee: Amount
    renter_fee: Amount
    burned: Amount
    payout: str
    bond: Amount
    to_stakers: Amount
    owed: bool


# -- folds


def _proof_appended(view: View, event: Event, e: events.ProofAppended) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.proof_count, row.proof_head, row.last_interval = e.proof_count, e.proof_head.hex(), e.interval
    if e.moved_secs != row.moved_secs:
        move(row, e.moved_secs - row.moved_secs)
        show_work(view, event, row, e.at)
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
            kept=e.kept,
            kept_first=e.kept and not (e.served_before > 0 and _is_kept(row, e.interval, e.served_before)),
            processor_secs=(e.served_secs - e.served_before) * row.processors,
            model=row.model,
            country=row.country,
        )
    )


def _is_kept(row: Lease, interval: int, served_secs: int) -> bool:
    """Whether this many seconds made an interval a kept one; the last may be shorter than the others."""
    assert row.started_at is not None  # a proof was recorded
    assert row.ends_at is not None
    start, end = interval_bounds(row.started_at, row.ends_at, row.interval_secs, interval)
    return 2 * served_secs >= end - start


def _settled(view: View, event: Event, e: events.LeaseSettled) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    secs = (e.payable_secs - row.payable_secs) * row.processors
    view.facts.append(_payment(event, row, e, secs))
    row.paid = e.paid
    row.supplier_fee += e.supplier_fee
    row.renter_fee += e.renter_fee
    row.burned += e.burned
    row.locked -= e.paid - e.paid_before + e.renter_fee + e.burned
    row.payable_secs, row.missed_secs = e.payable_secs, e.missed_secs
    row.bond_paid += e.bond_paid
    row.bond_due -= e.bond_paid
    cluster = cluster_at(view, event, row.cluster, e.cluster_seq)
    cluster.paid, cluster.fees, cluster.locked = (
        e.cluster_paid_after,
        e.cluster_fees_after,
        e.cluster_locked_after,
    )
    cluster.burned += e.burned
    node = node_at(view, event, row.node, e.node_seq)
    _count_earned(node, cluster, e.paid - e.paid_before)
    brought = {
        "earned": e.paid - e.paid_before,
        "fees": e.supplier_fee + e.renter_fee,
        "unserved": e.burned,
        "paid": secs,
    }
    by_currency = {f"{name}-{cluster.currency}": value for name, value in brought.items()}
    parts.add(view, event, e.at, {"served": secs, **by_currency}, where=row.where, who=node.who)
    if e.owed:
        amount = e.supplier_amount + e.bond_paid - e.to_stakers
        owe(view, event, str(e.payout), cluster.currency, amount, at=e.at, reason="payment", source=row.lease)


def _count_earned(node: Node, cluster: Cluster, amount: int) -> None:
    """Currencies are never added up, but the program counts IOSD and USDC, both micro-dollars, together."""
    if cluster.currency == "IO":
        node.earned_io += amount
        return
    node.earned += amount
    if cluster.currency == "USDC":
        node.earned_usdc += amount


def _payment(event: Event, row: Lease, e: events.LeaseSettled, secs: int) -> Payment:
    return Payment(
        position=event.position,
        lease=row.lease,
        node=row.node,
        cluster=row.cluster,
        currency=row.currency,
        at=e.at,
        payable_secs=e.payable_secs,
        processor_secs=secs,
        amount=e.paid - e.paid_before,
        supplier_amount=e.supplier_amount,
        supplier_fee=e.supplier_fee,
        renter_fee=e.renter_fee,
        burned=e.burned,
        payout=str(e.payout),
        bond=e.bond_paid,
        to_stakers=e.to_stakers,
        owed=e.owed,
    )


HANDLERS: dict[str, Any] = {"ProofAppended": _proof_appended, "LeaseSettled": _settled}


# -- lists

PROOFS = facts(
    Proof,
    "Proofs, newest first.",
    {
        **addresses("lease", "node"),
        "interval": number("t.interval = {0}", "Number of an interval.", 0, ge=0, lt=1 << 32),
    },
    more={
        "leaves": (
            int | None,
            "(SELECT s.leaves FROM leaf_sets s WHERE (s.lease, s.interval, s.root) = (t.lease, t.interval, t.root))",
        )
    },
    without=("processor_secs", "model", "country"),
)
PAYMENTS = facts(
    Payment,
    "Settlements, newest first.",
    {**addresses("lease", "node", "cluster", "payout"), "currency": currency()},
)

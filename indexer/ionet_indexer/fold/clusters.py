"""Folds of clusters: the renter's budget, and what the leases paid from it did to it."""

from __future__ import annotations

from typing import Any

from ionet.generated import events
from ionet.generated.enums import ClusterKind, Currency
from ionet.words import word

from ionet_indexer.decode import Event
from ionet_indexer.fold.names import key_or_none
from ionet_indexer.fold.owed import owe
from ionet_indexer.fold.view import View
from ionet_indexer.tables import Cluster


def cluster_at(view: View, event: Event, key: str, seq: int) -> Cluster:
    """The cluster's row, stamped with this event."""
    row = view.get(Cluster, key)
    row.position, row.seq = event.position, seq
    return row


def _opened(view: View, event: Event, e: events.ClusterOpened) -> None:
    view.put(
        Cluster(
            cluster=str(e.cluster),
            position=event.position,
            seq=e.seq,
            renter=str(e.renter),
            id=e.id,
            kind=word(ClusterKind, e.kind),
            currency=word(Currency, e.currency),
            mint=str(e.mint),
            session_key=key_or_none(e.session_key),
            session_expires_at=e.session_expires_at,
            config_hash=e.config_hash.hex(),
            opened_at=e.at,
            session_changed_at=e.at,
            deposit=e.deposit,
        )
    )


def _budget_withdrawn(view: View, event: Event, e: events.BudgetWithdrawn) -> None:
    cluster_at(view, event, str(e.cluster), e.seq).refunded = e.refunded_after


def _session_key_changed(view: View, event: Event, e: events.SessionKeyChanged) -> None:
    row = cluster_at(view, event, str(e.cluster), e.seq)
    row.session_key, row.session_expires_at = key_or_none(e.after), e.expires_at
    row.session_changed_at = e.at


def _closed(view: View, event: Event, e: events.ClusterClosed) -> None:
    row = cluster_at(view, event, str(e.cluster), e.seq)
    row.status, row.closed_at = "closed", e.at
    row.paid, row.fees, row.refunded, row.locked = e.paid, e.fees, e.refunded, 0
    if e.owed:
        owe(view, event, str(e.renter), row.currency, e.refund, at=e.at, reason="refund", source=row.cluster)


HANDLERS: dict[str, Any] = {
    "ClusterOpened": _opened,
    "BudgetWithdrawn": _budget_withdrawn,
    "SessionKeyChanged": _session_key_changed,
    "ClusterClosed": _closed,
}

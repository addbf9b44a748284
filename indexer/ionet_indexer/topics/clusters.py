"""Clusters: a renter's budget, and what its leases did to it."""

from __future__ import annotations

from typing import Any, ClassVar

from ionet.generated import events
from ionet.generated.enums import ClusterKind, Currency
from ionet.words import word

from ionet_indexer.core.answers import Amount, Digits, answer_of
from ionet_indexer.core.decode import Event
from ionet_indexer.core.keys import key_or_none
from ionet_indexer.core.lists import SLOT, Listing, Order, addresses, choice, currency
from ionet_indexer.core.rows import Fact, State
from ionet_indexer.core.view import View
from ionet_indexer.topics.owed import owe, owe_network

# -- rows


class Cluster(State, kw_only=True):
    """A renter's budget: `deposit = escrow + paid + fees + refunded`, of which `locked` is set aside for leases. Of
    `fees`, `burned` is the price of time that the renter owed and nobody got: no fee.
    """

    table: ClassVar[str] = "clusters"
    key: ClassVar[str] = "cluster"
    entity: ClassVar[str] = "cluster"

    cluster: str
    position: int
    seq: int
    renter: str
    id: Amount
    kind: str
    currency: str
    mint: str
    session_key: str | None
    session_expires_at: int
    config_hash: str
    opened_at: int
    session_changed_at: int
    deposit: Amount
    status: str = "open"
    closed_at: int | None = None
    locked: Amount = 0
    paid: Amount = 0
    fees: Amount = 0
    burned: Amount = 0
    refunded: Amount = 0
    leases_booked: int = 0
    leases_open: int = 0


class SessionKey(Fact, kw_only=True):
    """A key that a renter let act for a cluster, at its opening or later."""

    table: ClassVar[str] = "session_keys"

    position: int
    cluster: str
    session_key: str


# -- folds


def cluster_at(view: View, event: Event, key: str, seq: int) -> Cluster:
    """The cluster's row, stamped with this event."""
    row = view.get(Cluster, key)
    row.position, row.seq = event.position, seq
    return row


def _note_session_key(view: View, event: Event, row: Cluster) -> None:
    if row.session_key is not None:
        view.facts.append(SessionKey(position=event.position, cluster=row.cluster, session_key=row.session_key))


def _opened(view: View, event: Event, e: events.ClusterOpened) -> None:
    row = Cluster(
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
    view.put(row)
    _note_session_key(view, event, row)


def _budget_withdrawn(view: View, event: Event, e: events.BudgetWithdrawn) -> None:
    cluster_at(view, event, str(e.cluster), e.seq).refunded = e.refunded_after


def _session_key_changed(view: View, event: Event, e: events.SessionKeyChanged) -> None:
    row = cluster_at(view, event, str(e.cluster), e.seq)
    row.session_key, row.session_expires_at = key_or_none(e.after), e.expires_at
    row.session_changed_at = e.at
    _note_session_key(view, event, row)


def _closed(view: View, event: Event, e: events.ClusterClosed) -> None:
    row = cluster_at(view, event, str(e.cluster), e.seq)
    row.status, row.closed_at = "closed", e.at
    row.paid, row.fees, row.refunded, row.locked = e.paid, e.fees, e.refunded, 0
    row.burned = e.burned
    if e.owed:
        owe(view, event, str(e.renter), row.currency, e.refund, at=e.at, reason="refund", source=row.cluster)
    owe_network(view, event, row.currency, e.fees_owed, at=e.at, source=row.cluster)


HANDLERS: dict[str, Any] = {
    "ClusterOpened": _opened,
    "BudgetWithdrawn": _budget_withdrawn,
    "SessionKeyChanged": _session_key_changed,
    "ClusterClosed": _closed,
}


# -- lists

CLUSTERS = Listing(
    name="clusters",
    docs="Clusters, newest first.",
    item="One cluster.",
    out=answer_of(Cluster, more={"slot": int, "escrow": Digits, "session_expires_at": str}),
    source="clusters t",
    order=(Order("opened_at", "t.opened_at", "bigint"), Order("cluster", "t.cluster", "text")),
    key="t.cluster",
    narrowed={**addresses("renter"), "status": choice("t.status", "open", "closed"), "currency": currency()},
    computed={
        "slot": SLOT,
        "escrow": "t.deposit - t.paid - t.fees - t.refunded",
        "session_expires_at": "t.session_expires_at::text",  # whatever the renter chose
    },
    newest_first=True,
    time="t.opened_at",
)

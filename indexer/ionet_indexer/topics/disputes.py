"""Approvals and disputes. A lease has one dispute at a time; its row shows what is still open."""

from __future__ import annotations

from typing import Any, ClassVar

from ionet.generated import events

from ionet_indexer.core.answers import Amount, Digits
from ionet_indexer.core.decode import Event
from ionet_indexer.core.lists import addresses, choice, currency, facts
from ionet_indexer.core.rows import Fact
from ionet_indexer.core.view import View
from ionet_indexer.topics.clusters import cluster_at
from ionet_indexer.topics.leases import lease_at, show_work

# -- rows


class Approval(Fact, kw_only=True):
    """Intervals before `through_interval` are paid without waiting."""

    table: ClassVar[str] = "approvals"

    position: int
    lease: str
    node: str
    cluster: str
    at: int
    through_interval: int
    proof_head: str
    signer: str


class Dispute(Fact, kw_only=True):
    """Intervals whose payment was held. `outcome`: open, defended (all of it), or undefended (the
    rest is not the supplier's: of the first hour it is burned, later time is refunded).

    `undefended_to` is where the defence has got to: it goes from the last interval to the first. `bond` was locked by
    the renter, of which the supplier won `bond_lost`.
    """

    table: ClassVar[str] = "disputes"

    position: int
    lease: str
    node: str
    cluster: str
    currency: str
    at: int
    from_interval: int
    to_interval: int
    served_secs: int
    bond: Amount
    defend_by: int
    signer: str
    outcome: str = "open"


class Defence(Fact, kw_only=True):
    """A step of a defence: an interval opened, or (`defended` false) only the proof chain walked back."""

    table: ClassVar[str] = "defences"

    position: int
    lease: str
    at: int
    interval: int
    defended: bool
    served_secs: int
    bond_part: Amount
    dispute_to: int
    signer: str


class DisputeEnd(Fact, kw_only=True):
    """What a dispute came to."""

    table: ClassVar[str] = "dispute_ends"

    position: int
    lease: str
    at: int
    undefended_secs: int
    bond_returned: int
    bond_due: int


# -- folds


def _approved(view: View, event: Event, e: events.LeaseApproved) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.approved_through = e.through_interval
    view.facts.append(
        Approval(
            position=event.position,
            lease=row.lease,
            node=row.node,
            cluster=row.cluster,
            at=e.at,
            through_interval=e.through_interval,
            proof_head=e.proof_head.hex(),
            signer=str(e.by),
        )
    )


def _disputed(view: View, event: Event, e: events.LeaseDisputed) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.disputes += 1
    row.dispute_from, row.dispute_to, row.defend_by = e.from_interval, e.to_interval, e.defend_by
    row.disputed_secs, row.dispute_bond = e.served_secs, e.bond
    cluster_at(view, event, row.cluster, e.cluster_seq).locked = e.cluster_locked_after
    view.facts.append(
        Dispute(
            position=event.position,
            lease=row.lease,
            node=row.node,
            cluster=row.cluster,
            currency=row.currency,
            at=e.at,
            from_interval=e.from_interval,
            to_interval=e.to_interval,
            served_secs=e.served_secs,
            bond=e.bond,
            defend_by=e.defend_by,
            signer=str(e.by),
        )
    )
    show_work(view, event, row, e.at)


def _defended(view: View, event: Event, e: events.DisputeDefended) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    if e.defended:
        row.dispute_to = e.dispute_to
        row.disputed_secs -= min(e.served_secs, row.disputed_secs)
        row.dispute_bond -= e.bond_part
        row.bond_due += e.bond_part
    view.facts.append(
        Defence(
            position=event.position,
            lease=row.lease,
            at=e.at,
            interval=e.interval,
            defended=e.defended,
            served_secs=e.served_secs,
            bond_part=e.bond_part,
            dispute_to=e.dispute_to,
            signer=str(e.by),
        )
    )
    show_work(view, event, row, e.at)


def _resolved(view: View, event: Event, e: events.DisputeResolved) -> None:
    row = lease_at(view, event, str(e.lease), e.seq)
    row.dispute_from = row.dispute_to = row.defend_by = None
    row.disputed_secs = row.dispute_bond = 0
    row.bond_due = e.bond_due
    row.undefended_secs += e.undefended_secs
    cluster_at(view, event, row.cluster, e.cluster_seq).locked = e.cluster_locked_after
    view.facts.append(
        DisputeEnd(
            position=event.position,
            lease=row.lease,
            at=e.at,
            undefended_secs=e.undefended_secs,
            bond_returned=e.bond_returned,
            bond_due=e.bond_due,
        )
    )
    show_work(view, event, row, e.at)


HANDLERS: dict[str, Any] = {
    "LeaseApproved": _approved,
    "LeaseDisputed": _disputed,
    "DisputeDefended": _defended,
    "DisputeResolved": _resolved,
}


# -- lists

APPROVALS = facts(
    Approval, "Intervals that the renter let be paid at once, newest first.", addresses("lease", "node", "cluster")
)
DISPUTES = facts(
    Dispute,
    "Disputes and what came of them, newest first.",
    {
        **addresses("lease", "node", "cluster"),
        "outcome": choice("t.outcome", "open", "defended", "undefended"),
        "currency": currency(),
    },
    path="/disputes",
    source="dispute_outcomes",
    more={
        "undefended_to": (int, "t.undefended_to"),
        "defended_intervals": (int, "t.defended_intervals"),
        "defended_secs": (int, "t.defended_secs"),
        "bond_lost": (Digits, "t.bond_lost"),
        "ended_at": (int | None, "t.ended_at"),
        "undefended_secs": (int | None, "t.undefended_secs"),
        "bond_returned": (Digits | None, "t.bond_returned"),
    },
)
DEFENCES = facts(Defence, "Steps of defences, newest first.", addresses("lease"))

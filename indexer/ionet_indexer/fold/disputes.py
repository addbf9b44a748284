"""Folds of approvals and disputes. A lease has one dispute at a time; its row shows what is still open."""

from __future__ import annotations

from typing import Any

from ionet.generated import events

from ionet_indexer.decode import Event
from ionet_indexer.facts import Approval, Defence, Dispute, DisputeEnd
from ionet_indexer.fold.clusters import cluster_at
from ionet_indexer.fold.leases import lease_at, show_work
from ionet_indexer.fold.view import View


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
    row.refunded_secs += e.refunded_secs
    cluster_at(view, event, row.cluster, e.cluster_seq).locked = e.cluster_locked_after
    view.facts.append(
        DisputeEnd(
            position=event.position,
            lease=row.lease,
            at=e.at,
            refunded_secs=e.refunded_secs,
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

"""Folds of nodes and of the stake behind them. Pools and shares follow the program's rules (state/pool.rs)."""

from __future__ import annotations

from typing import Any

from ionet import types as t

from ionet_indexer.decode import Event
from ionet_indexer.fold.names import SLASH_REASONS, word
from ionet_indexer.fold.view import FoldError, View
from ionet_indexer.tables import Node, Position, Slash, StakeMove, Ticket


def node_at(view: View, event: Event, key: str, seq: int) -> Node:
    """The node's row, stamped with this event."""
    row = view.get(Node, key)
    row.position, row.seq = event.position, seq
    return row


def _registered(view: View, event: Event, e: t.NodeRegistered) -> None:
    view.put(
        Node(
            node=str(e.node),
            position=event.position,
            seq=e.seq,
            registered_at=e.at,
            owner=str(e.owner),
            device_key=str(e.device_key),
            model=e.model,
            processors=e.processors,
            payout=str(e.payout),
            fee_payer=str(e.fee_payer),
            price=e.price,
            min_duration=e.min_duration,
            max_duration=e.max_duration,
            min_coverage_bps=e.min_coverage_bps,
            country=e.country,
            region=e.region,
            currencies=e.currencies,
            terms_seq=e.terms_seq,
        )
    )


def _updated(view: View, event: Event, e: t.NodeUpdated) -> None:
    row = node_at(view, event, str(e.node), e.seq)
    row.payout, row.fee_payer = str(e.payout), str(e.fee_payer)
    row.price, row.min_coverage_bps = e.price, e.min_coverage_bps
    row.min_duration, row.max_duration = e.min_duration, e.max_duration
    row.country, row.region, row.currencies = e.country, e.region, e.currencies
    row.terms_seq = e.terms_seq


def _key_rotated(view: View, event: Event, e: t.DeviceKeyRotated) -> None:
    node_at(view, event, str(e.node), e.seq).device_key = str(e.after)


def _flags_changed(view: View, event: Event, e: t.NodeFlagsChanged) -> None:
    node_at(view, event, str(e.node), e.seq).flags = e.after


def _slashed(view: View, event: Event, e: t.NodeSlashed) -> None:
    row = node_at(view, event, str(e.node), e.seq)
    row.slashed += e.amount
    row.bonded, row.unbonding = e.bonded_after, e.unbonding_after
    # A pool that a slash empties starts a new era; shares of the old one are void.
    if e.amount and row.bonded == 0 and row.bonded_shares:
        row.bonded_shares, row.bonded_era = 0, row.bonded_era + 1
    if e.amount and row.unbonding == 0 and row.unbonding_shares:
        row.unbonding_shares, row.unbonding_era = 0, row.unbonding_era + 1
    view.facts.append(
        Slash(
            position=event.position,
            node=str(e.node),
            lease=str(e.lease),
            at=e.at,
            reason=word(SLASH_REASONS, e.reason),
            bps=e.bps,
            missed_secs=e.missed_secs,
            amount=e.amount,
            from_bonded=e.from_bonded,
            from_unbonding=e.from_unbonding,
            to_renter=e.to_renter,
            to_reporter=e.to_reporter,
            burned=e.burned,
            reporter=str(e.reporter),
        )
    )


def _move(
    event: Event, kind: str, e: t.Staked | t.UnbondRequested | t.StakeWithdrawn, matures_at: int | None = None
) -> StakeMove:
    return StakeMove(
        position=event.position,
        kind=kind,
        node=str(e.node),
        staker_position=str(e.position),
        staker=str(e.staker),
        at=e.at,
        amount=e.amount,
        matures_at=matures_at,
    )


def _staked(view: View, event: Event, e: t.Staked) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    node.bonded, node.bonded_shares, node.bonded_era = e.bonded_after, e.bonded_shares_after, e.era
    key = str(e.position)
    row = view.find(Position, key)
    if row is None:
        row = Position(staker_position=key, position=event.position, node=str(e.node), staker=str(e.staker))
        view.put(row)
    held = row.shares if row.era == e.era else 0
    row.shares, row.era, row.closed = held + e.shares, e.era, False
    row.staked += e.amount
    row.position = event.position
    view.facts.append(_move(event, "stake", e))


def _unbond_requested(view: View, event: Event, e: t.UnbondRequested) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    node.bonded, node.unbonding = e.bonded_after, e.unbonding_after
    node.bonded_shares -= e.shares_burned
    node.unbonding_shares += e.ticket_shares
    node.unbonding_era = e.ticket_era
    row = view.get(Position, str(e.position))
    row.position = event.position
    row.shares -= e.shares_burned
    ticket = Ticket(ticket=e.ticket, amount=e.amount, shares=e.ticket_shares, era=e.ticket_era, matures_at=e.matures_at)
    row.tickets = sorted([*row.tickets, ticket], key=lambda item: item.ticket)
    view.facts.append(_move(event, "unbond", e, e.matures_at))


def _withdrawn(view: View, event: Event, e: t.StakeWithdrawn) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    row = view.get(Position, str(e.position))
    paid = [ticket for ticket in row.tickets if e.tickets >> ticket.ticket & 1]
    if len(paid) != e.tickets.bit_count():
        raise FoldError(f"position {e.position} has no open ticket for each of {e.tickets:#b}")
    node.unbonding = e.unbonding_after
    node.unbonding_shares -= sum(ticket.shares for ticket in paid if ticket.era == node.unbonding_era)
    row.tickets = [ticket for ticket in row.tickets if ticket not in paid]
    row.withdrawn += e.amount
    row.position, row.closed = event.position, e.position_closed
    view.facts.append(_move(event, "withdraw", e))


HANDLERS: dict[str, Any] = {
    "NodeRegistered": _registered,
    "NodeUpdated": _updated,
    "DeviceKeyRotated": _key_rotated,
    "NodeFlagsChanged": _flags_changed,
    "NodeSlashed": _slashed,
    "Staked": _staked,
    "UnbondRequested": _unbond_requested,
    "StakeWithdrawn": _withdrawn,
}

"""Folds of nodes: terms, keys, flags and slashes. Pools follow the program's rules (state/pool.rs)."""

from __future__ import annotations

from typing import Any

from ionet.generated import events
from ionet.generated.enums import SlashReason
from ionet.words import word

from ionet_indexer.decode import Event
from ionet_indexer.facts import Slash
from ionet_indexer.fold.names import key_or_none
from ionet_indexer.fold.view import View
from ionet_indexer.tables import Node

_MAX_SHARES_PER_UNIT = 1_000 << 40  # the program's constant of this name


def node_at(view: View, event: Event, key: str, seq: int) -> Node:
    """The node's row, stamped with this event."""
    row = view.get(Node, key)
    row.position, row.seq = event.position, seq
    return row


def _registered(view: View, event: Event, e: events.NodeRegistered) -> None:
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


def _updated(view: View, event: Event, e: events.NodeUpdated) -> None:
    row = node_at(view, event, str(e.node), e.seq)
    row.payout, row.fee_payer = str(e.payout), str(e.fee_payer)
    row.price, row.min_coverage_bps = e.price, e.min_coverage_bps
    row.min_duration, row.max_duration = e.min_duration, e.max_duration
    row.country, row.region, row.currencies = e.country, e.region, e.currencies
    row.terms_seq = e.terms_seq


def _key_rotated(view: View, event: Event, e: events.DeviceKeyRotated) -> None:
    node_at(view, event, str(e.node), e.seq).device_key = str(e.after)


def _flags_changed(view: View, event: Event, e: events.NodeFlagsChanged) -> None:
    node_at(view, event, str(e.node), e.seq).flags = e.after


def _slashed(view: View, event: Event, e: events.NodeSlashed) -> None:
    row = node_at(view, event, str(e.node), e.seq)
    row.slashed += e.amount
    row.bonded, row.unbonding = e.bonded_after, e.unbonding_after
    # A pool of which a slash leaves nothing worth a share starts a new era; shares of the old one are void.
    if e.amount and row.bonded_shares > row.bonded * _MAX_SHARES_PER_UNIT:
        row.bonded_shares, row.owner_bonded_shares, row.bonded_era = 0, 0, row.bonded_era + 1
    if e.amount and row.unbonding_shares > row.unbonding * _MAX_SHARES_PER_UNIT:
        row.unbonding_shares, row.owner_unbonding_shares, row.unbonding_era = 0, 0, row.unbonding_era + 1
    view.facts.append(
        Slash(
            position=event.position,
            node=str(e.node),
            lease=key_or_none(e.lease),
            at=e.at,
            reason=word(SlashReason, e.reason),
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


HANDLERS: dict[str, Any] = {
    "NodeRegistered": _registered,
    "NodeUpdated": _updated,
    "DeviceKeyRotated": _key_rotated,
    "NodeFlagsChanged": _flags_changed,
    "NodeSlashed": _slashed,
}

"""Folds of payments that could not reach their owner: an account of the program keeps them until he claims them."""

from __future__ import annotations

from typing import Any

from ionet.generated import events

from ionet_indexer.decode import Event
from ionet_indexer.facts import Owed
from ionet_indexer.fold.view import View


def owe(view: View, event: Event, owner: str, currency: str, amount: int, *, at: int, reason: str, source: str) -> None:
    """Note that `amount` went to the owner's owed account. `source` is the lease, cluster or node it came from."""
    view.facts.append(
        Owed(
            position=event.position,
            kind="owed",
            owner=owner,
            currency=currency,
            at=at,
            amount=amount,
            reason=reason,
            source=source,
        )
    )


def _claimed(view: View, event: Event, e: events.OwedClaimed) -> None:
    view.facts.append(
        Owed(
            position=event.position,
            kind="claimed",
            owner=str(e.owner),
            currency=view.currency(e.mint),
            at=e.at,
            amount=e.amount,
        )
    )


HANDLERS: dict[str, Any] = {"OwedClaimed": _claimed}

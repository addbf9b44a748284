"""Payments that could not reach their owner: an account of the program keeps them until the owner claims them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import msgspec
from ionet.generated import events

from ionet_indexer.core.answers import Amount, Digits
from ionet_indexer.core.decode import Event
from ionet_indexer.core.lists import SLOT, Listing, Order, addresses, choice, currency, facts
from ionet_indexer.core.rows import Fact
from ionet_indexer.core.view import View

# -- rows


class Owed(Fact, kw_only=True):
    """A payment that its owner could not receive, or their claim of all that waited in that currency.

    `source` is the lease, cluster or node it came from, `reason` payment, refund, stake, rewards, income or fees. The
    owner may be a node or the network: what their frozen vaults could not receive is collected into them later.
    """

    table: ClassVar[str] = "owed"
    # Closing a cluster may leave its renter unpaid and the network too.
    key: ClassVar[str] = "position, owner"

    position: int
    kind: str
    owner: str
    currency: str
    at: int
    amount: Amount
    reason: str | None = None
    source: str | None = None


# -- folds


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


def owe_network(view: View, event: Event, currency: str, amount: int, *, at: int, source: str) -> None:
    """Note that the frozen fee vault could not receive `amount`, if it is more than zero."""
    if amount:
        owe(view, event, str(view.network), currency, amount, at=at, reason="fees", source=source)


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


# -- lists


class OwedBalance(msgspec.Struct):
    """What waits in an owner's owed account of one currency."""

    owner: str
    slot: int
    currency: str
    amount: Digits


OWED = replace(
    facts(
        Owed,
        "Payments that wait for owners who could not receive them, and their claims, newest first.",
        {**addresses("owner"), "currency": currency(), "kind": choice("t.kind", "owed", "claimed")},
    ),
    order=(Order("id", "t.position", "bigint"), Order("owner", "t.owner", "text")),
)
BALANCES = Listing(
    name="owed_balances",
    docs="What waits for owners who could not receive it.",
    out=OwedBalance,
    source="owed_balances t",
    order=(Order("owner", "t.owner", "text"), Order("currency", "t.currency", "text")),
    key="t.owner",
    narrowed={**addresses("owner"), "currency": currency()},
    computed={"slot": SLOT},
)

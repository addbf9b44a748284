"""Leases' income that an owner shares with the node's stakers: vaults, what settlements hand over, and claims."""

from __future__ import annotations

from typing import Any, ClassVar

from ionet.generated import events
from solders.pubkey import Pubkey

from ionet_indexer.core.answers import Amount
from ionet_indexer.core.decode import Event
from ionet_indexer.core.lists import addresses, choice, currency, facts
from ionet_indexer.core.rows import Fact
from ionet_indexer.core.view import FoldError, View
from ionet_indexer.topics.nodes import IncomeBooks, Node, node_at
from ionet_indexer.topics.owed import owe, owe_network
from ionet_indexer.topics.stakes import Position, income_of, settle

# -- rows


class Income(Fact, kw_only=True):
    """Income of a lease that a settlement handed to the node's bonded pool, or what a co-staker (`wallet`) claimed of
    it.

    Of what was shared `to_co_stakers` went to the vault; the owner's part stayed with the payout. `owed`: it went to
    the owed account, of the node when it was shared, of the co-staker when it was claimed.
    """

    table: ClassVar[str] = "income"

    position: Amount
    kind: str
    node: str
    currency: str
    at: int
    amount: Amount
    lease: str | None = None
    to_co_stakers: Amount | None = None
    wallet: str | None = None
    staker_position: str | None = None
    owed: bool = False


class IncomeVault(Fact, kw_only=True):
    """A node's income vault of one currency was opened, so that leases booked from then on share their income; or a
    retired node's was closed, and `surplus`, tokens beyond its books, went to the fee vault.
    """

    table: ClassVar[str] = "income_vaults"

    position: int
    kind: str
    node: str
    currency: str
    at: int
    vault: str | None = None
    surplus: Amount | None = None


# -- folds


def _books(view: View, node: Node, mint: Pubkey) -> IncomeBooks:
    """The node's books of one currency. Raises FoldError when it never had a vault for it."""
    word = view.currency(mint)
    for books in node.income:
        if books.currency == word:
            return books
    raise FoldError(f"node {node.node} never opened an income vault for {word}")


def _vault_opened(view: View, event: Event, e: events.IncomeVaultOpened) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    word, vault = view.currency(e.mint), str(e.vault)
    others = [books for books in node.income if books.currency != word]
    node.income = sorted([*others, IncomeBooks(currency=word, vault=vault)], key=lambda books: books.currency)
    view.facts.append(
        IncomeVault(position=event.position, kind="opened", node=node.node, currency=word, at=e.at, vault=vault)
    )


def _vault_closed(view: View, event: Event, e: events.IncomeVaultClosed) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    books = _books(view, node, e.mint)
    books.vault, books.unclaimed = None, 0  # roundings that belonged to nobody
    view.facts.append(
        IncomeVault(
            position=event.position,
            kind="closed",
            node=node.node,
            currency=books.currency,
            at=e.at,
            surplus=e.surplus,
        )
    )
    owe_network(view, event, books.currency, e.fees_owed, at=e.at, source=node.node)


def _shared(view: View, event: Event, e: events.IncomeShared) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    books = _books(view, node, e.mint)
    books.per_share, books.unclaimed = e.income_per_share, e.co_income_after
    view.facts.append(
        Income(
            position=event.position,
            kind="shared",
            node=node.node,
            currency=books.currency,
            at=e.at,
            amount=e.amount,
            lease=str(e.lease),
            to_co_stakers=e.to_co_stakers,
            owed=e.owed,
        )
    )
    if e.owed:
        owe(view, event, node.node, books.currency, e.to_co_stakers, at=e.at, reason="income", source=str(e.lease))


def _claimed(view: View, event: Event, e: events.IncomeClaimed) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    row = view.get(Position, str(e.position))
    row.position = event.position
    settle(node, row)
    books, income = _books(view, node, e.mint), income_of(row, view.currency(e.mint))
    income.waiting -= e.amount
    income.claimed += e.amount
    books.unclaimed = e.co_income_after
    books.settled -= e.amount
    view.facts.append(
        Income(
            position=event.position,
            kind="claimed",
            node=node.node,
            currency=books.currency,
            at=e.at,
            amount=e.amount,
            wallet=row.staker,
            staker_position=row.staker_position,
            owed=e.owed,
        )
    )
    if e.owed:
        owe(view, event, row.staker, books.currency, e.amount, at=e.at, reason="income", source=node.node)


HANDLERS: dict[str, Any] = {
    "IncomeVaultOpened": _vault_opened,
    "IncomeShared": _shared,
    "IncomeClaimed": _claimed,
    "IncomeVaultClosed": _vault_closed,
}


# -- lists

INCOME = facts(
    Income,
    "Leases' income shared with stakers and claimed by them, newest first.",
    {**addresses("node", "lease", "wallet"), "currency": currency(), "kind": choice("t.kind", "shared", "claimed")},
    renamed={"staker_position": "position"},
)
INCOME_VAULTS = facts(
    IncomeVault,
    "Income vaults opened and closed, newest first.",
    {**addresses("node"), "currency": currency(), "kind": choice("t.kind", "opened", "closed")},
)

"""The stake behind nodes. Shares follow the program's rules (state/stake)."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from ionet.generated import events
from ionet.generated.enums import REWARD_SCALE
from ionet.rules.pool import settled_rewards

from ionet_indexer.core.answers import Amount, Digits, Wide, answer_of
from ionet_indexer.core.decode import Event
from ionet_indexer.core.lists import SLOT, Listing, Order, addresses, choice, either, facts
from ionet_indexer.core.rows import Fact, State
from ionet_indexer.core.view import FoldError, View
from ionet_indexer.topics.nodes import Node, bind_terms, node_at
from ionet_indexer.topics.owed import owe

# -- rows


class StoredTicket(msgspec.Struct):
    """Stake on its way out: `shares` of the node's unbonding pool in `era`. The owner's also waits for the lease that
    ran when it was made, at the latest until `lease_over_by`.
    """

    ticket: int
    amount: int
    shares: int
    era: int
    matures_at: int
    lease_over_by: int | None = None


class StoredIncome(msgspec.Struct):
    """A co-staker's income of one currency: where the node's accumulator was when it was last settled, what was settled
    and waits, and what was claimed.
    """

    currency: str
    debt: int = 0
    waiting: int = 0
    claimed: int = 0


class Position(State, kw_only=True):
    """One staker's position at one node. `bonded` is what the shares are worth now, `rewards` and `income` what can be
    claimed; all rounded down.
    """

    table: ClassVar[str] = "positions"
    key: ClassVar[str] = "staker_position"
    entity: ClassVar[str] = "node"

    staker_position: str
    position: Amount
    node: str
    staker: str
    owner: bool
    shares: Wide = 0
    era: int = 0
    staked: Amount = 0
    withdrawn: Amount = 0
    tickets: list[StoredTicket] = msgspec.field(default_factory=list)
    closed: bool = False
    reward_debt: int = 0
    rewards: Amount = 0
    rewards_claimed: Amount = 0
    income: list[StoredIncome] = msgspec.field(default_factory=list)


class StakeMove(Fact, kw_only=True):
    """Stake put in, asked out or taken out; a refill was put in while the node was frozen. `owed`: it went to the
    staker's owed account.
    """

    table: ClassVar[str] = "stake_moves"

    position: Amount
    kind: str
    node: str
    staker_position: str | None
    staker: str
    at: int
    amount: Amount
    matures_at: int | None = None
    owed: bool = False


class CoStakeTerms(Fact, kw_only=True):
    """What co-stakers get, in basis points: `share` of the rewards that fall on their stake, and of leases' income
    `income_share`, divided over all bonded shares. Better terms bind at once, worse ones at `pending_at`.
    """

    table: ClassVar[str] = "co_stake_terms"

    position: int
    node: str
    at: int
    share_before: int
    share: int
    income_share_before: int
    income_share: int
    pending_share: int
    pending_income_share: int
    pending_at: int | None


# -- folds


def _move(
    event: Event,
    kind: str,
    e: events.Staked | events.UnbondRequested | events.StakeWithdrawn,
    matures_at: int | None = None,
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
        owed=isinstance(e, events.StakeWithdrawn) and e.owed,
    )


def settle(node: Node, row: Position) -> None:
    """Bring a co-staker's rewards and income up to date, as the program does before their shares change."""
    if row.staker == node.owner:
        return
    held = row.shares if row.era == node.bonded_era else 0
    earned = settled_rewards(held, node.reward_per_share, row.reward_debt)
    row.reward_debt = node.reward_per_share
    row.rewards += earned
    node.co_settled += earned
    for books in node.income:
        income = income_of(row, books.currency)
        earned = settled_rewards(held, books.per_share, income.debt)
        income.debt = books.per_share
        income.waiting += earned
        books.settled += earned


def income_of(row: Position, currency: str) -> StoredIncome:
    """The position's income of one currency; none so far is nothing."""
    for income in row.income:
        if income.currency == currency:
            return income
    row.income.append(StoredIncome(currency=currency))
    row.income.sort(key=lambda each: each.currency)
    return income_of(row, currency)


def _staked(view: View, event: Event, e: events.Staked) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    key = str(e.position)
    row = view.find(Position, key)
    if row is None:
        row = Position(
            staker_position=key,
            position=event.position,
            node=str(e.node),
            staker=str(e.staker),
            owner=str(e.staker) == node.owner,
        )
        view.put(row)
    settle(node, row)
    if row.staker != node.owner:
        bind_terms(node, e.at)
    node.bonded, node.bonded_shares, node.bonded_era = e.bonded_after, e.bonded_shares_after, e.era
    held = row.shares if row.era == e.era else 0
    row.shares, row.era, row.closed = held + e.shares, e.era, False
    row.staked += e.amount
    row.position = event.position
    if row.staker == node.owner:
        node.owner_bonded_shares += e.shares
    view.facts.append(_move(event, "stake", e))


def _unbond_requested(view: View, event: Event, e: events.UnbondRequested) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    row = view.get(Position, str(e.position))
    row.position = event.position
    settle(node, row)
    node.bonded, node.unbonding = e.bonded_after, e.unbonding_after
    row.shares -= e.shares_burned
    made = _place(row, e)
    node.bonded_shares -= e.shares_burned
    node.unbonding_shares += made
    if made:
        node.unbonding_era = e.ticket_era
    if row.staker == node.owner:
        node.owner_bonded_shares -= e.shares_burned
        node.owner_unbonding_shares += made
    view.facts.append(_move(event, "unbond", e, e.matures_at))


def _place(row: Position, e: events.UnbondRequested) -> int:
    """Put the ticket into the position, merged with one that is there already; returns the shares that are new.

    Stake worth nothing makes no ticket.
    """
    others = [ticket for ticket in row.tickets if ticket.ticket != e.ticket]
    kept = sum(ticket.shares for ticket in row.tickets if ticket.ticket == e.ticket and ticket.era == e.ticket_era)
    before = sum(ticket.amount for ticket in row.tickets if ticket.ticket == e.ticket and ticket.era == e.ticket_era)
    ticket = StoredTicket(
        ticket=e.ticket,
        amount=before + e.amount,
        shares=e.ticket_shares,
        era=e.ticket_era,
        matures_at=e.matures_at,
        lease_over_by=e.lease_over_by or None,
    )
    row.tickets = sorted([*others, *([ticket] if ticket.shares else [])], key=lambda item: item.ticket)
    return e.ticket_shares - kept


def _withdrawn(view: View, event: Event, e: events.StakeWithdrawn) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    row = view.get(Position, str(e.position))
    paid = [ticket for ticket in row.tickets if e.tickets >> ticket.ticket & 1]
    if len(paid) != e.tickets.bit_count():
        raise FoldError(f"position {e.position} has no open ticket for each of {e.tickets:#b}")
    node.unbonding = e.unbonding_after
    redeemed = sum(ticket.shares for ticket in paid if ticket.era == node.unbonding_era)
    node.unbonding_shares -= redeemed
    if row.staker == node.owner:
        node.owner_unbonding_shares -= redeemed
    row.tickets = [ticket for ticket in row.tickets if ticket not in paid]
    row.withdrawn += e.amount
    row.position, row.closed = event.position, e.position_closed
    view.facts.append(_move(event, "withdraw", e))
    if e.owed:
        owe(view, event, row.staker, "IO", e.amount, at=e.at, reason="stake", source=row.node)


def _refilled(view: View, event: Event, e: events.StakeRefilled) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    node.refill = e.refill_after
    if e.amount:  # 0: staked by the event beside it
        view.facts.append(
            StakeMove(
                position=event.position,
                kind="refill",
                node=node.node,
                staker_position=None,
                staker=str(e.owner),
                at=e.at,
                amount=e.amount,
            )
        )


def _terms_changed(view: View, event: Event, e: events.CoStakeTermsChanged) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    node.co_share_bps, node.pending_co_share_bps = e.share, e.pending_share
    node.income_share_bps, node.pending_income_share_bps = e.income_share, e.pending_income_share
    node.pending_co_share_at = e.pending_at or None
    view.facts.append(
        CoStakeTerms(
            position=event.position,
            node=node.node,
            at=e.at,
            share_before=e.share_before,
            share=e.share,
            income_share_before=e.income_share_before,
            income_share=e.income_share,
            pending_share=e.pending_share,
            pending_income_share=e.pending_income_share,
            pending_at=node.pending_co_share_at,
        )
    )


def _vault_closed(view: View, event: Event, e: events.StakeVaultClosed) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    node.vault_closed = True
    node.bonded = node.unbonding = node.co_rewards = 0  # crumbs that belonged to nobody


HANDLERS: dict[str, Any] = {
    "Staked": _staked,
    "UnbondRequested": _unbond_requested,
    "StakeWithdrawn": _withdrawn,
    "StakeRefilled": _refilled,
    "CoStakeTermsChanged": _terms_changed,
    "StakeVaultClosed": _vault_closed,
}


# -- lists


class Ticket(msgspec.Struct):
    """Stake on its way out. The owner's also waits for the lease that ran then, at the latest until `lease_over_by`."""

    ticket: int
    amount: Digits
    matures_at: int
    lease_over_by: int | None


class StakeIncome(msgspec.Struct):
    """What a co-staker can claim of one currency, and what they claimed so far."""

    currency: str
    unclaimed: Digits
    claimed: Digits


STAKES = Listing(
    name="stakes",
    docs="Stake positions.",
    item="One stake position.",
    out=answer_of(
        Position,
        name="Stake",
        without=("era", "reward_debt"),
        renamed={"staker_position": "position"},
        more={"slot": int, "bonded": Digits, "tickets": list[Ticket], "income": list[StakeIncome]},
    ),
    # Each row's own node, not all nodes to look it up among.
    source="positions t CROSS JOIN LATERAL (SELECT * FROM nodes WHERE node = t.node LIMIT 1) n",
    order=(Order("position", "t.staker_position", "text"),),
    key="t.staker_position",
    narrowed={
        **addresses("node", "staker"),
        "owner": either("t.owner", "NOT t.owner", "Those of the nodes' owners (true) or of their co-stakers (false)."),
    },
    computed={
        "position": "t.staker_position",
        "slot": SLOT,
        "bonded": "CASE WHEN t.era = n.bonded_era THEN worth(t.shares, n.bonded_shares, n.bonded) ELSE 0 END",
        "rewards": f"""CASE WHEN t.owner THEN n.owner_rewards ELSE t.rewards + CASE WHEN t.era = n.bonded_era
            THEN div(t.shares * (n.reward_per_share - t.reward_debt), {REWARD_SCALE}) ELSE 0 END END""",
        "tickets": """(SELECT coalesce(json_agg(json_build_object('ticket', x.ticket, 'amount', x.amount::text,
            'matures_at', x.matures_at, 'lease_over_by', x.lease_over_by) ORDER BY x.ticket), '[]')
            FROM json_to_recordset(t.tickets)
            AS x(ticket integer, amount numeric, matures_at bigint, lease_over_by bigint))""",
        "income": f"""(SELECT coalesce(json_agg(json_build_object('currency', x.currency,
            'claimed', coalesce(y.claimed, 0)::text,
            'unclaimed', (coalesce(y.waiting, 0) + CASE WHEN t.era = n.bonded_era
                THEN div(t.shares * (x.per_share - coalesce(y.debt, 0)), {REWARD_SCALE}) ELSE 0 END)::text
            ) ORDER BY x.currency), '[]')
            FROM json_to_recordset(n.income) AS x(currency text, per_share numeric)
            LEFT JOIN json_to_recordset(t.income) AS y(currency text, debt numeric, waiting numeric, claimed numeric)
                USING (currency)
            WHERE NOT t.owner)""",
    },
    json={"tickets": list[Ticket], "income": list[StakeIncome]},
)
STAKE_MOVES = facts(
    StakeMove,
    "Stake put in, asked out and taken out, newest first.",
    {**addresses("node", "staker"), "kind": choice("t.kind", "stake", "refill", "unbond", "withdraw")},
    renamed={"staker_position": "position"},
)
CO_STAKE_TERMS = facts(CoStakeTerms, "Terms for co-stakers, newest first.", addresses("node"))

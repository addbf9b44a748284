"""Rewards for a node's stakers: given by anyone, claimed by each."""

from __future__ import annotations

from typing import Any, ClassVar

from ionet.generated import events

from ionet_indexer.core.answers import Amount
from ionet_indexer.core.decode import Event
from ionet_indexer.core.keys import key_or_none
from ionet_indexer.core.lists import addresses, choice, facts
from ionet_indexer.core.rows import Fact
from ionet_indexer.core.view import View
from ionet_indexer.topics.nodes import bind_terms, node_at
from ionet_indexer.topics.owed import owe
from ionet_indexer.topics.stakes import Position, settle

# -- rows


class Reward(Fact, kw_only=True):
    """IO given to a node's stakers (`wallet` gave it), or claimed by one (`wallet` is theirs)."""

    table: ClassVar[str] = "rewards"

    position: Amount
    kind: str
    node: str
    wallet: str
    at: int
    amount: Amount
    staker_position: str | None = None
    to_owner: Amount | None = None
    to_co_stakers: Amount | None = None
    owed: bool = False


# -- folds


def _rewards_added(view: View, event: Event, e: events.RewardsAdded) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    node.owner_rewards, node.co_rewards = e.owner_rewards_after, e.co_rewards_after
    node.reward_per_share = e.reward_per_share
    bind_terms(node, e.at)
    view.facts.append(
        Reward(
            position=event.position,
            kind="added",
            node=node.node,
            wallet=str(e.by),
            at=e.at,
            amount=e.amount,
            to_owner=e.to_owner,
            to_co_stakers=e.to_co_stakers,
        )
    )


def _rewards_claimed(view: View, event: Event, e: events.RewardsClaimed) -> None:
    node = node_at(view, event, str(e.node), e.seq)
    node.owner_rewards, node.co_rewards = e.owner_rewards_after, e.co_rewards_after
    row = view.find(Position, str(e.position))  # the owner, whose rewards are in the node, may have none
    if row is not None:
        settle(node, row)
        row.position = event.position
        row.rewards_claimed += e.amount
        if row.staker != node.owner:
            row.rewards -= e.amount
            node.co_settled -= e.amount
    view.facts.append(
        Reward(
            position=event.position,
            kind="claimed",
            node=node.node,
            wallet=str(e.staker),
            at=e.at,
            amount=e.amount,
            staker_position=key_or_none(e.position),
            owed=e.owed,
        )
    )
    if e.owed:
        owe(view, event, str(e.staker), "IO", e.amount, at=e.at, reason="rewards", source=node.node)


HANDLERS: dict[str, Any] = {"RewardsAdded": _rewards_added, "RewardsClaimed": _rewards_claimed}


# -- lists

REWARDS = facts(
    Reward,
    "Rewards given and claimed, newest first.",
    {**addresses("node", "wallet"), "kind": choice("t.kind", "added", "claimed")},
    renamed={"staker_position": "position"},
)

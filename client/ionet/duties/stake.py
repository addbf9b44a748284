"""Stake on its way out, and what has to be paid before a retired node's vaults can close."""

from __future__ import annotations

from functools import partial

from ionet.client import Client
from ionet.duties.duty import Duty, Seen
from ionet.generated.accounts import Node, StakePosition
from ionet.generated.enums import Currency, NodeFlag
from ionet.generated.types import Ticket
from ionet.plan import Plan
from ionet.rules.restarts import Moment

# In the order of the program's arrays.
CURRENCIES = (Currency.IOSD, Currency.USDC, Currency.IO)
_SCALE_BITS = 64


def is_retired(node: Node) -> bool:
    return bool(node.flags & NodeFlag.RETIRED)


# -- positions


def bonded_shares(position: StakePosition, node: Node) -> int:
    return position.shares if position.era == node.bonded.era else 0


def push_due(seen: Seen, at: Moment) -> int | None:
    return at.now if is_retired(seen.node) and bonded_shares(seen.account, seen.node) else None


def withdraw_due(seen: Seen, at: Moment) -> int | None:
    position, node = seen.account, seen.node
    if node.flags & NodeFlag.FROZEN:
        return None
    if _is_empty(position, node):
        return at.now
    times = [_leaves_at(ticket, position, node) for ticket in position.tickets if ticket.shares]
    return min(times, default=None)


def _is_empty(position: StakePosition, node: Node) -> bool:
    held = bonded_shares(position, node) or position.rewards or any(position.income)
    return not held and not any(ticket.shares for ticket in position.tickets)


def _leaves_at(ticket: Ticket, position: StakePosition, node: Node) -> int:
    if position.staker != node.owner:
        return ticket.matures_at
    over = node.busy_until if ticket.lease_number == node.next_lease_number else node.earlier_over_at
    return max(ticket.matures_at, min(ticket.lease_over_by, over))


def rewards_due(seen: Seen, at: Moment) -> int | None:
    """A co-staker's rewards, once they are what keeps a retired node's position open."""
    position, node = seen.account, seen.node
    if not is_retired(node) or position.staker == node.owner:
        return None
    gained = bonded_shares(position, node) * (node.reward_per_share - position.reward_debt) >> _SCALE_BITS
    return at.now if position.rewards + gained > 0 else None


def income_due(place: int, seen: Seen, at: Moment) -> int | None:
    position, node = seen.account, seen.node
    if not is_retired(node) or position.staker == node.owner or not node.income_vault_bumps[place]:
        return None
    each = node.income_per_share[place] - position.income_debt[place]
    gained = bonded_shares(position, node) * each >> _SCALE_BITS
    return at.now if position.income[place] + gained > 0 else None


def _claim_income(place: int, client: Client, seen: Seen, _at: Moment) -> Plan:
    return client.stake.claim_income(seen.account.node, str(CURRENCIES[place].name), seen.account.staker)


POSITION_DUTIES = (
    Duty(
        "push_unbond",
        "position",
        push_due,
        lambda client, seen, _: client.stake.push_unbond(seen.account.node, seen.account.staker),
    ),
    Duty(
        "claim_rewards",
        "position",
        rewards_due,
        lambda client, seen, _: client.stake.claim_rewards(seen.account.node, seen.account.staker),
    ),
    *(
        Duty("claim_income", "position", partial(income_due, place), partial(_claim_income, place))
        for place in range(len(CURRENCIES))
    ),
    Duty(
        "withdraw",
        "position",
        withdraw_due,
        lambda client, seen, _: client.stake.withdraw(seen.account.node, seen.account.staker),
    ),
)


# -- a retired node


def owner_rewards_due(seen: Seen, at: Moment) -> int | None:
    node: Node = seen.account
    return at.now if is_retired(node) and node.owner_rewards else None


def income_vault_due(place: int, seen: Seen, at: Moment) -> int | None:
    node: Node = seen.account
    if not is_retired(node) or not node.income_vault_bumps[place]:
        return None
    over = node.leases_closed == node.next_lease_number and not node.bonded.shares
    return at.now if over and not node.co_income_settled[place] else None


def stake_vault_due(seen: Seen, at: Moment) -> int | None:
    node: Node = seen.account
    if not is_retired(node) or node.flags & NodeFlag.FROZEN or not seen.vault_open:
        return None
    shares = node.bonded.shares or node.unbonding.shares
    owed = node.refill or node.owner_rewards or node.co_settled
    return at.now if not shares and not owed and node.leases_closed == node.next_lease_number else None


def _close_income(place: int, client: Client, seen: Seen, _at: Moment) -> Plan:
    return client.stake.close_income_vault(seen.address, str(CURRENCIES[place].name))


NODE_DUTIES = (
    Duty(
        "claim_rewards",
        "node",
        owner_rewards_due,
        lambda client, seen, _: client.stake.claim_rewards(seen.address, seen.account.owner),
    ),
    *(
        Duty("close_income_vault", "node", partial(income_vault_due, place), partial(_close_income, place))
        for place in range(len(CURRENCIES))
    ),
    Duty("close_stake_vault", "node", stake_vault_due, lambda client, seen, _: client.stake.close_vault(seen.address)),
)

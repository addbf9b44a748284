"""Stake behind nodes. Amounts are base units of IO."""

from __future__ import annotations

from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import addresses
from ionet.api.base import RoleApi
from ionet.api.network import NetworkApi
from ionet.errors import NotFound
from ionet.generated import pdas
from ionet.generated.accounts import Node, StakePosition
from ionet.generated.enums import Currency
from ionet.generated.types import Ticket
from ionet.plan import Plan
from ionet.rules import pool
from ionet.words import words


def agreed_terms(node: Node) -> tuple[int, int]:
    """Co-stakers' share of rewards and all stake's share of income, in basis points: those to come where some are."""
    if node.pending_co_share_at:
        return node.pending_co_share_bps, node.pending_income_share_bps
    return node.co_share_bps, node.income_share_bps


@dataclass(frozen=True, slots=True)
class Exit:
    """Stake on its way out. amount: IO base units as the pool stands; at: unix seconds; why it waits until then."""

    amount: int
    at: int
    why: str


@dataclass(frozen=True, slots=True)
class Worth:
    """A position in IO base units, as the pools stand now: a slash makes it less.

    bonded: what counts as stake. leaving: on its way out. rewards: to be claimed. income: to be claimed, by currency.
    """

    bonded: int
    leaving: int
    rewards: int
    income: dict[str, int]
    tickets: tuple[tuple[Ticket, int], ...]
    node: Node
    is_owner: bool

    def exits(self, now: int) -> list[Exit]:
        """What comes out when, the soonest first."""
        found = [self._exit(ticket, amount, now) for ticket, amount in self.tickets]
        return sorted(found, key=lambda item: item.at)

    def _exit(self, ticket: Ticket, amount: int, now: int) -> Exit:
        last = ticket.lease_number == self.node.next_lease_number
        over = min(ticket.lease_over_by, self.node.busy_until if last else self.node.earlier_over_at)
        if self.is_owner and max(now, ticket.matures_at) < over:
            return Exit(amount, over, "until then a lease of the node can still be disputed")
        if now < ticket.matures_at:
            return Exit(amount, ticket.matures_at, "until then the cooldown runs, and it can still be slashed")
        return Exit(amount, ticket.matures_at, "the cooldown is over")


def worth_of(node: Node, position: StakePosition) -> Worth:
    """What a position is worth, by the program's own arithmetic."""
    bonded, unbonding = (pool.Pool(of.amount, of.shares) for of in (node.bonded, node.unbonding))
    shares = position.shares if position.era == node.bonded.era else 0
    tickets = [ticket for ticket in position.tickets if ticket.shares]
    leaving = [unbonding.worth(item.shares) if item.era == node.unbonding.era else 0 for item in tickets]
    is_owner = position.staker == node.owner
    if is_owner:
        rewards, income = node.owner_rewards, (0,) * len(position.income)
    else:
        rewards = position.rewards + pool.settled_rewards(shares, node.reward_per_share, position.reward_debt)
        grown = zip(node.income_per_share, position.income_debt, strict=True)
        settled = [pool.settled_rewards(shares, now, before) for now, before in grown]
        income = tuple(map(sum, zip(position.income, settled, strict=True)))
    by_name = {name: units for name, units in zip(words(Currency), income, strict=True) if units}
    waiting = tuple(zip(tickets, leaving, strict=True))
    return Worth(bonded.worth(shares), sum(leaving), rewards, by_name, waiting, node, is_owner)


class StakeApi(RoleApi):
    def address(self, node: Pubkey, staker: Pubkey | None = None) -> Pubkey:
        """The position of a staker, by default the wallet."""
        return pdas.position(self._id, node, staker or self._chain.address)

    async def get(self, node: Pubkey, staker: Pubkey | None = None) -> StakePosition:
        """Raises NotFound where the staker, by default the wallet, has none in this node."""
        found = await self._chain.find(StakePosition, self.address(node, staker))
        if found is None:
            raise NotFound(f"stake of {staker or self._chain.address} in node {node}")
        return found

    async def all(self, **fields: Pubkey) -> list[tuple[Pubkey, StakePosition]]:
        """Positions by node=… or staker=…"""
        return await self._chain.fetch_all(StakePosition, **fields)

    def add(self, node: Pubkey, amount: int) -> Plan:
        """Bond IO: to one's own node, or to one whose owner shares rewards or income.

        Income that others stood behind must be handed to them first: settle the node's leases. While a case has the
        node frozen its owner's IO is kept aside, as a refill; their next stake afterwards, also of nothing, turns the
        refill into stake.
        """

        async def build() -> list[Instruction]:
            found = await self._chain.fetch(Node, node)
            lease = None if found.current_lease == Pubkey.default() else found.current_lease
            return [self._ix.stake(staker=self._chain.address, node=node, lease=lease, amount=amount)]

        return self._plan(build)

    def request_unbond(self, node: Pubkey, amount: int) -> Plan:
        """Start the cooldown; more than is bonded means all of it."""
        return self._single(lambda: self._ix.request_unbond(staker=self._chain.address, node=node, amount=amount))

    def withdraw(self, node: Pubkey, staker: Pubkey | None = None) -> Plan:
        """Pay what has matured to the staker (by default the wallet); anyone may push it."""

        async def build() -> list[Instruction]:
            owner = staker or self._chain.address
            first, owed = await self._payee(owner, pdas.io_mint(self._id))
            return [*first, self._ix.withdraw(node=node, staker=owner, owed=owed)]

        return self._plan(build)

    def push_unbond(self, node: Pubkey, staker: Pubkey) -> Plan:
        """Start the cooldown of everything a staker has on a retired node; anyone."""
        return self._single(lambda: self._ix.push_unbond(node=node, position=self.address(node, staker)))

    # -- co-staking and rewards

    def set_terms(self, node: Pubkey, share_bps: int | None = None, income_share_bps: int | None = None) -> Plan:
        """What co-stakers get of rewards on their stake, and all stake of leases' income; node owner.

        None keeps what is agreed, pending or not. With both at 0 nobody new can join; less takes a notice.
        """

        async def build() -> list[Instruction]:
            share, income = agreed_terms(await self._chain.fetch(Node, node))
            return [
                self._ix.set_co_stake_terms(
                    owner=self._chain.address,
                    node=node,
                    share_bps=share if share_bps is None else share_bps,
                    income_share_bps=income if income_share_bps is None else income_share_bps,
                )
            ]

        return self._plan(build)

    def open_income_vault(self, node: Pubkey, currency: str) -> Plan:
        """Create a node's income vault of one currency, without which no income in it is shared; anyone."""

        async def build() -> list[Instruction]:
            mint = await NetworkApi(self._chain).mint(currency)
            return [self._ix.open_income_vault(payer=self._chain.address, node=node, mint=mint)]

        return self._plan(build)

    def claim_income(self, node: Pubkey, currency: str, staker: Pubkey | None = None) -> Plan:
        """Pay a co-staker (by default the wallet) their part of leases' income in one currency; anyone may push it."""

        async def build() -> list[Instruction]:
            owner, mint = staker or self._chain.address, await NetworkApi(self._chain).mint(currency)
            first, owed = await self._payee(owner, mint)
            claim = self._ix.claim_income(
                node=node,
                position=self.address(node, owner),
                mint=mint,
                to=addresses.token_account(owner, mint),
                owed=owed,
            )
            return [*first, claim]

        return self._plan(build)

    def close_income_vault(self, node: Pubkey, currency: str) -> Plan:
        """Close an income vault of a retired node to which nobody has a claim any more; anyone."""

        async def build() -> list[Instruction]:
            found, mint = await self._chain.fetch(Node, node), await NetworkApi(self._chain).mint(currency)
            network = pdas.network(self._id)
            first, owed = await self._keeper(pdas.fee_vault(self._id, mint), network, mint)
            close = self._ix.close_income_vault(node=node, owner=found.owner, mint=mint, fees_owed=owed)
            return [*first, close]

        return self._plan(build)

    def fund_rewards(self, node: Pubkey, amount: int) -> Plan:
        """Give IO to a node's stakers; anyone."""
        return self._single(lambda: self._ix.fund_rewards(payer=self._chain.address, node=node, amount=amount))

    def claim_rewards(self, node: Pubkey, staker: Pubkey | None = None) -> Plan:
        """Pay a staker (by default the wallet) their rewards; anyone may push it."""

        async def build() -> list[Instruction]:
            owner = staker or self._chain.address
            found = await self._chain.fetch(Node, node)
            first, owed = await self._payee(owner, pdas.io_mint(self._id))
            # The owner's rewards are in the node; they may have no position any more.
            position = None if owner == found.owner else self.address(node, owner)
            claim = self._ix.claim_rewards(node=node, staker=owner, position=position, owed=owed)
            return [*first, claim]

        return self._plan(build)

    def close_vault(self, node: Pubkey) -> Plan:
        """Close the vault of a retired node to which nobody has a claim any more; anyone. The owner gets its rent."""

        async def build() -> list[Instruction]:
            found = await self._chain.fetch(Node, node)
            return [self._ix.close_stake_vault(node=node, owner=found.owner)]

        return self._plan(build)

"""Stake behind nodes. Amounts are base units of IO."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import addresses
from ionet.api.base import RoleApi
from ionet.api.network import NetworkApi
from ionet.generated import pdas
from ionet.generated.accounts import Node, StakePosition
from ionet.plan import Plan


def agreed_terms(node: Node) -> tuple[int, int]:
    """Co-stakers' share of rewards and all stake's share of income, in basis points: those to come where some are."""
    if node.pending_co_share_at:
        return node.pending_co_share_bps, node.pending_income_share_bps
    return node.co_share_bps, node.income_share_bps


class StakeApi(RoleApi):
    def address(self, node: Pubkey, staker: Pubkey | None = None) -> Pubkey:
        """The position of a staker, by default the wallet."""
        return pdas.position(self._id, node, staker or self._chain.address)

    async def get(self, node: Pubkey, staker: Pubkey | None = None) -> StakePosition:
        return await self._chain.fetch(StakePosition, self.address(node, staker))

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

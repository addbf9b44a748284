"""Stake behind nodes. Amounts are base units of IO."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import pda
from ionet.api.base import RoleApi
from ionet.generated import instructions
from ionet.generated.accounts import Node, StakePosition
from ionet.plan import Plan


class StakeApi(RoleApi):
    def address(self, node: Pubkey, staker: Pubkey | None = None) -> Pubkey:
        """The position of a staker, by default the wallet."""
        return pda.position(self._id, node, staker or self._client.address)

    async def get(self, node: Pubkey, staker: Pubkey | None = None) -> StakePosition:
        return await self._client.fetch(StakePosition, self.address(node, staker))

    async def all(self, **fields: Pubkey) -> list[tuple[Pubkey, StakePosition]]:
        """Positions by node=… or staker=…"""
        return await self._client.fetch_all(StakePosition, **fields)

    def add(self, node: Pubkey, amount: int) -> Plan:
        """Bond IO: to one's own node, or to one whose owner shares rewards.

        While a case has the node frozen its owner's IO is kept aside, as a refill; his next stake afterwards, also of
        nothing, turns the refill into stake.
        """
        return self._single(
            lambda: instructions.stake(staker=self._client.address, node=node, amount=amount, program=self._program)
        )

    def request_unbond(self, node: Pubkey, amount: int) -> Plan:
        """Start the cooldown; more than is bonded means all of it."""
        return self._single(
            lambda: instructions.request_unbond(
                staker=self._client.address, node=node, amount=amount, program=self._program
            )
        )

    def withdraw(self, node: Pubkey, staker: Pubkey | None = None) -> Plan:
        """Pay what has matured to the staker (by default the wallet); anyone may push it."""

        async def build() -> list[Instruction]:
            owner = staker or self._client.address
            first, owed = await self._payee(owner, pda.io_mint(self._id))
            return [*first, instructions.withdraw(node=node, staker=owner, owed=owed, program=self._program)]

        return self._plan(build)

    def push_unbond(self, node: Pubkey, staker: Pubkey) -> Plan:
        """Start the cooldown of everything a staker has on a retired node; anyone."""
        return self._single(
            lambda: instructions.push_unbond(node=node, position=self.address(node, staker), program=self._program)
        )

    # -- co-staking and rewards

    def set_terms(self, node: Pubkey, share_bps: int) -> Plan:
        """The part of their rewards that co-stakers get; 0 admits no new ones. Node owner; less takes a notice."""
        return self._single(
            lambda: instructions.set_co_stake_terms(
                owner=self._client.address, node=node, share_bps=share_bps, program=self._program
            )
        )

    def fund_rewards(self, node: Pubkey, amount: int) -> Plan:
        """Give IO to a node's stakers; anyone."""
        return self._single(
            lambda: instructions.fund_rewards(
                payer=self._client.address, node=node, amount=amount, program=self._program
            )
        )

    def claim_rewards(self, node: Pubkey, staker: Pubkey | None = None) -> Plan:
        """Pay a staker (by default the wallet) his rewards; anyone may push it."""

        async def build() -> list[Instruction]:
            owner = staker or self._client.address
            found = await self._client.fetch(Node, node)
            first, owed = await self._payee(owner, pda.io_mint(self._id))
            # The owner's rewards stand in the node; he may have no position any more.
            position = None if owner == found.owner else self.address(node, owner)
            claim = instructions.claim_rewards(
                node=node, staker=owner, position=position, owed=owed, program=self._program
            )
            return [*first, claim]

        return self._plan(build)

    def close_vault(self, node: Pubkey) -> Plan:
        """Close the vault of a retired node to which nobody has a claim any more; anyone. The owner gets its rent."""

        async def build() -> list[Instruction]:
            found = await self._client.fetch(Node, node)
            return [instructions.close_stake_vault(node=node, owner=found.owner, program=self._program)]

        return self._plan(build)

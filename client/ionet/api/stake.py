"""Stake behind nodes. Amounts are base units of IO."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import instructions, pda
from ionet.api.base import RoleApi
from ionet.plan import Plan
from ionet.types import StakePosition


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
        """Bond IO; in this version only the node's owner may."""
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
            return [
                *await self._token_account(owner, pda.io_mint(self._id)),
                instructions.withdraw(node=node, staker=owner, program=self._program),
            ]

        return self._plan(build)

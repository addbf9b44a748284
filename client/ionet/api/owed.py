"""What wallets could not receive: kept in an account per wallet and mint, until its owner claims it."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet.api.base import RoleApi
from ionet.generated import pdas
from ionet.plan import Plan


class OwedApi(RoleApi):
    def address(self, mint: Pubkey, owner: Pubkey | None = None) -> Pubkey:
        """Where a wallet's payments in `mint` wait, by default the client's wallet's."""
        return pdas.owed(self._id, mint, owner or self._chain.address)

    async def amount(self, mint: Pubkey, owner: Pubkey | None = None) -> int:
        """Base units that wait; 0 where there is no account."""
        return await self._chain.rpc.token_balance(self.address(mint, owner))

    def open(self, mint: Pubkey, owner: Pubkey | None = None) -> Plan:
        """Create the account; anyone, for anybody. Who is paid does not need to: settling opens it by itself."""
        return self._single(
            lambda: self._ix.open_owed(payer=self._chain.address, mint=mint, owner=owner or self._chain.address)
        )

    def collect(self, mint: Pubkey, node: Pubkey | None = None) -> Plan:
        """Bring what a vault of the program could not receive into it; anyone, who gets the account's rent.

        The network's fee vault, or the income vault of `node`.
        """
        owner = node or pdas.network(self._id)
        vault = pdas.income_vault(self._id, node, mint) if node else pdas.fee_vault(self._id, mint)
        return self._single(
            lambda: self._ix.collect_owed(
                caller=self._chain.address, mint=mint, node=node, owed=self.address(mint, owner), vault=vault
            )
        )

    def claim(self, mint: Pubkey, to: Pubkey | None = None) -> Plan:
        """Take what waits and close the account. to: a token account of the mint, by default the wallet's own; if that
        was given away, it fails instead of paying whoever has it.
        """

        async def build() -> list[Instruction]:
            owner = self._chain.address
            claim = self._ix.claim_owed(owner=owner, mint=mint, to=to)
            return [claim] if to is not None else [self._own_account(owner, mint), claim]

        return self._plan(build)

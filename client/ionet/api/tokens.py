"""Token balances and transfers between wallets."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from ionet import addresses
from ionet.api.base import RoleApi
from ionet.errors import InvalidInput, NotFound
from ionet.plan import Plan

_DECIMALS_OFFSET = 44


class TokenApi(RoleApi):
    async def balance(self, mint: Pubkey, owner: Pubkey | None = None) -> int:
        """Base units in the owner's associated token account, by default the wallet's."""
        return await self._chain.rpc.token_balance(addresses.token_account(owner or self._chain.address, mint))

    def open(self, mint: Pubkey) -> Plan:
        """Create the wallet's associated token account, if there is none; fails where it was given away."""

        async def build() -> list[Instruction]:
            return [self._own_account(self._chain.address, mint)]

        return self._plan(build)

    def transfer(self, mint: Pubkey, to: Pubkey, amount: int) -> Plan:
        """Send base units to another wallet's associated token account, which is created if need be."""

        async def build() -> list[Instruction]:
            from spl.token.constants import TOKEN_PROGRAM_ID
            from spl.token.instructions import create_idempotent_associated_token_account, transfer_checked
            from spl.token.models import TransferCheckedParams

            wallet = self._chain.address
            account = await self._chain.rpc.account(mint)
            if account is None:
                raise NotFound(f"mint {mint}")
            params = TransferCheckedParams(
                program_id=TOKEN_PROGRAM_ID,
                source=addresses.token_account(wallet, mint),
                mint=mint,
                dest=addresses.token_account(to, mint),
                owner=wallet,
                amount=amount,
                decimals=account.data[_DECIMALS_OFFSET],
            )
            return [create_idempotent_associated_token_account(wallet, to, mint), transfer_checked(params)]

        return self._plan(build)

    def send_sol(self, to: Pubkey, lamports: int) -> Plan:
        """Send SOL to another wallet. Raises InvalidInput for what is no amount."""
        if not 0 <= lamports < 2**64:
            raise InvalidInput(f"{lamports} lamports cannot be sent")

        async def build() -> list[Instruction]:
            return [transfer(TransferParams(from_pubkey=self._chain.address, to_pubkey=to, lamports=lamports))]

        return self._plan(build)

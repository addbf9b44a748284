"""IOSD: minted only by burning IO at the oracle's price."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import instructions, pda
from ionet.api.base import RoleApi
from ionet.api.oracle import Price
from ionet.plan import Plan
from ionet.types import Iosd

BPS = 10_000


class IosdApi(RoleApi):
    @property
    def address(self) -> Pubkey:
        return pda.iosd(self._id)

    async def books(self) -> Iosd:
        """What was minted, burned and redeemed."""
        return await self._client.fetch(Iosd, self.address)

    async def balance(self, wallet: Pubkey | None = None) -> int:
        """IOSD in a wallet's associated token account."""
        owner = wallet or self._client.address
        return await self._client.rpc.token_balance(pda.token_account(owner, pda.iosd_mint(self._id)))

    async def quote(self, io_amount: int) -> int:
        """IOSD that burning this IO would mint at the newest price."""
        network = await self._client.network.get()
        price = await self._client.oracle.latest(network.feed_id)
        return minted_for(io_amount, price, network.params.spread_bps)

    def mint(self, io_amount: int, *, min_iosd: int | None = None, price_update: Pubkey | None = None) -> Plan:
        """Burn IO for IOSD. min_iosd: refuse less (default: the quote less 1 %). price_update: default the newest."""

        async def build() -> list[Instruction]:
            wallet = self._client.address
            network = await self._client.network.get()
            account, least = price_update, min_iosd
            if account is None or least is None:
                price = await self._client.oracle.latest(network.feed_id)
                account = account or price.account
                least = minted_for(io_amount, price, network.params.spread_bps) * 99 // 100 if least is None else least
            mint = instructions.mint_iosd(
                wallet=wallet, price_update=account, io_amount=io_amount, min_iosd=least, program=self._program
            )
            return [*await self._token_account(wallet, network.iosd_mint), mint]

        return self._plan(build)


def minted_for(io_amount: int, price: Price, spread_bps: int) -> int:
    """The program's own arithmetic: the low end of the price, rounded down, less the spread rounded up."""
    low = min(price.price, price.ema_price) - 2 * max(price.conf, price.ema_conf)
    if low <= 0:
        return 0
    scale: int = 10 ** (2 - price.exponent)
    value = io_amount * low // scale
    return value + -value * spread_bps // BPS

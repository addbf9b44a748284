"""IOSD: minted only by burning IO at the oracle's price, redeemed for it at any time."""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import addresses
from ionet.api.base import RoleApi
from ionet.api.network import NetworkApi
from ionet.api.oracle import OracleApi
from ionet.errors import InvalidInput
from ionet.generated import pdas
from ionet.generated.accounts import Iosd, Network
from ionet.generated.enums import IO_UNIT
from ionet.plan import Plan
from ionet.rules.pricing import Price, io_to_mint, less_spread, minted_for, redeemed_for, value_in


class IosdApi(RoleApi):
    """`price_update` is a Pyth price account, by default the newest of the network's feed."""

    @property
    def address(self) -> Pubkey:
        return pdas.iosd(self._id)

    async def books(self) -> Iosd:
        """What was minted, burned and redeemed."""
        return await self._chain.fetch(Iosd, self.address)

    async def balance(self, wallet: Pubkey | None = None) -> int:
        """IOSD in a wallet's associated token account."""
        owner = wallet or self._chain.address
        return await self._chain.rpc.token_balance(addresses.token_account(owner, pdas.iosd_mint(self._id)))

    # -- what it would come to at the newest price

    async def quote(self, io_amount: int) -> int:
        """IOSD that burning this IO would mint."""
        network, price = await self._price()
        return minted_for(io_amount, price, network.params.spread_bps)

    async def quote_exact(self, iosd_amount: int) -> int:
        """IO that minting exactly this much IOSD would burn. Raises InvalidInput when IO counts as worth nothing."""
        network, price = await self._price()
        return _known(io_to_mint(iosd_amount, price, network.params.spread_bps))

    async def quote_redeem(self, iosd_amount: int, *, last_rate: bool = False) -> int:
        """IO that redeeming this IOSD would give. last_rate: at the last price the program has seen."""
        books = await self.books()
        supply, backing = books.minted - books.redeemed - books.fee_burned, books.io_burned - books.io_redeemed
        if last_rate:
            network = await NetworkApi(self._chain).get()
            worth = iosd_amount * IO_UNIT // books.last_high_price if books.last_high_price else 0
            return less_spread(worth, iosd_amount, network.params.spread_bps, backing, supply)
        network, price = await self._price()
        return redeemed_for(iosd_amount, price, network.params.spread_bps, backing=backing, supply=supply)

    async def quote_buyback(self, io_amount: int) -> int:
        """USDC that selling this IO to the fee vault would give."""
        return value_in(io_amount, (await self._price())[1])

    # -- changing the books

    def mint(self, io_amount: int, *, min_iosd: int | None = None, price_update: Pubkey | None = None) -> Plan:
        """Burn IO for IOSD. min_iosd: refuse less (default: the quote less 1 %)."""

        async def build() -> list[Instruction]:
            least = await self.quote(io_amount) * 99 // 100 if min_iosd is None else min_iosd
            mint = self._ix.mint_iosd(
                wallet=self._chain.address,
                price_update=await self._account(price_update),
                io_amount=io_amount,
                min_iosd=least,
            )
            return [*await self._token_account(self._chain.address, pdas.iosd_mint(self._id)), mint]

        return self._plan(build)

    def mint_exact(self, iosd_amount: int, *, max_io: int | None = None, price_update: Pubkey | None = None) -> Plan:
        """Burn as much IO as this IOSD takes. max_io: refuse to burn more (default: the quote and 1 %)."""

        async def build() -> list[Instruction]:
            most = -(-await self.quote_exact(iosd_amount) * 101 // 100) if max_io is None else max_io
            mint = self._ix.mint_iosd_exact(
                wallet=self._chain.address,
                price_update=await self._account(price_update),
                iosd_amount=iosd_amount,
                max_io=most,
            )
            return [*await self._token_account(self._chain.address, pdas.iosd_mint(self._id)), mint]

        return self._plan(build)

    def redeem(
        self,
        iosd_amount: int,
        *,
        min_io: int | None = None,
        price_update: Pubkey | None = None,
        last_rate: bool = False,
    ) -> Plan:
        """Burn IOSD for IO. min_io: refuse less (default: the quote less 1 %).

        last_rate: at the last price the program has seen, which it allows only once there was none for a day.
        """
        if last_rate and price_update is not None:
            raise InvalidInput("the last rate needs no price account")

        async def build() -> list[Instruction]:
            least = min_io
            if least is None:
                least = await self.quote_redeem(iosd_amount, last_rate=last_rate) * 99 // 100
            redeem = self._ix.redeem_iosd(
                wallet=self._chain.address,
                price_update=None if last_rate else await self._account(price_update),
                iosd_amount=iosd_amount,
                min_io=least,
            )
            return [*await self._token_account(self._chain.address, pdas.io_mint(self._id)), redeem]

        return self._plan(build)

    def refresh(self, *, price_update: Pubkey | None = None) -> Plan:
        """Show the program a price; anyone."""

        async def build() -> list[Instruction]:
            account = await self._account(price_update)
            return [self._ix.refresh_price(price_update=account)]

        return self._plan(build)

    def buyback(self, io_amount: int, *, min_usdc: int | None = None, price_update: Pubkey | None = None) -> Plan:
        """Sell IO for the USDC that fees brought in; the IO is burned. min_usdc: default the quote less 1 %."""

        async def build() -> list[Instruction]:
            network = await NetworkApi(self._chain).get()
            least = await self.quote_buyback(io_amount) * 99 // 100 if min_usdc is None else min_usdc
            sell = self._ix.buyback(
                seller=self._chain.address,
                to=addresses.token_account(self._chain.address, network.usdc_mint),
                fee_vault=pdas.fee_vault(self._id, network.usdc_mint),
                price_update=await self._account(price_update),
                io_amount=io_amount,
                min_usdc=least,
            )
            return [*await self._token_account(self._chain.address, network.usdc_mint), sell]

        return self._plan(build)

    async def _price(self) -> tuple[Network, Price]:
        network = await NetworkApi(self._chain).get()
        return network, await OracleApi(self._chain).latest(network.feed_id)

    async def _account(self, given: Pubkey | None) -> Pubkey:
        return (await self._price())[1].account if given is None else given


def _known(io_amount: int | None) -> int:
    if io_amount is None:
        raise InvalidInput("the price is so uncertain that IO counts as worth nothing")
    return io_amount

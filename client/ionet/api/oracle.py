"""Prices of IO. On local chains they are posted by ordinary transactions to the price poster."""

from __future__ import annotations

from functools import cache

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from ionet import addresses, base58
from ionet.api.base import RoleApi
from ionet.build import Builder
from ionet.codec import ProgramCodec
from ionet.errors import NotFound
from ionet.idl import bundled
from ionet.plan import Plan
from ionet.rules.pricing import Price

# Offset of the feed id in a fully verified PriceUpdateV2: discriminator, write authority, one level byte.
_FEED_OFFSET = 8 + 32 + 1
EXPONENT = -8


@cache
def poster() -> Builder:
    """Builder of the price poster's instructions."""
    return Builder(ProgramCodec(bundled("price_poster")))


class OracleApi(RoleApi):
    def post(
        self,
        feed_id: bytes,
        price: int,
        *,
        conf: int = 0,
        ema_price: int | None = None,
        ema_conf: int | None = None,
        exponent: int = EXPONENT,
        publish_time: int | None = None,
    ) -> Plan:
        """Post a price under the wallet's own price account (local chains only).

        price, conf: mantissas of 10^exponent dollars. The average defaults to the price, the time to the chain's now.
        """

        async def build() -> list[Instruction]:
            now = await self._chain.rpc.unix_time() if publish_time is None else publish_time
            args = {
                "feed_id": feed_id,
                "price": price,
                "conf": conf,
                "exponent": exponent,
                "publish_time": now,
                "ema_price": price if ema_price is None else ema_price,
                "ema_conf": conf if ema_conf is None else ema_conf,
                "partial_signatures": 0,
            }
            return [poster().build("post_price", {"authority": self._chain.address}, args)]

        return self._plan(build)

    def account(self, feed_id: bytes, authority: Pubkey | None = None) -> Pubkey:
        """Where `post` puts an authority's price; the wallet's by default."""
        return addresses.price_update(authority or self._chain.address, feed_id)

    async def latest(self, feed_id: bytes) -> Price:
        """The newest fully verified price of a feed among all accounts of the receiver. Raises NotFound."""
        codec = poster().codec
        kind = codec.account_class("PriceUpdateV2")
        matches = [(0, base58.encode(codec.account_discriminator(kind)))]
        matches.append((_FEED_OFFSET, base58.encode(feed_id)))
        found = await self._chain.rpc.program_accounts(addresses.PYTH_RECEIVER, matches)
        prices = [_price(key, codec.decode_account(account.data, kind)) for key, account in found]
        if not prices:
            raise NotFound(f"a price of feed {feed_id.hex()}")
        return max(prices, key=lambda price: price.publish_time)


def _price(key: Pubkey, account: object) -> Price:
    message = account.price_message  # type: ignore[attr-defined]
    names = ("price", "conf", "exponent", "publish_time", "ema_price", "ema_conf")
    return Price(key, *(getattr(message, name) for name in names))

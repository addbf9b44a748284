"""What time costs, and what IO is worth on its way in and out, by the program's own arithmetic. Pure.

IO that comes in is valued at the low end of the price, IO that goes out at the high end; mint and redemption each leave
the spread in the backing. Amounts are base units, prices mantissas of 10^exponent dollars per IO.
"""

from __future__ import annotations

import msgspec
from solders.pubkey import Pubkey

from ionet.generated.enums import BPS, SECS_PER_HOUR


class Price(msgspec.Struct, frozen=True):
    """A posted price: mantissas of 10^exponent dollars per IO, publish time in unix seconds."""

    account: Pubkey
    price: int
    conf: int
    exponent: int
    publish_time: int
    ema_price: int
    ema_conf: int

    @property
    def low(self) -> int:
        """Mantissa for IO that comes in; 0 when the confidence interval leaves nothing."""
        return max(0, min(self.price, self.ema_price) - 2 * max(self.conf, self.ema_conf))

    @property
    def high(self) -> int:
        """Mantissa for IO that goes out."""
        return max(self.price, self.ema_price) + 2 * max(self.conf, self.ema_conf)

    @property
    def scale(self) -> int:
        """IO has two decimals more than dollars."""
        return int(10 ** (2 - self.exponent))


def earned(price: int, processors: int, secs: int) -> int:
    """Base units for this many served seconds; cumulative, rounded down once. price: per processor-hour."""
    return price * processors * secs // SECS_PER_HOUR


def fee_on(cost: int, bps: int) -> int:
    """A fee in base units, rounded up: it is never on the payer's side."""
    return -(-cost * bps // BPS)


def value_in(io_amount: int, price: Price) -> int:
    """Micro-dollars for IO that comes in, rounded down; what `buyback` pays."""
    return io_amount * price.low // price.scale


def minted_for(io_amount: int, price: Price, spread_bps: int) -> int:
    """IOSD for burned IO: its value less the spread, rounded up."""
    value = value_in(io_amount, price)
    return value + -value * spread_bps // BPS


def io_to_mint(iosd_amount: int, price: Price, spread_bps: int) -> int | None:
    """IO that minting exactly so much IOSD takes, rounded up; None when IO counts as worth nothing."""
    if price.low == 0:
        return None
    value = -(-iosd_amount * BPS // (BPS - spread_bps))
    return -(-value * price.scale // price.low)


def redeemed_for(iosd_amount: int, price: Price, spread_bps: int, *, backing: int, supply: int) -> int:
    """IO for burned IOSD: its worth, at most its part of the backing, less the spread."""
    return less_spread(iosd_amount * price.scale // price.high, iosd_amount, spread_bps, backing, supply)


def less_spread(worth: int, iosd_amount: int, spread_bps: int, backing: int, supply: int) -> int:
    """The part of the backing that so much IOSD can take when it is worth `worth` IO."""
    gross = min(worth, iosd_amount * backing // max(supply, iosd_amount))
    return gross + -gross * spread_bps // BPS

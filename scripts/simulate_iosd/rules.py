"""The program's IOSD arithmetic, to the unit; tests/program/test_simulated_books.py compares the two.

IO in base units of 10^-8, IOSD and dollars in 10^-6, prices in units of 10^exponent dollars per IO.
"""

from __future__ import annotations

from typing import NamedTuple

BPS = 10_000
IO_UNIT = 10**8
USD_UNIT = 10**6
EXPONENT = -8


class Refused(Exception):
    """The program would refuse this; the message is the name of its error."""


class Rules(NamedTuple):
    """What protects the backing. The defaults are the mainnet profile's; experiments switch parts off.

    two_prices: value what comes in at the low and what goes out at the high end, else both at the price itself.
    bounded: redeem at most `backing / supply`. floor: IOSD that pass in a window however small the supply is.
    """

    spread_bps: int = 50
    two_prices: bool = True
    bounded: bool = True
    limit_bps: int | None = 1_000
    floor: int = 1_000_000 * USD_UNIT
    window_secs: int = 3_600
    last_rate_after_secs: int = 86_400


class Quote(NamedTuple):
    """A price as the oracle gives it; `exact` is a price that stands alone."""

    price: int
    ema: int
    conf: int = 0
    ema_conf: int = 0
    exponent: int = EXPONENT

    @classmethod
    def exact(cls, price: int) -> Quote:
        return cls(price, price)

    @property
    def low(self) -> int:
        """What IO that comes in is valued at. Raises Refused where nothing is left."""
        low = min(self.price, self.ema) - 2 * max(self.conf, self.ema_conf)
        if low <= 0:
            raise Refused("OracleWorthless")
        return low

    @property
    def high(self) -> int:
        """What IO that goes out is valued at."""
        return max(self.price, self.ema) + 2 * max(self.conf, self.ema_conf)

    @property
    def scale(self) -> int:
        """IO times price, over this, is micro-dollars."""
        scale: int = 10 ** (2 - self.exponent)
        return scale


def ceil_div(amount: int, by: int) -> int:
    return -(-amount // by)


def less_spread(amount: int, spread_bps: int) -> int:
    """What is left of an amount when the spread, rounded up, stays in the backing."""
    return amount - ceil_div(amount * spread_bps, BPS)


def value_of(io: int, price: int) -> int:
    """Micro-dollars that IO is worth at a price of the usual exponent, rounded down."""
    return io * price // Quote.exact(price).scale


def mint_out(io: int, quote: Quote, rules: Rules) -> int:
    """IOSD that burning `io` mints."""
    at = quote.low if rules.two_prices else quote.price
    return less_spread(io * at // quote.scale, rules.spread_bps)


def mint_in(iosd: int, quote: Quote, rules: Rules) -> int:
    """The least IO whose burning mints `iosd`: what minting an exact amount burns."""
    at = quote.low if rules.two_prices else quote.price
    value = ceil_div(iosd * BPS, BPS - rules.spread_bps)
    return ceil_div(value * quote.scale, at)


def redeem_out(iosd: int, quote: Quote, backing: int, supply: int, rules: Rules) -> int:
    """IO that redeeming `iosd` pays out of `backing` when `supply` exists."""
    at = quote.high if rules.two_prices else quote.price
    gross = iosd * quote.scale // at
    gross = min(gross, iosd * backing // supply) if rules.bounded else min(gross, backing)
    return less_spread(gross, rules.spread_bps)


def last_high_price(quote: Quote) -> int:
    """Micro-dollars per IO, rounded up, that redemption falls back on when no price is used for a day."""
    return ceil_div(IO_UNIT * quote.high, quote.scale)


def at_last_rate(high_price: int) -> Quote:
    """The price that a redemption at the last rate is settled at."""
    return Quote(high_price, high_price, exponent=-6)


class Limiter:
    """A leaky bucket: what passed drains by one capacity per window."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.level = 0
        self.at = 0

    def room(self, supply: int, now: int) -> int | None:
        """IOSD that may still pass; None without a limit."""
        if self.rules.limit_bps is None:
            return None
        return max(0, self._capacity(supply) - self._drained(supply, now))

    def take(self, amount: int, supply: int, now: int) -> None:
        """Let an amount through, or raise Refused."""
        room = self.room(supply, now)
        if room is not None:
            if amount > room:
                raise Refused("WindowFull")
            self.level = self._drained(supply, now) + amount
        self.at = now

    def _capacity(self, supply: int) -> int:
        assert self.rules.limit_bps is not None
        return max(supply * self.rules.limit_bps // BPS, self.rules.floor)

    def _drained(self, supply: int, now: int) -> int:
        gone = self._capacity(supply) * (now - self.at) // self.rules.window_secs
        return max(0, self.level - gone)

"""The books of IOSD as the program keeps them, with the two limiters."""

from __future__ import annotations

from simulate_iosd import rules as formulas
from simulate_iosd.rules import BPS, IO_UNIT, USD_UNIT, Limiter, Quote, Refused, Rules


class Books:
    """`supply = minted − redeemed − fee_burned` and `backing = io_burned − io_redeemed`, never negative."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.minted = self.redeemed = self.fee_burned = 0
        self.io_burned = self.io_redeemed = 0
        self.mint_limiter, self.redeem_limiter = Limiter(rules), Limiter(rules)
        self.used_at = 0
        self.last_high = 0

    @classmethod
    def opened(cls, rules: Rules, supply: int, backing: int) -> Books:
        """Books in which this much exists already and the limiters are empty."""
        books = cls(rules)
        books.minted, books.io_burned = supply, backing
        return books

    @property
    def supply(self) -> int:
        return self.minted - self.redeemed - self.fee_burned

    @property
    def backing(self) -> int:
        return self.io_burned - self.io_redeemed

    def coverage_bps(self, price: int) -> int:
        """The backing's value at a price, in parts of the supply; 10,000 is a dollar of IO per IOSD."""
        return formulas.value_of(self.backing, price) * BPS // self.supply if self.supply else BPS

    def worth(self, price: int) -> float:
        """Dollars of IO that one IOSD can be redeemed for at a true price, before the spread."""
        return min(BPS, self.coverage_bps(price)) / BPS

    def surplus(self, price: int) -> int:
        """Micro-dollars that the backing is worth beyond the supply; negative when it is worth less."""
        return formulas.value_of(self.backing, price) - self.supply

    def use(self, quote: Quote, now: int) -> None:
        """Remember a price for redemption at the last rate: what minting, redeeming and refresh_price do."""
        self.used_at, self.last_high = now, formulas.last_high_price(quote)

    def mint(self, io: int, quote: Quote, now: int) -> int:
        """Burn IO for IOSD; returns the IOSD. Raises Refused."""
        iosd = formulas.mint_out(io, quote, self.rules)
        if iosd <= 0:
            raise Refused("ZeroAmount")
        self._mint(io, iosd, quote, now)
        return iosd

    def mint_exact(self, iosd: int, quote: Quote, now: int) -> int:
        """Mint an exact amount; returns the IO burned. Raises Refused."""
        io = formulas.mint_in(iosd, quote, self.rules)
        self._mint(io, iosd, quote, now)
        return io

    def _mint(self, io: int, iosd: int, quote: Quote, now: int) -> None:
        self.mint_limiter.take(iosd, self.supply, now)
        self.minted += iosd
        self.io_burned += io
        self.use(quote, now)

    def redeem(self, iosd: int, quote: Quote | None, now: int) -> int:
        """Burn IOSD for IO; returns the IO. Without a quote: at the last rate, if it may be used. Raises Refused."""
        if quote is None and not self.last_high:
            raise Refused("PriceRequired")
        if quote is None and now - self.used_at < self.rules.last_rate_after_secs:
            raise Refused("PriceStillFresh")
        used = quote or formulas.at_last_rate(self.last_high)
        io = formulas.redeem_out(iosd, used, self.backing, self.supply, self.rules)
        if io <= 0:
            raise Refused("ZeroAmount")
        self.redeem_limiter.take(iosd, self.supply, now)
        self.redeemed += iosd
        self.io_redeemed += io
        if quote is not None:
            self.use(quote, now)
        return io

    def burn_fee(self, iosd: int) -> None:
        self.fee_burned += iosd


def dollars(micro: float) -> float:
    return micro / USD_UNIT


def io_worth(usd: int, price: int) -> int:
    """IO base units that this many micro-dollars buy at a true price."""
    return usd * IO_UNIT * 100 // price

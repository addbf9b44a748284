"""What a booking will cost, before anything is paid. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ionet.errors import InvalidInput
from ionet.generated.enums import BPS
from ionet.generated.types import Params
from ionet.renting.search import Candidate

DOLLARS = ("IOSD", "USDC")
"""Currencies in which a price in dollars needs no price of IO."""


class Quote(msgspec.Struct, frozen=True):
    """Micro-dollars, which are the base units of IOSD and USDC. hourly, total: before fees. deposit: with them.

    All of it is locked, what is served and proven is paid, the rest comes back.
    """

    nodes: list[Candidate]
    secs: int
    currency: str
    hourly: int
    total: int
    fees: int

    @property
    def deposit(self) -> int:
        return self.total + self.fees

    @property
    def max_price(self) -> int:
        """Per processor-hour, what no node may have come to ask by the time that it is booked."""
        return max(node.price for node in self.nodes)


def quote(nodes: Sequence[Candidate], secs: int, currency: str, params: Params) -> Quote:
    """The fee is rounded up for each lease, as by `Lease::cost` of the program. Raises InvalidInput."""
    if currency not in DOLLARS:
        raise InvalidInput(f"a run is paid in {' or '.join(DOLLARS)}, not in {currency}")
    bps = params.renter_fee_bps + (params.usdc_fee_bps if currency == "USDC" else 0)
    costs = [node.cost(secs) for node in nodes]
    fees = sum(-(-cost * bps // BPS) for cost in costs)
    return Quote(list(nodes), secs, currency, sum(node.hourly for node in nodes), sum(costs), fees)

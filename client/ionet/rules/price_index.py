"""The index of a device model: what its processor-hours were settled at in the last seven days. Pure, in integers.

The median over processor-seconds, of which nobody's nodes count for more than a tenth; it moves at most 5 % a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WINDOW_DAYS = 7
OWNERS_LEAST = 10
"""No owner counts for more than a tenth, so fewer than ten make no index."""
MOVE_PERCENT = 5
IO_UNIT = 10**8


class Settled(NamedTuple):
    """A lease with settlements in the window: the node's owner, processor-seconds paid, micro-dollars per
    processor-hour.
    """

    owner: str
    secs: int
    price: int


def price_in_dollars(price: int, io_price: int) -> int:
    """A locked price in IO as micro-dollars, rounded down, at the price of IO it was booked with."""
    return price * io_price // IO_UNIT


def most_of_an_owner(by_owner: Sequence[int]) -> int:
    """The most processor-seconds that an owner counts for: the highest number that is a tenth of what then counts."""
    falling = sorted(by_owner, reverse=True)
    rest = sum(falling)
    for capped, secs in enumerate(falling[: OWNERS_LEAST - 1]):
        most = rest // (OWNERS_LEAST - capped)
        if secs <= most:
            return most
        rest -= secs
    return rest


def weights(leases: Sequence[Settled]) -> list[int]:
    """What each lease counts for: its processor-seconds, and its part of the most where its owner has more."""
    by_owner: dict[str, int] = {}
    for lease in leases:
        by_owner[lease.owner] = by_owner.get(lease.owner, 0) + lease.secs
    if len(by_owner) < OWNERS_LEAST:
        return [0] * len(leases)
    most = most_of_an_owner(list(by_owner.values()))
    return [lease.secs * min(most, by_owner[lease.owner]) // by_owner[lease.owner] for lease in leases]


def median(leases: Sequence[Settled], weighing: Sequence[int] | None = None) -> int | None:
    """The lowest price at which half of the weight was settled or less; None where nothing counts.

    weighing: their `weights`, where they are known already.
    """
    weighed = sorted(zip((lease.price for lease in leases), weighing or weights(leases), strict=True))
    whole, upto = sum(weight for _, weight in weighed), 0
    for price, weight in weighed:
        upto += weight
        if weight and 2 * upto >= whole:
            return price
    return None


def moved(before: int, to: int, days: int) -> int:
    """The index after `days` in which it can follow `to`: each day by at most 5 %, rounded towards the day before."""
    low = high = before
    for _ in range(days):
        low, high = -(-low * (100 - MOVE_PERCENT) // 100), high * (100 + MOVE_PERCENT) // 100
        if low <= to <= high:
            return to
    return min(max(to, low), high)

"""A run on the backing, and an oracle that is wrong for an hour."""

from __future__ import annotations

from typing import NamedTuple

from simulate_iosd import rules as formulas
from simulate_iosd.books import Books
from simulate_iosd.rules import BPS, USD_UNIT, Quote, Rules

PRICE = 10**8  # $1
HOLDERS = 100
HOUR, MINUTE = 3_600, 60


class Queue(NamedTuple):
    """Dollars of IO per IOSD that the first, the middle and the last tenth of all holders get, in this order."""

    name: str
    first: float
    middle: float
    last: float


def opened(rules: Rules, supply: int, coverage_bps: int) -> Books:
    """Books whose backing is worth so much of the supply at a dollar per IO."""
    return Books.opened(rules, supply, supply * coverage_bps // BPS * 100)


def queue(name: str, rules: Rules, coverage_bps: int) -> Queue:
    """Everybody redeems everything, one after the other, at one price."""
    books = opened(rules, HOLDERS * 1_000_000 * USD_UNIT, coverage_bps)
    share, got = books.supply // HOLDERS, []
    for _ in range(HOLDERS):
        io = formulas.redeem_out(share, Quote.exact(PRICE), books.backing, books.supply, rules)
        books.redeemed += share
        books.io_redeemed += io
        got.append(formulas.value_of(io, PRICE) / share)
    tenth = HOLDERS // 10
    middle = HOLDERS // 2 - tenth // 2
    return Queue(name, *(sum(got[at : at + tenth]) / tenth for at in (0, middle, HOLDERS - tenth)))


def queues(coverage_bps: int) -> list[Queue]:
    """A dollar to those who come first, beside the program's rule."""
    free = Rules(limit_bps=None)
    return [
        queue("a dollar each until it is gone", free._replace(bounded=False), coverage_bps),
        queue("the program's rule", free, coverage_bps),
    ]


def left_over_time(supply: int, hours: int, rules: Rules) -> list[int]:
    """IOSD that still exists at each full hour when everybody redeems as fast as the limiter lets them."""
    books, left = opened(rules, supply, 6_000), []
    for minute in range(hours * 60 + 1):
        now = minute * MINUTE
        if now % HOUR == 0:
            left.append(books.supply)
        _redeem_all(books, Quote.exact(PRICE), now)
    return left


class Wrong(NamedTuple):
    """True coverage, in percent, after an hour in which the oracle's price was wrong by a factor.

    taken: million dollars that its user gained, their IOSD at what they are worth afterwards; limited by the money
    they have, where nothing else limits them.
    """

    factor: str
    coverage: float
    taken: float


CAPITAL = 50_000_000 * USD_UNIT


def wrong_for_an_hour(times: int, over: int, rules: Rules, supply: int) -> Wrong:
    """The oracle shows `times / over` of the true price. Where that is too much they mint, else they redeem.

    The backing is worth 100 % before a price that is too high, 200 % before one that is too low.
    """
    high = times > over
    books = opened(rules, supply, 10_000 if high else 20_000)
    shown = Quote.exact(PRICE * times // over)
    minted, spent, got = 0, 0, 0
    for minute in range(60):
        now = minute * MINUTE
        room = (books.mint_limiter if high else books.redeem_limiter).room(books.supply, now)
        if high:
            affordable = formulas.mint_out((CAPITAL - spent) * 100, shown, rules)
            iosd = affordable if room is None else min(room, affordable)
            if iosd > 0:
                spent += formulas.value_of(books.mint_exact(iosd, shown, now), PRICE)
                minted += iosd
        else:
            # They hold half of all IOSD.
            iosd = min(supply // 2 - books.redeemed, books.supply if room is None else room)
            if iosd > 0:
                got += formulas.value_of(books.redeem(iosd, shown, now), PRICE)
    taken = round(minted * books.worth(PRICE)) - spent + got - books.redeemed
    return Wrong(
        f"{times}/{over}" if over > 1 else f"{times}", books.coverage_bps(PRICE) / 100, taken / 10**6 / USD_UNIT
    )


def _redeem_all(books: Books, quote: Quote, now: int) -> None:
    room = books.redeem_limiter.room(books.supply, now)
    amount = books.supply if room is None else min(room, books.supply)
    if amount and formulas.redeem_out(amount, quote, books.backing, books.supply, books.rules):
        books.redeem(amount, quote, now)


def diluted(times: int, late_percent: int) -> int:
    """Coverage in basis points when the price rose by a factor, IOSD was minted at the top, and the price fell back."""
    rules = Rules(limit_bps=None)
    books = opened(rules, 20_000_000 * USD_UNIT, 10_000)
    top = Quote.exact(PRICE * times)
    books.mint_exact(books.supply * late_percent // 100, top, 0)
    return books.coverage_bps(PRICE)


def minutes_to_double(supply: int) -> int:
    """How fast minting alone can double the supply through the limiter."""
    books, now = opened(Rules(), supply, 10_000), 0
    while books.supply < 2 * supply:
        books.mint_exact(books.mint_limiter.room(books.supply, now) or 0, Quote.exact(PRICE), now)
        now += MINUTE
    return now // MINUTE

"""The books of IOSD: minted, redeemed, burned, bought back, and every price that the program used."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from ionet.generated import events

from ionet_indexer.core.answers import Amount
from ionet_indexer.core.decode import Event
from ionet_indexer.core.lists import addresses, choice, facts
from ionet_indexer.core.rows import Fact, State
from ionet_indexer.core.view import View
from ionet_indexer.topics import parts

# -- rows


class Iosd(State, kw_only=True):
    """The books of IOSD."""

    table: ClassVar[str] = "iosd"
    key: ClassVar[str] = "iosd"
    entity: ClassVar[str] = "iosd"

    iosd: str
    position: int
    seq: int
    minted: int = 0
    io_burned: int = 0
    burned: dict[str, int] = msgspec.field(default_factory=dict)
    last_price: int | None = None
    last_high_price: int | None = None
    last_publish_time: int = 0
    redeemed: int = 0
    io_redeemed: int = 0


class Mint(Fact, kw_only=True):
    """IOSD minted by burning IO; `price` is micro-dollars per IO."""

    table: ClassVar[str] = "mints"

    position: int
    at: int
    wallet: str
    io_burned: Amount
    iosd_minted: Amount
    price: Amount
    publish_time: int


class Burn(Fact, kw_only=True):
    """Tokens burned from a burn vault."""

    table: ClassVar[str] = "burns"

    position: int
    at: int
    mint: str
    amount: Amount
    burned_after: Amount


class Redemption(Fact, kw_only=True):
    """IO minted for burned IOSD; `price` is micro-dollars per IO, the last one known when `last_rate`."""

    table: ClassVar[str] = "redemptions"

    position: int
    at: int
    wallet: str
    iosd_burned: Amount
    io_minted: Amount
    price: Amount
    publish_time: int
    last_rate: bool


class Buyback(Fact, kw_only=True):
    """IO bought with fees in USDC and burned; `price` is micro-dollars per IO."""

    table: ClassVar[str] = "buybacks"

    position: int
    at: int
    seller: str
    io_burned: Amount
    usdc_paid: Amount
    price: Amount
    publish_time: int


class Price(Fact, kw_only=True):
    """A price that the program used, micro-dollars per IO: the end for IO that comes in, that for IO that goes out.
    Where a newer one had been seen, the worse of the two for the caller counted.
    """

    table: ClassVar[str] = "prices"

    position: int
    kind: str
    at: int
    publish_time: int
    low_price: Amount | None = None
    high_price: Amount | None = None


# -- folds


def _books(view: View, event: Event, key: str, seq: int) -> Iosd:
    row = view.find(Iosd, key)
    if row is None:
        row = Iosd(iosd=key, position=event.position, seq=seq)
        view.put(row)
    row.position, row.seq = event.position, seq
    return row


def _priced(
    view: View,
    event: Event,
    row: Iosd,
    kind: str,
    e: events.IosdMinted | events.IosdRedeemed | events.PriceRefreshed | events.IoBoughtBack,
    *,
    low_price: int | None = None,
    high_price: int | None = None,
) -> None:
    """A price that the program took. The account keeps both of its ends, an event often tells only one; an older price
    never replaces the one seen.
    """
    if e.publish_time >= row.last_publish_time:
        row.last_price, row.last_high_price, row.last_publish_time = low_price, high_price, e.publish_time
    view.facts.append(
        Price(
            position=event.position,
            kind=kind,
            at=e.at,
            publish_time=e.publish_time,
            low_price=low_price,
            high_price=high_price,
        )
    )


def _minted(view: View, event: Event, e: events.IosdMinted) -> None:
    row = _books(view, event, str(e.iosd), e.seq)
    row.minted, row.io_burned = e.minted_after, e.io_burned_after
    _priced(view, event, row, "mint", e, low_price=e.price)
    changed = {"minted": e.iosd_minted, "supply": e.iosd_minted, "io-in": e.io_burned, "backing": e.io_burned}
    parts.add(view, event, e.at, changed)
    view.facts.append(
        Mint(
            position=event.position,
            at=e.at,
            wallet=str(e.wallet),
            io_burned=e.io_burned,
            iosd_minted=e.iosd_minted,
            price=e.price,
            publish_time=e.publish_time,
        )
    )


def _burned(view: View, event: Event, e: events.TokensBurned) -> None:
    row = _books(view, event, str(e.iosd), e.seq)
    row.burned = {**row.burned, str(e.mint): e.burned_after}
    currency = view.currency(e.mint)
    changed = {f"burned-{currency}": e.amount, "supply": -e.amount if currency == "IOSD" else 0}
    parts.add(view, event, e.at, changed)
    view.facts.append(
        Burn(position=event.position, at=e.at, mint=str(e.mint), amount=e.amount, burned_after=e.burned_after)
    )


def _redeemed(view: View, event: Event, e: events.IosdRedeemed) -> None:
    row = _books(view, event, str(e.iosd), e.seq)
    row.redeemed, row.io_redeemed = e.redeemed_after, e.io_redeemed_after
    changed = {"redeemed": e.iosd_burned, "supply": -e.iosd_burned, "io-out": e.io_minted, "backing": -e.io_minted}
    parts.add(view, event, e.at, changed)
    if not e.last_rate:
        _priced(view, event, row, "redeem", e, high_price=e.price)
    view.facts.append(
        Redemption(
            position=event.position,
            at=e.at,
            wallet=str(e.wallet),
            iosd_burned=e.iosd_burned,
            io_minted=e.io_minted,
            price=e.price,
            publish_time=e.publish_time,
            last_rate=e.last_rate,
        )
    )


def _refreshed(view: View, event: Event, e: events.PriceRefreshed) -> None:
    row = _books(view, event, str(e.iosd), e.seq)
    _priced(view, event, row, "refresh", e, low_price=e.low_price, high_price=e.high_price)


def _bought_back(view: View, event: Event, e: events.IoBoughtBack) -> None:
    row = _books(view, event, str(e.iosd), e.seq)
    row.burned = {**row.burned, str(view.io_mint): e.io_other_burned_after}
    _priced(view, event, row, "buyback", e, low_price=e.price)
    parts.add(view, event, e.at, {"burned-IO": e.io_burned})
    view.facts.append(
        Buyback(
            position=event.position,
            at=e.at,
            seller=str(e.seller),
            io_burned=e.io_burned,
            usdc_paid=e.usdc_paid,
            price=e.price,
            publish_time=e.publish_time,
        )
    )


HANDLERS: dict[str, Any] = {
    "IosdMinted": _minted,
    "IosdRedeemed": _redeemed,
    "PriceRefreshed": _refreshed,
    "IoBoughtBack": _bought_back,
    "TokensBurned": _burned,
}


# -- lists

MINTS = facts(Mint, "IOSD minted by burning IO, newest first.", addresses("wallet"))
BURNS = facts(Burn, "Tokens burned from the burn vaults, newest first.", addresses("mint"))
REDEMPTIONS = facts(Redemption, "IOSD redeemed for IO, newest first.", addresses("wallet"))
BUYBACKS = facts(Buyback, "IO bought with USDC fees and burned, newest first.", addresses("seller"))
PRICES = facts(
    Price,
    "Every price of IO that the program used, newest first.",
    {"kind": choice("t.kind", "mint", "redeem", "refresh", "buyback")},
)

"""One way to show each thing: an amount, an address, a time, a state. Everything that comes in is escaped.

A kind is what a field is, not what it looks like; `show` turns a value of a kind into HTML. null is a dash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from ionet.cli import human
from ionet.cli.parsing import DECIMALS
from markupsafe import Markup, escape

Item = Mapping[str, Any]
_DASH = Markup('<span class="none">–</span>')
_NOTHING = frozenset({"", human.NOBODY, "0" * 64})
_KEPT = 4  # letters of each end of a long key


class Kind(StrEnum):
    """What a field is. Amounts are base units of the item's currency, of IO or of IOSD; prices per processor-hour."""

    TEXT = "text"
    COUNT = "count"
    AMOUNT = "amount"
    IO = "io"
    DOLLARS = "dollars"
    HOURLY = "hourly"
    PRICE = "price"
    SHARE = "share"
    SECONDS = "seconds"
    TIME = "time"
    STATE = "state"
    YES = "yes"
    FLAG = "flag"
    COUNTRY = "country"
    HASH = "hash"
    NODE = "nodes"
    LEASE = "leases"
    CLUSTER = "clusters"
    MODEL = "models"
    CASE = "cases"
    STAKE = "stakes"
    WALLET = "accounts"
    TRANSACTION = "transactions"
    SLOT = "slots"


LINKED = frozenset({Kind.NODE, Kind.LEASE, Kind.CLUSTER, Kind.CASE, Kind.STAKE, Kind.WALLET, Kind.TRANSACTION})
"""Kinds whose word is the page that a value leads to."""
NUMBERS = frozenset({Kind.COUNT, Kind.AMOUNT, Kind.IO, Kind.DOLLARS, Kind.HOURLY, Kind.PRICE, Kind.SHARE, Kind.SECONDS})
"""Kinds that stand at the right of their column."""


def show(kind: Kind, value: Any, item: Item) -> Markup:
    """A value as HTML. item: what it belongs to, whose currency an amount is in."""
    if value is None or (isinstance(value, str) and value in _NOTHING):
        return _DASH
    if kind in LINKED:
        return link(kind, str(value))
    return _SHOWN[kind](value, item)


def link(kind: Kind, key: str, words: str | None = None) -> Markup:
    """Leads to the page of a key; short on the page, whole where one points at it or copies it."""
    shown = escape(words) if words is not None else short(key)
    return Markup('<a class="key" href="/{}/{}" title="{}">{}</a>').format(kind.value, quote(key, safe=""), key, shown)


def short(key: str) -> str:
    """The ends of a key."""
    return key if len(key) <= 2 * _KEPT + 1 else f"{key[:_KEPT]}…{key[-_KEPT:]}"


def money(units: int, token: str) -> Markup:
    """An amount of a token: the number, and its unit in another tone."""
    number, _, unit = human.money(units, token).partition(" ")
    return Markup('<span class="number">{}</span> <span class="unit">{}</span>').format(number, unit)


def renter_fee_bps(params: Mapping[str, Any], currency: str) -> int:
    """The fee on what a renter pays in a currency, by the network's parameters."""
    return int(params["renter_fee_bps"]) + (int(params["usdc_fee_bps"]) if currency == "USDC" else 0)


def ticking(units: int, hourly: int, secs: int, token: str) -> Markup:
    """An amount that grows from now on, which the script shows. hourly: base units an hour; secs: for how long."""
    words = Markup('<span data-units="{}" data-hourly="{}" data-secs="{}" data-decimals="{}">{}</span>')
    return words.format(units, hourly, secs, DECIMALS[token], money(units, token))


def moment(unix: int) -> Markup:
    """A time in UTC, which the script shows in the zone of the reader."""
    try:
        at = datetime.fromtimestamp(unix, UTC)
    except (OverflowError, ValueError, OSError):
        return Markup('<span class="number">{}</span>').format(unix)
    return Markup('<time datetime="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M:%S} UTC")


def state(word: str) -> Markup:
    """A word of the program, with a mark that says of which sort it is."""
    return Markup('<span class="state {}">{}</span>').format(_SORTS.get(word, "plain"), word.replace("-", " "))


def _number(text: str) -> Markup:
    return Markup('<span class="number">{}</span>').format(text)


def _price(value: Any, item: Item) -> Markup:
    currency = str(item.get("currency", "IOSD"))
    if currency == "IO":
        return Markup("{}/h").format(money(int(value), currency))
    return _number(human.hourly(int(value)))


def _yes(value: Any, _: Item) -> Markup:
    return state("yes" if value else "no")


def _words(value: Any, _: Item) -> Markup:
    if isinstance(value, list):
        return Markup(" ").join(state(str(each)) for each in value) if value else _DASH
    return state(str(value))


def _hash(value: Any, _: Item) -> Markup:
    return Markup('<span class="key" title="{}">{}</span>').format(value, short(str(value)))


def _model(value: Any, item: Item) -> Markup:
    return link(Kind.MODEL, str(value), str(item.get("model_name") or item.get("name") or value))


_SHOWN: dict[Kind, Callable[[Any, Item], Markup]] = {
    Kind.TEXT: lambda value, _: escape(value),
    Kind.COUNT: lambda value, _: _number(human.grouped(str(value))),
    Kind.AMOUNT: lambda value, item: money(int(value), str(item.get("currency", "IOSD"))),
    Kind.IO: lambda value, _: money(int(value), "IO"),
    Kind.DOLLARS: lambda value, _: _number(human.dollars(int(value))),
    Kind.HOURLY: lambda value, _: _number(human.hourly(int(value))),
    Kind.PRICE: _price,
    Kind.SHARE: lambda value, _: _number(human.percent(int(value))),
    Kind.SECONDS: lambda value, _: _number(human.span(int(value))),
    Kind.TIME: lambda value, _: moment(int(value)),
    Kind.STATE: _words,
    Kind.YES: _yes,
    Kind.FLAG: lambda value, _: escape("yes" if value else "no"),
    Kind.COUNTRY: lambda value, _: escape(human.country(int(value))),
    Kind.HASH: _hash,
    Kind.MODEL: _model,
    Kind.SLOT: lambda value, _: link(Kind.SLOT, str(value), human.grouped(str(value))),
}
_SORTS = {
    **dict.fromkeys(("yes", "active", "open", "rentable", "online", "ok", "approved", "ready"), "good"),
    **dict.fromkeys(
        ("no", "paused", "absent", "booked", "offline", "unstaked", "leased", "pending", "at-risk"), "waiting"
    ),
    **dict.fromkeys(("blocked", "frozen", "slashed", "rejected", "lost", "retired", "disputed", "not-hireable"), "bad"),
}

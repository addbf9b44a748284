"""What a renter wants of nodes, from the words that people write."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from ionet import resolve
from ionet.errors import InvalidInput
from ionet.isolation import STRENGTHS
from ionet.rules.reputation import ONE

DEFAULT_CURRENCY = "IOSD"


class Wish(msgspec.Struct, frozen=True):
    """What each node has to be, and how many there have to be. None: anything. model: its code.

    max_price: micro-dollars per processor-hour. countries: ISO 3166-1 numbers. min_score: of `reputation.ONE`.
    isolation: the weakest level that will do, see `ionet.isolation`. secs: for how long. gpu_memory_mib: of each GPU.
    max_latency_ms: there and back from here.
    """

    model: str
    processors: int = 1
    nodes: int = 1
    secs: int = 3_600
    currency: str = DEFAULT_CURRENCY
    max_price: int | None = None
    countries: tuple[int, ...] = ()
    min_score: int | None = None
    isolation: str | None = None
    gpu_memory_mib: int | None = None
    max_latency_ms: float | None = None


def model_of(models: Mapping[int, str], gpu: str) -> tuple[str, int]:
    """Code of a device model, as text, and how many of a node, of `H100` or `H100:8`. models: names by code.

    Raises InvalidInput.
    """
    name, processors = accelerators(gpu)
    return str(resolve.model(name, models)), processors


def wished(
    model: str,
    processors: int = 1,
    *,
    nodes: int = 1,
    hours: float | str = 1,
    max_price: float | str | None = None,
    country: str | None = None,
    min_score: float | str | None = None,
    isolation: str | None = None,
    gpu_memory: float | str | None = None,
    max_latency: float | str | None = None,
    currency: str = DEFAULT_CURRENCY,
) -> Wish:
    """Raises InvalidInput.

    model: its code, or what else an indexer takes for one; empty for any. hours: a number, or `90m`. max_price: dollars
    per processor-hour. country: ISO letters, several with commas. min_score: from 0 to 1. isolation: the weakest level.
    gpu_memory: GB (10^9 bytes) of each GPU. max_latency: milliseconds there and back.
    """
    if nodes < 1:
        raise InvalidInput(f"{nodes} nodes; 1 is the least")
    if isolation is not None and isolation not in STRENGTHS:
        raise InvalidInput(f"isolation {isolation!r}; levels are {', '.join(STRENGTHS)}")
    return Wish(
        model,
        processors,
        nodes,
        resolve.hours(str(hours)),
        currency.upper(),
        None if max_price is None else _dollars(str(max_price)),
        tuple(resolve.country(each) for each in (country or "").split(",") if each.strip()),
        None if min_score is None else _share(str(min_score)),
        isolation,
        None if gpu_memory is None else _mib(str(gpu_memory)),
        None if max_latency is None else _milliseconds(str(max_latency)),
    )


def accelerators(text: str) -> tuple[str, int]:
    """Model and number of `H100:8`; one without a number. Raises InvalidInput."""
    model, colon, count = text.strip().partition(":")
    if not model or (colon and not (count.isascii() and count.isdecimal() and 0 < int(count) < 1_000)):
        raise InvalidInput(f"{text!r} is no model with a number; write H100 or H100:8")
    return model, int(count) if colon else 1


def _number(text: str) -> Decimal | None:
    """None for what is none, or not finite."""
    try:
        found = Decimal(text) if text.isascii() else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def _mib(text: str) -> int:
    """Of gigabytes, as cards are sold: a driver shows somewhat more than them."""
    size = _number(text.strip().upper().removesuffix("B").removesuffix("G"))
    if size is None or not 0 < size < 10**6:
        raise InvalidInput(f"{text[:40]!r} is not a number of gigabytes; write it like 24")
    return int(size * 10**9 / 2**20)


def _dollars(text: str) -> int:
    """Micro-dollars."""
    units = _number(text.removeprefix("$"))
    if units is None or not 0 < units < 2**43 or units.scaleb(6) != units.scaleb(6).to_integral_value():
        raise InvalidInput(f"{text[:40]!r} is no price in dollars; write it like 2.5")
    return int(units.scaleb(6))


def _share(text: str) -> int:
    """Of `ONE`."""
    part = _number(text)
    if part is None or not 0 <= part <= 1:
        raise InvalidInput(f"min_score is {text[:40]}, not from 0 to 1")
    return round(part * ONE)


def _milliseconds(text: str) -> float:
    found = _number(text)
    if found is None or not 0 < found < 10**9:
        raise InvalidInput(f"max_latency is {text[:40]}, not a number of milliseconds above 0")
    return float(found)

"""What a renter wants of nodes, from the words that people write."""

from __future__ import annotations

import math
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


def wish(
    models: Mapping[int, str],
    gpu: str,
    *,
    nodes: int = 1,
    hours: float | str = 1,
    max_price: float | str | None = None,
    country: str | None = None,
    min_score: float | None = None,
    isolation: str | None = None,
    gpu_memory: float | str | None = None,
    max_latency: float | None = None,
    currency: str = DEFAULT_CURRENCY,
) -> Wish:
    """Raises InvalidInput.

    models: names by code. gpu: `H100` or `H100:8`, of each node. hours: a number, or `90m`. max_price: dollars per
    processor-hour. country: ISO letters, several with commas. min_score: from 0 to 1. isolation: the weakest level.
    gpu_memory: GB (10^9 bytes) of each GPU. max_latency: milliseconds there and back.
    """
    name, processors = accelerators(gpu)
    if nodes < 1:
        raise InvalidInput(f"{nodes} nodes; 1 is the least")
    if isolation is not None and isolation not in STRENGTHS:
        raise InvalidInput(f"isolation {isolation!r}; levels are {', '.join(STRENGTHS)}")
    if min_score is not None and not 0 <= min_score <= 1:
        raise InvalidInput(f"min_score is {min_score}, not from 0 to 1")
    if max_latency is not None and not 0 < max_latency < math.inf:
        raise InvalidInput(f"max_latency is {max_latency}, not a number of milliseconds above 0")
    return Wish(
        str(resolve.model(name, models)),
        processors,
        nodes,
        resolve.hours(str(hours)),
        currency.upper(),
        None if max_price is None else _dollars(str(max_price)),
        tuple(resolve.country(each) for each in (country or "").split(",") if each.strip()),
        None if min_score is None else round(min_score * ONE),
        isolation,
        None if gpu_memory is None else _mib(str(gpu_memory)),
        max_latency,
    )


def accelerators(text: str) -> tuple[str, int]:
    """Model and number of `H100:8`; one without a number. Raises InvalidInput."""
    model, colon, count = text.strip().partition(":")
    if not model or (colon and not (count.isascii() and count.isdecimal() and 0 < int(count) < 1_000)):
        raise InvalidInput(f"{text!r} is no model with a number; write H100 or H100:8")
    return model, int(count) if colon else 1


def _mib(text: str) -> int:
    """Of gigabytes, as cards are sold: a driver shows somewhat more than them."""
    try:
        size = Decimal(text.strip().upper().removesuffix("B").removesuffix("G"))
    except InvalidOperation:
        raise InvalidInput(f"{text[:40]!r} is not a number of gigabytes; write it like 24") from None
    if not 0 < size < 10**6:
        raise InvalidInput(f"{text[:40]!r} is not a number of gigabytes; write it like 24")
    return int(size * 10**9 / 2**20)


def _dollars(text: str) -> int:
    """Micro-dollars."""
    try:
        units = Decimal(text.removeprefix("$")).scaleb(6)
    except InvalidOperation:
        raise InvalidInput(f"{text[:40]!r} is no price in dollars; write it like 2.5") from None
    if not 0 < units < 2**63 or units != units.to_integral_value():
        raise InvalidInput(f"{text[:40]!r} is no price in dollars; write it like 2.5")
    return int(units)

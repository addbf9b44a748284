"""The program's numbers as people read them: money, times, durations, shares, names. Pure."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from ionet.cli.parsing import tokens
from ionet.countries import LETTERS
from ionet.generated.enums import Currency
from ionet.words import span as span
from ionet.words import words

NOBODY = "1" * 32
"""The address that stands for none, in base58."""


def money(units: int, token: str) -> str:
    """Tokens with their unit: `1,234.5 IO`; base units where the token is not known."""
    try:
        number = tokens(units, token)
    except KeyError:
        return f"{units} base units of {token}"
    return f"{grouped(number)} {token}"


def grouped(number: str) -> str:
    """A decimal number with commas between the thousands of its whole part."""
    whole, point, rest = number.partition(".")
    return f"{int(whole):,}{point}{rest}"


def dollars(micro: int) -> str:
    return f"${grouped(tokens(micro, 'IOSD'))}"


def hourly(micro: int) -> str:
    """The price of a processor-hour."""
    return f"{dollars(micro)}/h"


def count(number: int, noun: str) -> str:
    """1 node, 2 nodes."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(bps: int) -> str:
    number = f"{bps / 100:.2f}".rstrip("0").rstrip(".")
    return f"{number}%"


def moment(unix: int, now: float | None = None) -> str:
    """A time in the zone of this machine, and how far off it is: `2026-11-27 15:04:05 CET (in 3 min)`."""
    try:
        local = datetime.fromtimestamp(unix, UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return f"{unix} (unix seconds)"
    away = unix - round(time.time() if now is None else now)
    relative = f"in {span(away)}" if away > 0 else f"{span(away)} ago"
    return f"{local:%Y-%m-%d %H:%M:%S %Z} ({relative if away else 'now'})"


def country(number: int) -> str:
    return LETTERS.get(number, str(number))


def currencies(bits: int) -> str:
    return ", ".join(name for name, bit in words(Currency).items() if bits & bit) or "none"

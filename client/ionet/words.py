"""The words that people write and read for the program's small numbers, and for durations."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import TypeVar

from ionet.errors import InvalidInput
from ionet.generated.enums import Currency, Pause
from ionet.resolve import near

E = TypeVar("E", bound=Enum)
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def span(seconds: int) -> str:
    """A duration in its two largest units: `1 h 30 min`."""
    left, parts = abs(seconds), []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def words(kind: type[E]) -> dict[str, E]:
    """Every member of an enum by its word: `FALSE_HARDWARE` is `false-hardware`.

    Currencies are written as everywhere (`IOSD`), entries that can be paused like their instructions (`add_lease`).
    """
    return {_spelled(kind, str(member.name)): member for member in kind}


@cache
def _by_number(kind: type[Enum]) -> dict[int, str]:
    return {member.value: text for text, member in words(kind).items()}


def word(kind: type[E], number: int) -> str:
    """The word for a number; a number that this version does not know stays readable."""
    return _by_number(kind).get(number, f"unknown-{number}")


def parse(kind: type[E], text: str, what: str) -> E:
    """The member that a word names. Raises InvalidInput, which calls it `what` and lists the known words."""
    known = words(kind)
    if text not in known:
        raise InvalidInput(f"{what} {text!r}; known are {', '.join(known)}{near(text, known)}")
    return known[text]


def _spelled(kind: type[E], name: str) -> str:
    if issubclass(kind, Currency):
        return name
    return name.lower() if issubclass(kind, Pause) else name.lower().replace("_", "-")

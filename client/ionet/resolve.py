"""What people type for what the program numbers: durations, shares, countries, device models. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches

from ionet.countries import LETTERS, NUMBERS
from ionet.errors import InvalidInput
from ionet.generated.enums import BPS

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw])")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
# Makers' words in front of a model's name, which people leave out.
_FAMILIES = ("nvidia", "amd", "geforce", "rtx", "gtx", "tesla")
_MOST_SHOWN = 12
# Digits: more than this many seconds are a moment, thirty years and more since 1970, not a time from now.
_LONGEST_SPAN = 9


def duration(text: str) -> int:
    """Seconds of `3600`, `90m`, `1h`, `1.5h` or `1d12h`. Raises InvalidInput."""
    spoken = text.strip().lower()
    if spoken.isascii() and spoken.isdecimal():
        return int(spoken)
    parts = _PART.findall(spoken)
    if not parts or "".join(number + unit for number, unit in parts) != spoken:
        raise InvalidInput(f"{text!r} is no duration; write seconds (3600) or 90m, 1h, 1d12h")
    seconds = sum((Decimal(number) * _SECONDS[unit] for number, unit in parts), Decimal(0))
    if seconds != seconds.to_integral_value():
        raise InvalidInput(f"{text!r} is no whole number of seconds")
    return int(seconds)


def until(text: str, now: int) -> int:
    """Unix seconds of a duration from now (`90d`), or of a plain number of them. Raises InvalidInput."""
    spoken = text.strip()
    if spoken.isascii() and spoken.isdecimal() and len(spoken) > _LONGEST_SPAN:
        return int(spoken)
    return now + duration(text)


def share(text: str, *, most: int = BPS) -> int:
    """Basis points from 0 to `most`: of `30%`, or of a plain number of basis points. Raises InvalidInput."""
    number = text.strip().removesuffix("%").strip()
    if not _NUMBER.fullmatch(number):
        raise InvalidInput(f"{text!r} is neither a percentage such as 30% nor a number of basis points")
    points = Decimal(number) * (100 if text.strip().endswith("%") else 1)
    if points != points.to_integral_value() or points > most:
        limits = f"a number of basis points from 0 to {most:,}, nor a percentage from 0% to {most // 100:,}%"
        raise InvalidInput(f"{text} is not {limits}")
    return int(points)


def country(text: str) -> int:
    """The ISO 3166-1 number of `DE` or `276`. Raises InvalidInput."""
    code = text.strip().upper()
    if code in NUMBERS:
        return NUMBERS[code]
    if code.isascii() and code.isdecimal() and int(code) in LETTERS:
        return int(code)
    raise InvalidInput(f"country {text!r}; write two letters or the number of ISO 3166-1, such as DE or 276")


def model(text: str, names: Mapping[int, str]) -> int:
    """The code of a device model by code or name (`7`, `4090`, `RTX 4090`, `rtx4090`). names: by code.

    Raises InvalidInput, which names models that are spelled like it.
    """
    if (code := exact_model(text, names)) is not None:
        return code
    like = models_like(text, names)
    hint = f"; like it: {', '.join(like)}" if like else ""
    raise InvalidInput(f"no model {text}: `ionet network models` lists them{hint}")


def exact_model(text: str, names: Mapping[int, str]) -> int | None:
    """The code of the one device model that a code or name means; None where there is none, or several."""
    if text.isascii() and text.isdecimal() and int(text) in names:
        return int(text)
    for form in (_squeezed, _bare):
        wanted = form(text)
        found = [code for code, name in names.items() if wanted and form(name) == wanted]
        if len(found) == 1:
            return found[0]
    return None


def models_like(text: str, names: Mapping[int, str]) -> list[str]:
    """Names of device models that are spelled like a text, a few at most."""
    wanted = _bare(text)
    like = [name for name in names.values() if wanted and wanted in _bare(name)]
    by_bare = {_bare(name): name for name in names.values()}
    return (like or [by_bare[form] for form in get_close_matches(wanted, by_bare)])[:_MOST_SHOWN]


def near(text: str, known: Iterable[str]) -> str:
    """ "; did you mean X?" when a known word is spelled like this one, else nothing."""
    by_lower = {word.lower(): word for word in known}
    found = get_close_matches(text.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[found[0]]}?" if found else ""


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _bare(name: str) -> str:
    """A name without its maker's and family's words."""
    left = _squeezed(name)
    for word in _FAMILIES:
        left = left.removeprefix(word)
    return left

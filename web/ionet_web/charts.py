"""Series as drawings that need no script: SVG, scaled to the width of the page, with the numbers behind each bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup

_WIDTH, _HEIGHT, _GAP = 720, 160, 1.5


class Bar(NamedTuple):
    """A bucket: when it starts, its value (None: unknown), and what it says of itself."""

    at: str
    value: int | None
    words: str


def bars(items: Sequence[Bar], label: str) -> Markup:
    """A bar for each bucket, the oldest at the left; a hatched foot where the value is unknown."""
    most = max((item.value or 0 for item in items), default=0)
    width = _WIDTH / max(len(items), 1)
    known = Markup("").join(
        _bar(item, number * width, width, most) for number, item in enumerate(items) if item.value is not None
    )
    unknown = [_gap(items[first:end], first * width, width) for first, end in _gaps(items)]
    drawn = Markup('<g class="unknown">{}</g><g class="known">{}</g>').format(Markup("").join(unknown), known)
    frame = Markup(
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    )
    return frame.format(_WIDTH, _HEIGHT, label, drawn) + (_axis(items) if items else Markup(""))


def _axis(items: Sequence[Bar]) -> Markup:
    """When the first and the last begin, and between them how high the highest bar is."""
    highest = max((item for item in items if item.value), key=lambda item: item.value or 0, default=None)
    most = "" if highest is None else f"highest {highest.words}"
    ends = Markup('<p class="ends"><span>{}</span><span>{}</span><span>{}</span></p>')
    return ends.format(items[0].at, most, items[-1].at)


def _gaps(items: Sequence[Bar]) -> Iterator[tuple[int, int]]:
    """Where values are unknown, from and before which bar."""
    numbered = groupby(enumerate(items), key=lambda pair: pair[1].value is None)
    for unknown, run in numbered:
        if unknown:
            numbers = [number for number, _ in run]
            yield numbers[0], numbers[-1] + 1


def _gap(items: Sequence[Bar], left: float, width: float) -> Markup:
    """One foot for all of them, with what the last says."""
    span = items[0].at if len(items) == 1 else f"{items[0].at} – {items[-1].at}"
    return _rect(left, _HEIGHT - 2, width * len(items), 2, f"{span}: {items[-1].words}")


def _bar(item: Bar, left: float, width: float, most: int) -> Markup:
    high = 1.0 if not most or not item.value else max(1.0, _HEIGHT * item.value / most)
    return _rect(left, _HEIGHT - high, max(width - _GAP, width / 2), high, f"{item.at}: {item.words}")


def _rect(left: float, top: float, width: float, height: float, words: str) -> Markup:
    return Markup('<rect x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
        _rounded(left), _rounded(top), _rounded(width), _rounded(height), words
    )


def _rounded(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")


class Square(NamedTuple):
    """A day of a calendar: since 1970, the part of it that is filled (None: nothing was due), and what it says."""

    day: int
    filled: float | None
    words: str
    marked: bool = False


_SQUARE, _STEP = 12, 16
_EPOCH_WEEKDAY = 3  # a Thursday, counted from Monday


def calendar(days: Sequence[Square], label: str) -> Markup:
    """A square for each day, a column for each week from Monday; filled from below, with a frame where it is marked."""
    if not days:
        return Markup("")
    first = _week(days[0].day)
    wide = (_week(days[-1].day) - first + 1) * _STEP
    drawn = Markup("").join(_square(each, (_week(each.day) - first) * _STEP) for each in days)
    return Markup(
        '<svg class="calendar" viewBox="-1 -1 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">{3}</svg>'
    ).format(wide, 7 * _STEP, label, drawn)


def _week(day: int) -> int:
    return (day + _EPOCH_WEEKDAY) // 7


def _square(each: Square, left: int) -> Markup:
    top = (each.day + _EPOCH_WEEKDAY) % 7 * _STEP
    high = round(_SQUARE * (each.filled or 0))
    empty = "empty" if each.filled is None else "day"
    filled = Markup('<rect class="kept" x="{}" y="{}" width="{}" height="{}"/>').format(
        left, top + _SQUARE - high, _SQUARE, high
    )
    return Markup('<g{}><title>{}</title><rect class="{}" x="{}" y="{}" width="{}" height="{}"/>{}</g>').format(
        Markup(' class="marked"') if each.marked else "",
        each.words,
        empty,
        left,
        top,
        _SQUARE,
        _SQUARE,
        filled if high else "",
    )


def shares(parts: Sequence[tuple[str, int]], words: Callable[[int], str], label: str) -> Markup:
    """Lines of different lengths below each other, the longest first, each with its name and its number."""
    most = max((value for _, value in parts), default=0)
    rows = Markup("").join(
        Markup(
            '<tr><th scope="row">{}</th><td><meter min="0" max="{}" value="{}">{}</meter></td><td>{}</td></tr>'
        ).format(name, max(most, 1), value, words(value), words(value))
        for name, value in sorted(parts, key=lambda part: (-part[1], part[0]))
    )
    return Markup('<table class="shares"><caption>{}</caption>{}</table>').format(label, rows)

"""Series as drawings that need no script: SVG, scaled to the width of the page, with the numbers behind each bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    drawn = Markup("").join(_bar(item, number * width, width, most) for number, item in enumerate(items))
    frame = Markup(
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    )
    ends = Markup('<p class="ends"><span>{}</span><span>{}</span></p>')
    axis = ends.format(items[0].at, items[-1].at) if items else Markup("")
    return frame.format(_WIDTH, _HEIGHT, label, drawn) + axis


def _bar(item: Bar, left: float, width: float, most: int) -> Markup:
    high = 0.0 if not most or not item.value else max(1.0, _HEIGHT * item.value / most)
    known = "unknown" if item.value is None else "known"
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
        known,
        _rounded(left),
        _rounded(_HEIGHT - high),
        _rounded(max(width - _GAP, width / 2)),
        _rounded(high or 1.0),
        f"{item.at}: {item.words}",
    )


def _rounded(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")


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

"""A map of the countries, drawn from public-domain outlines (`scripts/draw-countries` makes the file)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from ionet.cli import human
from markupsafe import Markup

_FILE = Path(__file__).parent / "outlines.json"
_VIEW = "0 0 720 282"
_DOT = 3
_SHADES = 4


@cache
def _outlines() -> dict[int, Markup]:
    """Each country by its number: an outline or, where it is small, a dot."""
    found = msgspec.json.decode(_FILE.read_bytes(), type=dict[str, str | list[int]])
    return {int(number): _shape(shape) for number, shape in found.items()}


def _shape(shape: str | list[int]) -> Markup:
    if isinstance(shape, str):
        return Markup('<path d="{}"/>').format(shape)
    return Markup('<circle cx="{}" cy="{}" r="{}"/>').format(*shape, _DOT)


@cache
def _land() -> Markup:
    """All countries with an outline, as the ground of the map."""
    shapes = [shape for shape in _outlines().values() if shape.startswith("<path")]
    return Markup('<g class="land">{}</g>').format(Markup("").join(shapes))


def world(counts: Mapping[int, int], unit: str, label: str) -> Markup:
    """The world with a shade for each country that has some, the darker the more; it leads to the nodes there.

    counts: by ISO 3166-1 number. What has no place on the map stands in the bars beside it.
    """
    most = max(counts.values(), default=0)
    here = Markup("").join(
        Markup('<a href="/nodes?country={}" class="shade-{}"><title>{}</title>{}</a>').format(
            human.country(number), -(-_SHADES * count // most), f"{human.country(number)}: {count:,} {unit}", shape
        )
        for number, count in sorted(counts.items())
        if count > 0 and (shape := _outlines().get(number))
    )
    return Markup('<svg class="world" viewBox="{}" role="group" aria-label="{}">{}{}</svg>').format(
        _VIEW, label, _land(), here
    )

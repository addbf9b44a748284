"""A line chart as SVG, drawn by hand."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 760, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 34, 40
LEGEND_ROW = 18
FONT = 'font-family="sans-serif" font-size="12"'
COLOURS = ("#1b6ca8", "#c0392b", "#1e8449", "#8e44ad", "#b9770e", "#34495e")


class Line(NamedTuple):
    name: str
    points: Sequence[tuple[float, float]]


class Axis(NamedTuple):
    """From 0 to `end`, with a mark each `step`."""

    title: str
    end: int
    step: int
    unit: str = ""


def draw(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """The text of an SVG file. Values beyond the axes are drawn at their ends."""
    height = HEIGHT + LEGEND_ROW * len(lines)

    def at_x(value: float) -> float:
        return LEFT + min(value, x.end) / x.end * (WIDTH - LEFT - RIGHT)

    def at_y(value: float) -> float:
        return HEIGHT - BOTTOM - min(value, y.end) / y.end * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for value in range(0, y.end + 1, y.step):
        parts.append(f'<path d="M{LEFT} {at_y(value):.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at_y(value) + 4:.1f}" text-anchor="end">{value}{y.unit}</text>')
    for value in range(0, x.end + 1, x.step):
        middle = f'x="{at_x(value):.1f}" text-anchor="middle"'
        parts.append(f'<text {middle} y="{HEIGHT - BOTTOM + 16}">{value}{x.unit}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(x.title)}</text>')
    for number, (line, colour) in enumerate(zip(lines, COLOURS, strict=False)):
        points = " ".join(f"{at_x(px):.1f},{at_y(py):.1f}" for px, py in line.points)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        row = HEIGHT + LEGEND_ROW * number
        parts.append(f'<path d="M{LEFT} {row}h24" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{LEFT + 32}" y="{row + 4}">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"

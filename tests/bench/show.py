"""The table for people: on a terminal, and inside docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path

from bench.figures import Figure, Figures
from bench.peers import PEERS
from rich.table import Table

DOCUMENT = Path(__file__).parents[2] / "docs/benchmarks.md"
BEGIN, END = "<!-- written by scripts/bench --update -->\n", "<!-- end -->"


def terminal(found: Figures) -> Table:
    """figure, measured, target, others'."""
    table = Table(box=None, pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("target", justify="right", no_wrap=True)
    table.add_column("others")
    for name, figure in found.items():
        style = {True: "green", False: "red", None: ""}[figure.met]
        others = PEERS[name].figures if name in PEERS else ""
        table.add_row(name, f"{number(figure.value)} {figure.unit}", _target(figure), others, style=style)
    return table


def document(found: Figures) -> str:
    """The Markdown tables of docs/benchmarks.md."""
    counts = {name: figure for name, figure in found.items() if figure.kind == "count"}
    times = {name: figure for name, figure in found.items() if figure.kind == "time"}
    parts = ["## Counts\n", *_rows(counts), "\n## Times\n", *_rows(times), "\n## Beside others\n"]
    parts += ["| figure | here | others | source |", "|---|---|---|---|"]
    for name, peer in PEERS.items():
        if name in found:
            parts.append(f"| {name} | {number(found[name].value)} | {peer.figures} | {peer.source} |")
    return "\n".join(parts) + "\n"


def write(found: Figures) -> None:
    """Put the tables into the document, between its two marks."""
    before, rest = DOCUMENT.read_text().split(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "\n" + document(found) + "\n" + END + rest.split(END)[1])


def _rows(found: Figures) -> list[str]:
    lines = ["| figure | measured | target | met | conditions |", "|---|---|---|---|---|"]
    for name, figure in found.items():
        met = {True: "yes", False: "**no**", None: ""}[figure.met]
        lines.append(
            f"| {name} | {number(figure.value)} {figure.unit} | {_target(figure)} | {met} | {_conditions(figure)} |"
        )
    return lines


def _conditions(figure: Figure) -> str:
    runs = f"runs: {', '.join(map(number, figure.runs))}" if len(figure.runs) > 1 else ""
    return "; ".join(part for part in (figure.note, runs) if part)


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'≤' if figure.better == 'lower' else '≥'} {number(figure.target)}"


def number(value: float) -> str:
    """Thousands apart; three digits after the point where it is no whole number."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}"

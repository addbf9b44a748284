"""The table for people: on a terminal, inside docs/benchmarks.md, and beside others' figures in docs/peers.md."""

from __future__ import annotations

from pathlib import Path

from bench.figures import Figure, Figures
from bench.peers import COMPUTE, OPERATION, PEERS, SIZES, Peer
from rich.table import Table

DOCUMENT = Path(__file__).parents[2] / "docs/benchmarks.md"
BESIDE = Path(__file__).parents[2] / "docs/peers.md"
BEGIN, END = "<!-- written by scripts/bench --update -->\n", "<!-- end -->"


def terminal(found: Figures) -> Table:
    """figure, measured, the machine's speed and what the figure would be at speed 1, target, others'."""
    table = Table(box=None, pad_edge=False)
    # Where a terminal is too narrow the others wrap: a time without its speed says little.
    table.add_column("figure", overflow="fold")
    table.add_column("measured", justify="right", overflow="fold")
    table.add_column("speed", justify="right", no_wrap=True)
    table.add_column("at speed 1", justify="right", overflow="fold")
    table.add_column("target", justify="right", overflow="fold")
    table.add_column("others", overflow="fold")
    others_of = {name: peer.theirs for peer in PEERS for name in peer.ours}
    for name, figure in found.items():
        style = {True: "green", False: "red", None: ""}[figure.met]
        measured = f"{number(figure.value)} {figure.unit}"
        table.add_row(name, measured, *_machine(figure), _target(figure), others_of.get(name, ""), style=style)
    return table


def document(found: Figures) -> str:
    """The Markdown tables of docs/benchmarks.md."""
    counts = {name: figure for name, figure in found.items() if figure.kind == "count"}
    times = {name: figure for name, figure in found.items() if figure.kind == "time"}
    parts = ["## Counts\n", *_rows(counts), "\n## Times\n", *_rows(times, machine=True)]
    return "\n".join(parts) + "\n"


def beside(found: Figures) -> str:
    """The Markdown tables of docs/peers.md."""
    parts = []
    for title, peers in (("Compute units", COMPUTE), ("Sizes", SIZES), ("Indexer and launch", OPERATION)):
        parts += [f"## {title}\n", "| here | others | source | note |", "|---|---|---|---|"]
        parts += [f"| {_ours(peer, found)} | {peer.theirs} | {peer.source} | {peer.note} |" for peer in peers]
        parts.append("")
    return "\n".join(parts)


def _ours(peer: Peer, found: Figures) -> str:
    return "<br>".join(f"{name}: {_with_unit(found[name])}" for name in peer.ours) or "–"


def _with_unit(figure: Figure) -> str:
    return number(figure.value) if figure.unit == "CU" else f"{number(figure.value)} {figure.unit}"


def write(found: Figures) -> None:
    """Put the tables into the documents, between their marks."""
    for path, text in ((DOCUMENT, document(found)), (BESIDE, beside(found))):
        before, rest = path.read_text().split(BEGIN)
        path.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])


def _rows(found: Figures, *, machine: bool = False) -> list[str]:
    names = ["figure", "measured", *(["speed", "at speed 1"] if machine else []), "target", "met", "conditions"]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for name, figure in found.items():
        met = {True: "yes", False: "**no**", None: ""}[figure.met]
        cells = [name, f"{number(figure.value)} {figure.unit}", *(_machine(figure) if machine else [])]
        lines.append("| " + " | ".join([*cells, _target(figure), met, _conditions(figure)]) + " |")
    return lines


def _machine(figure: Figure) -> list[str]:
    """The machine's speed, and the figure as it would be at speed 1; dashes where it is unknown or nothing scales."""
    if figure.speed is None or figure.at_reference is None:
        return ["—", "—"] if figure.kind == "time" else ["", ""]
    return [f"{figure.speed:.2f}", f"{number(figure.at_reference)} {figure.unit}"]


def _conditions(figure: Figure) -> str:
    runs = f"runs: {', '.join(map(number, figure.runs))}" if len(figure.runs) > 1 else ""
    return "; ".join(part for part in (figure.note, runs) if part)


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'≤' if figure.better == 'lower' else '≥'} {number(figure.target)}"


def number(value: float) -> str:
    """Thousands apart; three digits after the point where it is not a whole number."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}"

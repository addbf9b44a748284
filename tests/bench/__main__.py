"""scripts/bench: measure, show, compare, keep."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import msgspec
from bench import figures, show, topics
from bench.figures import Figures
from rich.console import Console


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    console = Console(stderr=options.json, highlight=False)
    names = options.only or list(topics.COUNTS if options.check else {**topics.COUNTS, **topics.TIMES})
    found = topics.measure(names, lambda topic: print(f"measuring: {topic}", file=sys.stderr, flush=True))
    if options.check:
        return _check(found)
    if options.update:
        figures.save({**_kept(found, names), **found})
        show.write(figures.load())
    if options.json:
        sys.stdout.buffer.write(msgspec.json.format(figures.encode(found), indent=2) + b"\n")
    else:
        console.print(show.terminal(found))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures the project against its targets.")
    parser.add_argument("--only", nargs="+", choices=topics.TOPICS, metavar="TOPIC", help=", ".join(topics.TOPICS))
    parser.add_argument("--json", action="store_true", help="print one JSON object: name → figure")
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--check", action="store_true", help="counts only; fails when one is 10 %% worse than committed")
    act.add_argument("--update", action="store_true", help="write what was measured into tests/bench/table.json")
    options = parser.parse_args(arguments)
    if options.check and (options.only or options.json):
        parser.error("--check compares all counts and prints only what is wrong")
    return options


def _check(found: Figures) -> int:
    wrong = figures.worsened(_checked(figures.load()), _checked(found))
    counts = sum(figure.kind == "count" for figure in found.values())
    for sentence in wrong:
        print(f"bench: {sentence}", file=sys.stderr)
    if wrong:
        print("bench: where that is intended, run scripts/bench --update and commit the table", file=sys.stderr)
        return 1
    print(f"{counts} counts, none more than {figures.TOLERANCE_PERCENT} % worse than the committed table")
    return 0


def _checked(all_figures: Figures) -> Figures:
    """The figures of the topics that the check measures."""
    commands = {f"scripts/bench --only {name}" for name in topics.COUNTS}
    return {name: figure for name, figure in all_figures.items() if figure.command in commands}


def _kept(found: Figures, names: Sequence[str]) -> Figures:
    """What the table holds of topics that were not measured now."""
    commands = {figure.command for figure in found.values()} | {f"scripts/bench --only {name}" for name in names}
    return {name: figure for name, figure in figures.load().items() if figure.command not in commands}


if __name__ == "__main__":
    sys.exit(main())

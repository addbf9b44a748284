"""Who can hurt whom, and at what cost: each attack is played against the program, and docs/security.md says what it
came to. `scripts/measure-harm` writes the table, `test_harm.py` compares it."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path

from program.harms import renters, stakers, suppliers
from program.harms.play import Attack, Outcome, words

PAGE = Path(__file__).parents[2] / "docs/security.md"
BEGIN, END = "<!-- written by scripts/measure-harm -->\n", "<!-- end -->"
ATTACKS: tuple[Attack, ...] = (*renters.ATTACKS, *suppliers.ATTACKS, *stakers.ATTACKS)
HEAD = "| who | attack | costs them | costs others | factor | bound | test |\n|---|---|---|---|---|---|---|\n"


@cache
def outcome_of(attack: Attack) -> Outcome:
    return attack.outcome()


def written(factor: Fraction | None) -> str:
    """Two digits after the point."""
    return "none" if factor is None else f"{float(factor):.2f}".rstrip("0").rstrip(".")


def line(attack: Attack) -> str:
    found = outcome_of(attack)
    cells = (attack.who, attack.what, words(found.cost), words(found.loss), written(found.factor), attack.limit)
    return f"| {' | '.join(cells)} | `{attack.test}` |\n"


def table() -> str:
    return HEAD + "".join(map(line, ATTACKS))


def parts(page: str) -> tuple[str, str, str]:
    """Before, between and after the marks."""
    before, rest = page.split(BEGIN)
    inside, after = rest.split(END, 1)
    return before, inside, after


def main() -> None:
    before, _, after = parts(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

"""docs/proofs.md has every theorem once, in the table of its rule, and names what exists."""

from __future__ import annotations

import re
from pathlib import Path

from proofs import (
    solver,
    test_division,
    test_earned,
    test_elapsed,
    test_fee,
    test_limiter,
    test_share,
    test_slash_split,
)

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/proofs.md").read_text(encoding="utf-8")
IN_ORDER = (test_earned, test_fee, test_share, test_slash_split, test_limiter, test_elapsed, test_division)
ROW = re.compile(r"^\| `(\w+)`.* \| (.+) \| (\d+\.\d\d) \|$", re.MULTILINE)


def test_each_rule_has_its_theorems_in_their_order() -> None:
    sections = DOCUMENT.split("\n## ")[1:]
    assert len(sections) == len(IN_ORDER)
    for section, module in zip(sections, IN_ORDER, strict=True):
        assert [name for name, *_ in ROW.findall(section)] == [str(theorem) for theorem in module.THEOREMS]


def test_none_took_longer_than_it_may() -> None:
    assert all(float(secs) < solver.LIMIT_SECS for *_, secs in ROW.findall(DOCUMENT))


def test_the_functions_named_in_the_headings_are_in_their_files() -> None:
    headings = re.findall(r"^## .*\((.+)\)$", DOCUMENT, re.MULTILINE)
    assert len(headings) == len(IN_ORDER)
    for heading in headings:
        for part in heading.split("; "):
            file, functions = part.split(": ")
            source = (ROOT / "programs/ionet/src" / file.strip("`")).read_text(encoding="utf-8")
            named = [name.split("::")[-1] for name in re.findall(r"`([\w:]+)`", functions)]
            assert named
            assert [name for name in named if f"fn {name}(" not in source] == []

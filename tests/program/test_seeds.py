"""A seed is written out only where Anchor computes the address from it, and then it is the constant's value."""

from __future__ import annotations

import re
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "programs/ionet/src"
MINTS = {"io_mint", "iosd_mint"}  # nothing signs as a mint, so no constant names their seeds


def program() -> str:
    return "\n".join(path.read_text() for path in sorted(SOURCES.rglob("*.rs")) if path.name != "mod.rs")


def test_only_singletons_have_literal_seeds_and_these_are_the_constants() -> None:
    seeds = re.findall(r"seeds = \[([^\]]*)\]", program())
    literal = {name for each in seeds for name in re.findall(r'b"(\w+)"', each)}
    assert all("," not in each for each in seeds if 'b"' in each)
    constants = set(re.findall(r'SEED: &(?:\'static )?\[u8\] = b"(\w+)";', program()))
    assert literal - MINTS <= constants
    assert literal == {"network", "iosd", *MINTS}


def test_no_two_kinds_of_account_share_their_first_seed() -> None:
    named = re.findall(r'SEED: &(?:\'static )?\[u8\] = b"(\w+)";', program())
    assert len(named) == len(set(named)) > 10

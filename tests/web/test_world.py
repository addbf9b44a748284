"""The map: every country has a place on it, and the script makes the committed file."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import npm
from ionet.countries import LETTERS
from ionet_web import world as module
from ionet_web.world import world

ROOT = Path(__file__).parents[2]
SOURCES = Path(__file__).parent / "npm"
# Without a place in Natural Earth's outlines of countries: parts of others, counted with these there.
_ELSEWHERE = {"GF", "GP", "MQ", "RE", "YT", "BQ", "SJ", "GI", "TK", "TV", "CC", "CX", "BV", "UM", "AQ"}


def test_countries_have_a_place() -> None:
    placed = {int(number) for number in json.loads((Path(module.__file__).parent / "outlines.json").read_text())}
    assert {LETTERS[number] for number in LETTERS.keys() - placed} <= _ELSEWHERE


def test_more_is_darker_and_leads_to_the_nodes() -> None:
    drawn = world({276: 100, 840: 1, 702: 50, 999: 7}, "GPUs", "GPUs by country")
    assert '<a href="/nodes?country=DE" class="shade-4"><title>DE: 100 GPUs</title>' in drawn
    assert 'country=US" class="shade-1"' in drawn
    assert '<a href="/nodes?country=SG" class="shade-2"><title>SG: 50 GPUs</title><circle' in drawn
    assert "999" not in drawn


async def test_the_script_makes_the_committed_outlines() -> None:
    folder = await npm.install(SOURCES)
    check = [str(ROOT / "scripts/draw-countries"), str(folder / "node_modules/world-atlas"), "--check"]
    process = await asyncio.create_subprocess_exec(sys.executable, *check)
    assert await process.wait() == 0, "run scripts/draw-countries"


def test_the_packages_are_pinned() -> None:
    npm.check_lock_file(SOURCES)

"""The recorded walk of each role shows the commands of its page, and the page shows the walk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lib.walks import DOCS, PAGES, WALKS, Recording, commands, same, typed

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("role", PAGES)
def test_a_walk_is_the_pages_commands(role: str) -> None:
    """Times, addresses and amounts may differ from run to run; what is typed may not."""
    svg = (WALKS / f"{role}.svg").read_text()
    shown, wanted = typed(svg), commands(PAGES[role])
    assert len(shown) == len(wanted) == 5
    assert [pair for pair in zip(wanted, shown, strict=True) if not same(*pair)] == []
    assert len(svg) < 64 * 1024
    # Nothing is fetched from elsewhere, and nothing runs.
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg|127\.0\.0\.1)", svg.replace("&#160;", " "))
    assert "<script" not in svg
    assert not re.search(r"/(root|home|work|tmp)/", svg)


@pytest.mark.parametrize("role", PAGES)
def test_readers_find_the_walk(role: str) -> None:
    page = DOCS / PAGES[role]
    assert f"](../walks/{role}.svg)" in page.read_text()


def test_the_readme_leads_to_each_page_in_its_first_screen() -> None:
    screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:40])
    assert [page for page in PAGES.values() if page.startswith("start/") and f"](docs/{page})" not in screen] == []


def test_another_command_is_noticed() -> None:
    walk = Recording({"/tmp/x": "~"})
    walk.typed("ionet stake show 7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2 --more")
    walk.printed("\n".join(f"line <{number}> & /tmp/x" for number in range(100)))
    [shown] = typed(walk.svg("test"))
    assert same("ionet stake show NODE", shown)
    assert not same("ionet stake list", shown)
    assert not same("ionet stake show NODE --more --less", shown)
    assert "line <12> &" in walk.svg("test").replace("&#160;", " ").replace("&lt;", "<").replace("&gt;", ">").replace(
        "&amp;", "&"
    )
    assert "/tmp/x" not in walk.svg("test")


def test_our_counts_beside_the_peers() -> None:
    """What docs/peers.md counts is what the pages type."""
    rent = next(line for line in commands("renting.md") if line.startswith("ionet run"))
    assert rent == "ionet run --gpu 4090 --hours 1 -- job.py"
    new, up, *_ = commands(PAGES["supplier"])
    assert (new, up.split()[:3]) == ("ionet keys new", ["ionet", "node", "up"])
    peers = (DOCS / "peers.md").read_text()
    assert "| 2: `keys new`, `run` |" in peers
    assert "| 2: `keys new`, `node up` |" in peers

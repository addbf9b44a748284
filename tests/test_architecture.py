"""docs/architecture.md shows the imports as they are, and its walks lead along code that exists."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
SCRIPT = ROOT / "scripts/draw-architecture"
HOP = re.compile(r"\| `([\w./]+\.(?:py|rs))` \| `(\w+)` \| .+ \|")


def loaded(name: str, path: Path) -> ModuleType:
    """A module from a file outside the packages, whatever its ending."""
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    return loaded("architecture", ROOT / "scripts/lib/architecture.py")


@pytest.fixture
def imports(drawing: ModuleType) -> grimp.ImportGraph:
    graph: grimp.ImportGraph = drawing.graph()
    return graph


def test_the_pictures_are_the_imports() -> None:
    command = [sys.executable, str(SCRIPT), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "unchanged\n"), result.stdout + result.stderr


def test_the_check_fails_on_a_stale_picture_and_a_redraw_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = loaded("draw_architecture", SCRIPT)
    page = tmp_path / "architecture.md"
    stale = PAGE.read_text().replace("agent --> client", "client --> agent")
    page.write_text(stale)
    monkeypatch.setattr(command, "PAGE", page)
    assert command.main(["--check"]) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert "run scripts/draw-architecture" in line
    assert page.read_text() == stale
    assert (command.main([]), command.main(["--check"])) == (0, 0)
    assert page.read_text() == PAGE.read_text()


def test_another_import_changes_the_picture(drawing: ModuleType, imports: grimp.ImportGraph) -> None:
    before = drawing.pictures(imports)
    imports.add_import(importer="ionet_agent.loop", imported="ionet_launcher.phases")
    imports.add_import(importer="ionet.errors", imported="ionet.cli")
    after = drawing.pictures(imports)
    assert "agent --> launcher" in after["packages"]
    assert before["packages"] != after["packages"]
    assert before["client"] != after["client"]


def test_a_stale_or_missing_block_is_noticed(drawing: ModuleType, imports: grimp.ImportGraph) -> None:
    drawn = drawing.pictures(imports)
    text = PAGE.read_text()
    assert drawing.redrawn(text.replace("agent --> client", "client --> agent"), drawn) == text
    with pytest.raises(ValueError, match="no block"):
        drawing.redrawn("# Architecture\n", drawn)


def test_imports_go_one_way(drawing: ModuleType, imports: grimp.ImportGraph) -> None:
    """From top to bottom in the order of the drawing, so there is no circle."""
    for arrows, order in (
        (drawing.packages(imports), list(drawing.PACKAGES.values())),
        (drawing.rooms(imports), list(drawing.ROOMS)),
    ):
        assert [(above, below) for above, below in arrows if order.index(above) > order.index(below)] == []


def test_every_hop_of_the_walks_exists() -> None:
    walks = PAGE.read_text().partition("## Four walks")[2]
    rows = [line for line in walks.splitlines() if line.startswith("| `")]
    assert [row for row in rows if not HOP.fullmatch(row)] == []
    assert len(rows) > 40
    for file, name in (match.groups() for match in map(HOP.fullmatch, rows) if match):
        source = (ROOT / file).read_text()
        assert re.search(rf"(?:\b(?:def|class|fn|enum|struct) {name}\b|^{name}\b.*=|\"{name}\")", source, re.M), (
            file,
            name,
        )

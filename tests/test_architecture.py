"""docs/architecture.md shows the imports as they are, and its walks lead along code that exists."""

from __future__ import annotations

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
HOP = re.compile(r"^\| `([\w./]+\.(?:py|rs))` \| `(\w+)` \|", re.MULTILINE)


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "scripts/lib/architecture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def imports(drawing: ModuleType) -> grimp.ImportGraph:
    graph: grimp.ImportGraph = drawing.graph()
    return graph


def test_the_pictures_are_the_imports() -> None:
    command = [sys.executable, str(ROOT / "scripts/draw-architecture"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "unchanged\n"), result.stdout + result.stderr


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
    hops = HOP.findall(PAGE.read_text())
    assert len(hops) > 40
    for file, name in hops:
        source = (ROOT / file).read_text()
        assert re.search(rf"(?:\b(?:def|class|fn|enum|struct) {name}\b|^{name}\b.*=|\"{name}\")", source, re.M), (
            file,
            name,
        )

"""Which tests a mutant meets first: those that name what it touches, then the quick ones, then the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from mutate_program.sites import SOURCES, Mutant

ERROR = re.compile(r"IonetError::(\w+)")
FUNCTION = re.compile(r"fn (\w+)")
# Names that say nothing about where they are.
EVERYWHERE = {"handler", "new", "mod", "self", "node", "lease", "network", "add", "sub", "due", "pay", "take"}


def tests(mutant: Mutant, files: Sequence[Path], tree: Path, seconds: Mapping[str, float]) -> list[str]:
    """The files of tests in the order in which they are run, relative to the tree."""
    instruction = Path(mutant.file).stem
    wanted = {instruction: 5, mutant.scope.rpartition("::")[2]: 3}
    wanted |= dict.fromkeys(ERROR.findall(mutant.text), 10)
    wanted |= dict.fromkeys(callers(tree / SOURCES, mutant.scope.rpartition("::")[2]), 2)

    def rank(path: Path) -> tuple[float, float, str]:
        name = path.relative_to(tree).as_posix()
        score = 100.0 if path.stem == f"test_{instruction}" else 0.0
        content = read(path)
        for word, weight in wanted.items():
            if word not in EVERYWHERE:
                score += weight * min(len(re.findall(rf"\b{word}\b", content)), 3)
                score += weight * 10 * (path.stem == f"test_{word}")
        cost = seconds.get(name, 1.0)
        return (-score / (1 + cost), cost, name)

    return [path.relative_to(tree).as_posix() for path in sorted(files, key=rank)]


@cache
def callers(sources: Path, function: str) -> tuple[str, ...]:
    """The instructions whose own files call a function."""
    if function in EVERYWHERE or "." in function or not function:
        return ()
    found = []
    for path in sorted((sources / "instructions").rglob("*.rs")):
        if re.search(rf"\b{function}\(", read(path)):
            found.append(path.stem)
    return tuple(found)


def has_host_test(mutant: Mutant, sources: Path) -> bool:
    """Whether a unit test of the program names the function."""
    function = mutant.scope.rpartition("::")[2]
    where = [sources / "tests.rs", *sorted((sources / "tests").rglob("*.rs"))]
    return any(re.search(rf"\b{function}\(", read(path)) for path in where if path.exists())


@cache
def read(path: Path) -> str:
    return path.read_text()

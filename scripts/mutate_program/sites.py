"""Where the program can be changed by one small fault, and into what."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mutate_program.kinds import changes
from mutate_program.syntax import places

SOURCES = Path("programs/ionet/src")


@dataclass(frozen=True)
class Mutant:
    """One change of one file. What identifies it holds through unrelated edits: no line, no offset."""

    file: str
    """Below `programs/ionet/src`."""
    scope: str
    kind: str
    text: str
    """What is replaced, its white space joined."""
    becomes: str
    nth: int
    """Counts what is otherwise the same, from 1."""
    start: int
    end: int
    replacement: str

    @property
    def id(self) -> str:
        parts = (self.file, self.scope, self.kind, self.text, self.becomes, str(self.nth))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    def apply(self, source: bytes) -> bytes:
        """The file with the fault in it."""
        return source[: self.start] + self.replacement.encode() + source[self.end :]

    def says(self) -> str:
        """On one line, for people."""
        return f"{self.kind}: {self.file} {self.scope}: {self.text} → {self.becomes or 'nothing'}"


def joined(source: str) -> str:
    """Source text on one line, as it is compared."""
    return re.sub(r"\s+", " ", source).strip()


def in_file(name: str, source: bytes) -> Iterator[Mutant]:
    """Every mutant of one file."""
    seen: Counter[tuple[str, ...]] = Counter()
    for place in places(source):
        for change in changes(place):
            old = joined(source[change.start : change.end].decode())
            key = (place.scope, change.kind, old, joined(change.replacement))
            seen[key] += 1
            yield Mutant(name, *key, seen[key], change.start, change.end, change.replacement)


def in_tree(root: Path) -> list[Mutant]:
    """Every mutant of the program below `root`, tests left out."""
    found: list[Mutant] = []
    for path in sorted((root / SOURCES).rglob("*.rs")):
        name = path.relative_to(root / SOURCES)
        if name.parts[0] not in ("tests", "tests.rs"):
            found += in_file(name.as_posix(), path.read_bytes())
    return found


def sample(mutants: list[Mutant], seed: str) -> list[Mutant]:
    """All of them in an order in which any first part is spread over kinds, and within a kind over files. The seed
    chooses; a mutant that comes or goes elsewhere leaves the order of the others."""

    def rank(mutant: Mutant) -> str:
        return hashlib.sha256(f"{seed}:{mutant.id}".encode()).hexdigest()

    by_kind: dict[str, dict[str, list[Mutant]]] = {}
    for mutant in sorted(mutants, key=rank):
        by_kind.setdefault(mutant.kind, {}).setdefault(mutant.file, []).append(mutant)
    kinds = {kind: _in_turn(list(files.values())) for kind, files in sorted(by_kind.items())}
    return _in_turn(list(kinds.values()))


def _in_turn(lists: list[list[Mutant]]) -> list[Mutant]:
    longest = max(map(len, lists), default=0)
    return [items[at] for at in range(longest) for items in lists if at < len(items)]

"""Mutants that no test can notice, each with its argument; `equivalent.toml` beside this file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from mutate_program.sites import Mutant, joined

FILE = Path(__file__).with_name("equivalent.toml")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names mutants by what they are, never by where: the same text twice in one function needs `nth`."""

    file: str
    scope: str
    kind: str
    text: str
    argument: str
    becomes: str | None = None
    """Needed only where one text becomes several things."""
    nth: int | None = None

    def names(self, mutant: Mutant) -> bool:
        return (
            (self.file, self.scope, self.kind) == (mutant.file, mutant.scope, mutant.kind)
            and joined(self.text) == mutant.text
            and self.becomes in (None, mutant.becomes)
            and self.nth in (None, mutant.nth)
        )


class _Entries(msgspec.Struct, forbid_unknown_fields=True):
    mutant: list[Entry] = []


def entries(path: Path = FILE) -> list[Entry]:
    """What the file says."""
    return msgspec.toml.decode(path.read_bytes(), type=_Entries).mutant


def arguments(mutants: Iterable[Mutant], known: Iterable[Entry]) -> dict[str, str]:
    """Mutant's id → why nothing can notice it."""
    listed = list(known)
    return {mutant.id: entry.argument for mutant in mutants for entry in listed if entry.names(mutant)}


def stale(mutants: Iterable[Mutant], known: Iterable[Entry]) -> list[str]:
    """What is wrong with the file: an entry without an argument, or one that does not name exactly one mutant."""
    listed, wrong = list(mutants), []
    for entry in known:
        count = sum(entry.names(mutant) for mutant in listed)
        if count != 1 or len(entry.argument.split()) < 5:
            wrong.append(
                f"{entry.file} {entry.scope}: {entry.text}: names {count} mutants, argument {entry.argument!r}"
            )
    return wrong

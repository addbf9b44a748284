"""The rows that a batch of events reads and changes, in memory between one load and one save."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from ionet.codec import ProgramCodec
from ionet.errors import IonetError
from ionet.generated import pdas
from solders.pubkey import Pubkey

from ionet_indexer.core import rows as rows_
from ionet_indexer.core.rows import Fact, State

S = TypeVar("S", bound=State)


class FoldError(IonetError):
    """an event cannot follow what is recorded: the program and this indexer disagree"""

    def __init__(self, detail: str = "", *, key: str | None = None) -> None:
        super().__init__(detail)
        self.key = key
        """What is not known, if that is why."""


class Changes(NamedTuple):
    """What has to be written. The states are encoded: their rows may be changed further meanwhile."""

    states: dict[type[State], str]
    facts: list[Fact]


class _Before(NamedTuple):
    """A row before it was changed, None where there was none, and whether it had to be written then."""

    row: State | None
    changed: bool


def _set(rows: dict[str, State], key: str, row: State | None) -> None:
    if row is None:
        rows.pop(key, None)
    else:
        rows[key] = row


class View:
    """Rows by table and key. `changed` and `facts` are what has to be written."""

    def __init__(self, codec: ProgramCodec) -> None:
        self._codec = codec
        self._rows: defaultdict[type[State], dict[str, State]] = defaultdict(dict)
        self._changed: defaultdict[type[State], dict[str, State]] = defaultdict(dict)
        self._before: dict[tuple[type[State], str], _Before] | None = None
        self.facts: list[Fact] = []

    def hold(self, rows: list[S]) -> None:
        """Take in rows as they are stored."""
        for row in rows:
            self._rows[type(row)][getattr(row, row.key)] = row

    def holds(self, kind: type[State], key: str) -> bool:
        """Whether the row is here already."""
        return key in self._rows[kind]

    def find(self, kind: type[S], key: str) -> S | None:
        """The row to change, marked as changed; None when there is none."""
        row = self._rows[kind].get(key)
        if row is None:
            return None
        assert isinstance(row, kind)
        if self._before is not None:
            self._remember(kind, key)
        self._changed[kind][key] = row
        return row

    def peek(self, kind: type[S], key: str) -> S | None:
        """The row to look at; None when there is none."""
        row = self._rows[kind].get(key)
        assert row is None or isinstance(row, kind)
        return row

    def all(self, kind: type[S]) -> list[S]:
        """All rows of a table that are here, to look at."""
        return [row for row in self._rows[kind].values() if isinstance(row, kind)]

    def get(self, kind: type[S], key: str) -> S:
        """The row to change, marked as changed. Raises FoldError when there is none."""
        row = self.find(kind, key)
        if row is None:
            raise FoldError(f"{kind.__name__} {key} is not known yet", key=key)
        return row

    def put(self, row: State) -> None:
        """Add a new row."""
        key = getattr(row, row.key)
        self._remember(type(row), key)
        self._rows[type(row)][key] = row
        self._changed[type(row)][key] = row

    @contextmanager
    def tentative(self) -> Iterator[None]:
        """What is done inside is taken back if it ends in a FoldError."""
        self._before, facts = {}, len(self.facts)
        try:
            yield
        except FoldError:
            for (kind, key), before in self._before.items():
                _set(self._rows[kind], key, before.row)
                _set(self._changed[kind], key, before.row if before.changed else None)
            del self.facts[facts:]
            raise
        finally:
            self._before = None

    def _remember(self, kind: type[State], key: str) -> None:
        if self._before is None or (kind, key) in self._before:
            return
        self._before[kind, key] = _Before(deepcopy(self._rows[kind].get(key)), key in self._changed[kind])

    def inherit(self, before: View, kind: type[State], keys: set[str]) -> set[str]:
        """Take over what the view before holds of these rows; returns the keys that it does not hold."""
        theirs = before._rows[kind]
        found = keys & theirs.keys()
        self._rows[kind].update((key, theirs[key]) for key in found)
        return keys - found

    def changed(self) -> dict[type[State], list[State]]:
        """Rows to write, by table."""
        return {kind: list(rows.values()) for kind, rows in self._changed.items() if rows}

    def changes(self) -> Changes:
        """What has to be written, as it is now."""
        return Changes({kind: rows_.encode(rows) for kind, rows in self.changed().items()}, self.facts)

    @property
    def program(self) -> Pubkey:
        """The program's id."""
        return self._codec.id

    @cached_property
    def io_mint(self) -> Pubkey:
        """The program's own mint of IO."""
        return pdas.io_mint(self._codec.id)

    @cached_property
    def network(self) -> Pubkey:
        """The program's account of roles and parameters."""
        return pdas.network(self._codec.id)

    def currency(self, mint: Pubkey) -> str:
        """The word for a mint; the program admits three."""
        if mint == self.io_mint:
            return "IO"
        return "IOSD" if mint == pdas.iosd_mint(self._codec.id) else "USDC"

    def params(self, data: bytes) -> dict[str, Any]:
        """The network's parameters as JSON-able fields, from the bytes in an event."""
        return self._codec.show_type("Params", data)

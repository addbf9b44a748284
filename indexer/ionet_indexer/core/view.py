"""The rows that a batch of events reads and changes, in memory between one load and one save."""

from __future__ import annotations

from functools import cached_property
from typing import Any, TypeVar

from ionet.codec import ProgramCodec
from ionet.errors import IonetError
from ionet.generated import pdas
from solders.pubkey import Pubkey

from ionet_indexer.core.rows import Fact, State

S = TypeVar("S", bound=State)


class FoldError(IonetError):
    """an event cannot follow what is recorded: the program and this indexer disagree"""


class View:
    """Rows by table and key. `changed` and `facts` are what has to be written."""

    def __init__(self, codec: ProgramCodec) -> None:
        self._codec = codec
        self._rows: dict[type[State], dict[str, State]] = {}
        self._changed: dict[type[State], dict[str, State]] = {}
        self.facts: list[Fact] = []

    def hold(self, rows: list[S]) -> None:
        """Take in rows as they are stored."""
        for row in rows:
            self._rows.setdefault(type(row), {})[getattr(row, row.key)] = row

    def holds(self, kind: type[State], key: str) -> bool:
        """Whether the row is here already."""
        return key in self._rows.get(kind, {})

    def find(self, kind: type[S], key: str) -> S | None:
        """The row to change, marked as changed; None when there is none."""
        row = self._rows.get(kind, {}).get(key)
        if row is None:
            return None
        assert isinstance(row, kind)
        self._changed.setdefault(kind, {})[key] = row
        return row

    def get(self, kind: type[S], key: str) -> S:
        """The row to change, marked as changed. Raises FoldError when there is none."""
        row = self.find(kind, key)
        if row is None:
            raise FoldError(f"{kind.__name__} {key} is not known yet")
        return row

    def put(self, row: State) -> None:
        """Add a new row."""
        key = getattr(row, row.key)
        self._rows.setdefault(type(row), {})[key] = row
        self._changed.setdefault(type(row), {})[key] = row

    def changed(self) -> dict[type[State], list[State]]:
        """Rows to write, by table."""
        return {kind: list(rows.values()) for kind, rows in self._changed.items()}

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

"""Known events that are held back because of unknown ones before them."""

from __future__ import annotations

from typing import Any, ClassVar

from ionet_indexer.core.rows import Fact


class Unfolded(Fact, kw_only=True):
    """An event of which no other table has anything: an earlier one that is unread or unfolded names `entity`."""

    table: ClassVar[str] = "unfolded"

    position: int
    entity: str


HANDLERS: dict[str, Any] = {}

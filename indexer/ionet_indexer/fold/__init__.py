"""Events to rows: each table is a pure fold, so replaying the same events gives the same rows."""

from __future__ import annotations

from ionet_indexer.fold.apply import apply, links, needs
from ionet_indexer.fold.view import FoldError, View

__all__ = ["FoldError", "View", "apply", "links", "needs"]

"""What a wallet can sign, and the form of each."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from ionet_web.acts import SORTS, act
from ionet_web.blocks import Block, Column, Note, Page, Table
from ionet_web.indexer import NotKnown
from ionet_web.shown import Kind

_COLUMNS = (Column("", Kind.TEXT, "Action"), Column("", Kind.TEXT, "What it does"))
_NONE = Note(Markup("Nothing is signed on these pages: they know no process that builds transactions."))


def acts_page(*, is_there: bool) -> Page:
    """A list of all."""
    rows = [
        [Markup('<a href="/act/{}">{}</a>').format(kind, sort.title), Markup("{}").format(sort.about)]
        for kind, sort in SORTS.items()
    ]
    blocks: list[Block] = [Table("", _COLUMNS, rows)]
    lead = "Each is shown with all that it moves, signed by a wallet in your browser, and sent. Your key stays there."
    return Page("Wallet", blocks if is_there else [_NONE, *blocks], lead=Markup(lead), path="/act")


def act_page(kind: str, given: Mapping[str, str], origin: str, *, is_there: bool) -> Page:
    """One of them, with the fields that an address names filled in; for a phone too, if it says so. Raises NotKnown."""
    if kind not in SORTS:
        raise NotKnown(f"there is no action {kind!r}")
    block: Block = act(kind, given, origin)
    return Page(SORTS[kind].title, [block] if is_there else [_NONE, block], path="/act")

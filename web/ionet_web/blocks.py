"""What a page is made of: facts, tables, charts and forms, in a column. Templates only lay them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup
from msgspec import Struct

from ionet_web.shown import NUMBERS, Item, Kind, show


class Column(NamedTuple):
    """A column of a table: the item's field, its kind, what heads it; `help` says what it means."""

    field: str
    kind: Kind
    head: str
    help: str = ""

    @property
    def number(self) -> bool:
        """Whether it stands at the right."""
        return self.kind in NUMBERS


class Fact(NamedTuple):
    """One value with its name, and its definition where the name does not say it. rows: the page of what it sums up."""

    name: str
    value: Markup
    help: str = ""
    rows: str = ""


class Facts(Struct, frozen=True, tag="facts"):
    """Values side by side. large: they are what the page is about."""

    title: str
    facts: list[Fact]
    large: bool = False


class Table(Struct, frozen=True, tag="table"):
    """Rows, each a cell for each column. more: where the next ones are; exports: the whole of it as files.

    source: where the indexer has just these rows, below /v1, with their query; leads to them as CSV and JSON.
    file: where these pages have them as CSV, if the indexer does not know them as these rows.
    """

    title: str
    columns: Sequence[Column]
    rows: list[list[Markup]]
    empty: str = "Nothing yet."
    more: str = ""
    exports: Mapping[str, str] = {}
    source: str = ""
    file: str = ""
    live: bool = False


class Chart(Struct, frozen=True, tag="chart"):
    """A drawing. source: where its numbers are, as JSON. wide: it takes the width of two."""

    title: str
    drawing: Markup
    note: str = ""
    source: str = ""
    wide: bool = False


class Choice(Struct, frozen=True):
    """A field of a form: free text, or one of its words (value, label); `value` is what is chosen."""

    name: str
    label: str
    value: str = ""
    words: Sequence[tuple[str, str]] = ()
    hint: str = ""


class Form(Struct, frozen=True, tag="form"):
    """Asks this page again, narrowed."""

    choices: list[Choice]
    action: str
    button: str = "Show"


class Act(Struct, frozen=True, tag="act"):
    """Something that a wallet signs. command: the same without a browser. expected: what they must say, in JSON."""

    title: str
    kind: str
    about: str
    choices: list[Choice]
    command: str
    expected: str
    phone: Phone | None = None


class Phone(Struct, frozen=True):
    """A transaction request of Solana Pay. link: as wallets open it. code: the same as a QR code."""

    link: str
    code: Markup


class Note(Struct, frozen=True, tag="note"):
    """A sentence."""

    text: Markup


class Drop(Struct, frozen=True, tag="drop"):
    """Takes a result as a file or text, where a script runs; it is hashed there."""


class Proof(Struct, frozen=True, tag="proof"):
    """What a script follows from the result in the page's address to a root. Keys in base58, hashes in hex."""

    lease: str
    interval: int
    index: int
    count: int
    task: str
    path: list[str]
    root: str


Block = Facts | Table | Chart | Form | Act | Note | Drop | Proof


class Page(Struct, frozen=True):
    """A page. slot: the newest confirmed slot in it. lead: a sentence below the title. script: of its own, a module.

    again: seconds after which a script looks again, and puts what changed in its place; 0 for never.
    """

    title: str
    blocks: list[Block]
    slot: int | None = None
    lead: Markup = Markup("")
    path: str = "/"
    script: str = ""
    again: int = 0

    @property
    def signs(self) -> bool:
        """Whether it needs a wallet."""
        return any(isinstance(block, Act) for block in self.blocks)


def facts(
    item: Item, *named: tuple[str, Kind, str] | tuple[str, Kind, str, str] | tuple[str, Kind, str, str, str]
) -> list[Fact]:
    """Fields of an item as (field, kind, name[, definition[, page of its rows]]); those that are null are left out."""
    found = []
    for field, kind, name, *explained in named:
        value = item[field]
        if value is not None and value != []:
            found.append(Fact(name, show(kind, value, item), *explained))
    return found


def table(title: str, columns: Sequence[Column], items: Sequence[Item], **more: Any) -> Table:
    """Items as rows."""
    rows = [[show(column.kind, item[column.field], item) for column in columns] for item in items]
    return Table(title, columns, rows, **more)


def address(path: str, **query: str | int | None) -> str:
    """A link with those parameters that are given."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path

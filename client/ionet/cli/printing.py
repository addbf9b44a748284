"""What commands print: fields, tables, receipts, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from ionet.client import Client
    from ionet.plan import Receipt

# Characters of a line where there is no terminal: nothing is cut off.
_WIDE = 1_000
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def say(text: str = "", *, err: bool = False, end: str = "\n") -> None:
    """Text on stdout or stderr, in the terminal's own encoding: Click writes UTF-8 where that is ASCII."""
    typer.echo(text + end, file=sys.stderr if err else sys.stdout, nl=False)


async def print_receipts(client: Client, receipts: Sequence[Receipt], *, as_json: bool) -> None:
    """Signature, cost and events of transactions; amounts for people in the currency of the cluster they are about."""
    if as_json:
        shown = [receipt_fields(client, receipt) for receipt in receipts]
        print_json(shown[0] if len(shown) == 1 else shown)
        return
    from ionet.cli.currencies import Currencies
    from ionet.cli.human import money
    from ionet.cli.views import view

    known = Currencies(client)
    for receipt in receipts:
        say(f"{receipt.signature}  fee {money(receipt.fee, 'SOL')}")
        for record in receipt.events:
            kind, fields = type(record.event).__name__, client.program.codec.show(record.event)
            say(f"  {kind}")
            lines = view(kind, fields, token=await known.of(record.event))
            width = max((len(name) for name in lines), default=0)
            for name, value in lines.items():
                say(f"    {name.replace('_', ' '):{width}}  {value}")


def receipt_fields(client: Client, receipt: Receipt) -> dict[str, Any]:
    """A receipt as JSON-able fields."""
    events = [
        {"event": type(record.event).__name__, **client.program.codec.show(record.event)} for record in receipt.events
    ]
    return {
        "signature": str(receipt.signature),
        "slot": receipt.slot,
        "fee_lamports": str(receipt.fee),
        "compute_units": receipt.compute_units,
        "events": events,
    }


def account_fields(client: Client, address: Pubkey, account: Any) -> dict[str, Any]:
    """An account with its address as JSON-able fields."""
    return {"address": str(address), **client.program.codec.show(account)}


def print_json(value: Any) -> None:
    say(json.dumps(value, ensure_ascii=False))


def print_fields(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """One object: JSON, or a line per field."""
    if as_json:
        print_json(fields)
        return
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        say(f"{name.replace('_', ' '):{width}}  {_plain(value)}")


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """A list of objects: JSON with every field, or a table of some columns, without those in which nothing stands."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        say("none")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = [column for column in columns if any(_plain(row[column]) for row in rows)]
    for column in columns:
        table.add_column(column.replace("_", " "), no_wrap=column == "address", overflow="fold")
    for row in rows:
        table.add_row(*[_plain(row[column]) for column in columns])
    # Text in square brackets is text: `ionet[indexer]`.
    Console(width=None if sys.stdout.isatty() else _WIDE, markup=False).print(table)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return " ".join(_plain(item) for item in value)
    return printable(value)


def printable(value: object) -> str:
    """A text that may be a stranger's as part of one line: nothing in it moves the cursor or changes the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """A spinner on stderr while something takes its time; nothing when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def counting(text: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, moved by (done, total); nothing when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

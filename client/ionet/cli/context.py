"""What every command needs: settings, a client, one way to send and to print."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from solders.pubkey import Pubkey
from solders.signature import Signature

from ionet.errors import InvalidInput, WalletError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ionet.client import Client
    from ionet.plan import Plan, Receipt

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsUnsigned = Annotated[bool, typer.Option("--unsigned", help="Print the unsigned transaction instead of sending it.")]

DECIMALS = {"IO": 8, "IOSD": 6, "USDC": 6, "SOL": 9}


@dataclass(frozen=True)
class Settings:
    """The global options."""

    url: str
    keypair: str
    idl: str | None
    signer: str | None


class Elsewhere:
    """A wallet of which only the address is known here."""

    def __init__(self, address: Pubkey) -> None:
        self._address = address

    @property
    def pubkey(self) -> Pubkey:
        return self._address

    async def sign(self, message: bytes) -> Signature:
        raise WalletError(f"{self._address} signs elsewhere: use --unsigned (message of {len(message)} bytes)")


def settings(ctx: typer.Context) -> Settings:
    found = ctx.obj
    assert isinstance(found, Settings)
    return found


def connect(ctx: typer.Context, *, wallet: bool = True) -> Client:
    """A client with the global options. wallet=False: for commands that only read."""
    from ionet.client import Client
    from ionet.idl import load_file
    from ionet.program import PROGRAM, load_program
    from ionet.wallet import KeypairSigner, read_keypair

    options = settings(ctx)
    program = load_program(load_file(options.idl)) if options.idl else PROGRAM
    if not wallet:
        return Client(options.url, program=program)
    if options.signer is not None:
        return Client(options.url, Elsewhere(pubkey(options.signer)), program=program)
    return Client(options.url, KeypairSigner(read_keypair(options.keypair)), program=program)


def run(ctx: typer.Context, work: Callable[[Client], Awaitable[T]], *, wallet: bool = True) -> T:
    """Run asynchronous work with a client, closing it afterwards."""

    async def session() -> T:
        async with connect(ctx, wallet=wallet) as client:
            return await work(client)

    return asyncio.run(session())


def submit(ctx: typer.Context, plan: Callable[[Client], Plan], *, as_json: bool, unsigned: bool = False) -> None:
    """Send a plan and print what happened, or print it unsigned."""

    async def work(client: Client) -> None:
        if unsigned:
            import msgspec

            print_fields(msgspec.to_builtins(await plan(client).unsigned()), as_json=as_json)
            return
        with waiting("waiting for the chain"):
            receipt = await plan(client)
        print_receipts(client, [receipt], as_json=as_json)

    run(ctx, work)


# -- printing


def print_receipts(client: Client, receipts: Sequence[Receipt], *, as_json: bool) -> None:
    """Signature, cost and events of transactions."""
    if as_json:
        shown = [receipt_fields(client, receipt) for receipt in receipts]
        print_json(shown[0] if len(shown) == 1 else shown)
        return
    for receipt in receipts:
        typer.echo(f"{receipt.signature}  slot {receipt.slot}  fee {receipt.fee} lamports")
        for record in receipt.events:
            fields = client.program.codec.show(record.event)
            typer.echo(
                f"  {type(record.event).__name__}  " + "  ".join(f"{key}={value}" for key, value in fields.items())
            )


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
    typer.echo(json.dumps(value, ensure_ascii=False))


def print_fields(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """One object: JSON, or a line per field."""
    if as_json:
        print_json(fields)
        return
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        typer.echo(f"{name.replace('_', ' '):{width}}  {_plain(value)}")


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """A list of objects: JSON with every field, or a table of some columns."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        typer.echo("none")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), no_wrap=column == "address")
    for row in rows:
        table.add_row(*[_plain(row[column]) for column in columns])
    # Text in square brackets is text: `ionet[indexer]`.
    Console(width=None if sys.stdout.isatty() else 200, markup=False).print(table)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return " ".join(_plain(item) for item in value)
    return str(value)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """A spinner on stderr while something takes its time; nothing when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def counting(text: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, moved by (done, total); nothing when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


# -- reading what people type


def pubkey(text: str) -> Pubkey:
    """An address. Raises InvalidInput."""
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no address") from None


def hash32(text: str) -> bytes:
    """32 bytes in hex. Raises InvalidInput."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != 32:
        raise InvalidInput(f"{text!r} is not 32 bytes in hex")
    return data


def hash_of(text: str) -> bytes:
    """32 bytes in hex, or the sha256 of the file of that name. Raises InvalidInput when it is neither."""
    path = Path(text)
    try:
        return hashlib.sha256(path.read_bytes()).digest() if path.is_file() else hash32(text)
    except OSError as error:
        raise InvalidInput(f"cannot read {text}: {error.strerror}") from None
    except InvalidInput:
        raise InvalidInput(f"{text!r} is neither a file nor 32 bytes in hex") from None


def amount(text: str, token: str) -> int:
    """Base units of a decimal number of tokens. Raises InvalidInput when it is none, negative, or too fine."""
    decimals = DECIMALS[token]
    try:
        units = Decimal(text).scaleb(decimals)
    except InvalidOperation:
        raise InvalidInput(f"{text!r} is no amount of {token}") from None
    if not units.is_finite() or units < 0 or units >= 2**64:
        raise InvalidInput(f"{text!r} is no amount of {token}")
    if units != units.to_integral_value():
        raise InvalidInput(f"{token} has {decimals} decimals, {text} has more")
    return int(units)


def tokens(units: int, token: str) -> str:
    """A decimal number of tokens, without trailing zeros."""
    text = f"{Decimal(units).scaleb(-DECIMALS[token]):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

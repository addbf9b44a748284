"""`ionet cluster`: budgets, and the leases paid from them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet import resolve
from ionet.cli import human
from ionet.cli.cluster_status import status
from ionet.cli.parsing import amount, file_hash, pubkey
from ionet.cli.printing import (
    AsJson,
    account_fields,
    counting,
    print_fields,
    print_json,
    print_receipts,
    print_rows,
    receipt_fields,
    say,
)
from ionet.cli.session import Asked, AsUnsigned, Sending, ask, asking, run, submit, transaction
from ionet.cli.stop import stop
from ionet.cli.views import view
from ionet.errors import InvalidInput
from ionet.generated.enums import Currency
from ionet.words import parse, word

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from ionet.booking import Booking
    from ionet.client import Client
    from ionet.plan import Plan

app = typer.Typer(help="Budgets, and the leases paid from them.", no_args_is_help=True)
app.command()(status)


class Tables(StrEnum):
    """Which lookup tables a booking may use."""

    OWN = "own"
    MAKE = "make"
    NONE = "none"


Cluster = Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the cluster.")]
Amount = Annotated[str, typer.Argument(help="Amount in the cluster's currency.")]


@app.command(name="list")
def list_clusters(
    ctx: typer.Context,
    renter: Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Only those of this renter.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open clusters, straight from the chain."""
    wanted = {"renter": renter} if renter else {}

    async def work(client: Client) -> list[dict[str, Any]]:
        return [_fields(client, key, cluster) for key, cluster in await client.cluster.all(**wanted)]

    rows = ask(ctx, work)
    columns = ["address", "id", "kind", "deposit", "locked", "paid", "leases_open"]
    print_rows(rows if as_json else [_shown(row, columns) for row in rows], columns, as_json=as_json)


@app.command()
def show(ctx: typer.Context, cluster: Cluster, as_json: AsJson = False) -> None:
    """One cluster with its money and its leases."""

    async def work(client: Client) -> dict[str, Any]:
        key = cluster
        fields = _fields(client, key, await client.cluster.get(key))
        leases = await client.lease.all(cluster=key)
        return {**fields, "leases": [str(lease) for lease, _ in leases]}

    fields = ask(ctx, work)
    print_fields(fields if as_json else _shown(fields, ("address", "renter", "kind")), as_json=as_json)


@transaction(app, name="open")
def open_cluster(
    deposit: Amount,
    currency: Annotated[str, typer.Option(help="IOSD, USDC or IO.")] = "IOSD",
    kind: Annotated[str, typer.Option(help="ray, mega-ray, kubernetes or container.")] = "ray",
    session_key: Annotated[
        Pubkey | None, typer.Option(parser=pubkey, help="Key that may accept, reject, approve and dispute for you.")
    ] = None,
    session_hours: Annotated[str, typer.Option(help="Until the session key expires: 24, or 90m.")] = "24",
    config: Annotated[
        Path | None, typer.Option(help="File whose sha256 is recorded as the wanted configuration.")
    ] = None,
) -> Sending:
    """Open a cluster with a budget."""
    session, lasts = session_key, resolve.hours(session_hours)
    config_hash = file_hash(config) if config else bytes(32)
    parse(Currency, currency, "currency")
    return lambda client: client.cluster.open(
        amount(deposit, currency),
        currency=currency,
        kind=kind,
        session_key=session,
        session_expires_at=int(time.time()) + lasts if session else 0,
        config_hash=config_hash,
    )


@app.command()
def add(
    ctx: typer.Context,
    cluster: Cluster,
    duration: Annotated[str, typer.Option(metavar="DURATION", help="Seconds, or 90m, 1h, 2d.")],
    nodes: Annotated[list[str] | None, typer.Argument(help="Nodes to book.")] = None,
    nodes_from: Annotated[Path | None, typer.Option(help="File with more nodes, one per line; - for stdin.")] = None,
    max_price: Annotated[str | None, typer.Option(help="Dollars per processor-hour that no node may exceed.")] = None,
    tables: Annotated[Tables, typer.Option(help="Lookup tables to use: your own, new ones too, or none.")] = Tables.OWN,
    at_once: Annotated[int, typer.Option(min=1, help="Transactions under way at the same time.")] = 32,
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Book nodes, as many per transaction as fit; unsigned, all must fit into one. Nodes that refuse are left out."""
    limit, seconds = amount(max_price, "dollars") if max_price else None, resolve.duration(duration)
    keys = [pubkey(node) for node in [*(nodes or []), *_lines(nodes_from)]]
    if not keys:
        raise InvalidInput("no node to book")
    if unsigned:
        plan = partial(_booking, cluster, keys, seconds, limit)
        submit(ctx, plan, as_json=as_json, unsigned=True)
        return

    async def work(client: Client) -> None:
        from ionet.booking import BookingStopped, NothingBooked

        found = []
        if tables is not Tables.NONE and len(keys) > 1:
            with counting("lookup tables") as progress:
                make = tables is Tables.MAKE
                found = await client.cluster.tables_for(cluster, keys, make=make, progress=progress)
        try:
            with counting(f"booking {human.count(len(keys), 'node')}") as progress:
                booked = await client.cluster.add_leases(
                    cluster, keys, duration=seconds, max_price=limit, tables=found, at_once=at_once, progress=progress
                )
        except BookingStopped as stopped:
            if not (stopped.booking.leases or stopped.booking.left_out or as_json):
                raise stopped.cause from None
            await _print_booking(client, stopped.booking, as_json=as_json)
            raise
        # Of a single node the reason is the error.
        if booked.leases or len(keys) > 1 or as_json:
            await _print_booking(client, booked, as_json=as_json)
        if not booked.leases:
            reasons = list(booked.left_out.values())
            raise reasons[0] if len(reasons) == 1 else NothingBooked(f"{len(reasons)} were left out", reasons[0])

    run(ctx, work)


@transaction(app)
def session_key(
    cluster: Cluster,
    key: Annotated[Pubkey | None, typer.Argument(parser=pubkey, help="New session key.")] = None,
    hours: Annotated[
        str | None, typer.Option(help="From now until it expires: 24, or 90m; a new key takes over the old one's.")
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the present key's powers away.")] = False,
) -> Sending:
    """Name another session key, let it act for longer, or both; or revoke it."""
    lasts = None if hours is None else resolve.hours(hours)
    if revoke == (key is not None or lasts is not None):
        raise InvalidInput("name a new key, --hours, or both; or only --revoke")
    if revoke:
        return lambda client: client.cluster.set_session_key(cluster, None)
    until = None if lasts is None else int(time.time()) + lasts
    return lambda client: client.cluster.change_session_key(cluster, key=key, expires_at=until)


@transaction(app)
def withdraw(ctx: typer.Context, cluster: Cluster, quantity: Amount) -> Sending:
    """Take back budget that no lease has locked."""
    key = cluster

    async def unit(client: Client) -> str:
        return word(Currency, (await client.cluster.get(key)).currency)

    units = amount(quantity, ask(ctx, unit))
    return lambda client: client.cluster.withdraw_budget(key, units)


@transaction(app, asks=True)
def close(cluster: Cluster) -> Asked:
    """Close a cluster without open leases and take the rest of the budget back."""
    return asking(lambda client: client.cluster.close(cluster), "Close this cluster for good?")


app.command()(stop)


def _shown(fields: dict[str, Any], front: Sequence[str]) -> dict[str, str]:
    """A cluster for people; every name of `front` is there, and comes first. Zeros of its books are shown."""
    shown = view("Cluster", {name: value for name, value in fields.items() if name != "money"}, token=fields["money"])
    books = {name: human.money(int(fields[name]), fields["money"]) for name in ("deposit", "locked", "paid")}
    numbers = {name: str(fields[name]) for name in ("id", "leases_open")}
    shown = {**shown, **books, **numbers}
    return {**{name: shown.get(name, "") for name in front}, **shown}


def _fields(client: Client, key: Pubkey, cluster: Any) -> dict[str, Any]:
    return {**account_fields(client, key, cluster), "money": word(Currency, cluster.currency)}


def _booking(cluster: Pubkey, nodes: list[Pubkey], duration: int, max_price: int | None, client: Client) -> Plan:
    return client.cluster.add_lease(cluster, *nodes, duration=duration, max_price=max_price)


async def _print_booking(client: Client, booking: Booking, *, as_json: bool) -> None:
    """Transactions, leases, and the nodes that were left out with their reasons."""
    receipts = booking.receipts
    if as_json:
        print_json(
            {
                "leases": {str(node): str(lease) for node, lease in booking.leases.items()},
                "left_out": {str(node): str(why) for node, why in booking.left_out.items()},
                "receipts": [receipt_fields(client, receipt) for receipt in receipts],
            }
        )
        return
    if receipts:
        await print_receipts(client, receipts, as_json=False)
    for node, why in booking.left_out.items():
        say(f"left out  {node}  {why}", err=True)
    if not receipts:
        return
    units, fees = sum(receipt.compute_units for receipt in receipts), sum(receipt.fee for receipt in receipts)
    nodes, sent = human.count(len(booking.leases), "node"), human.count(len(receipts), "transaction")
    say(f"{nodes} booked by {sent}, {units} compute units, {fees} lamports")


def _lines(path: Path | None) -> list[str]:
    """The lines of a file that are not empty; of stdin for `-`."""
    if path is None:
        return []
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"cannot read {path}: it is no text") from None
    return [line.strip() for line in text.splitlines() if line.strip()]

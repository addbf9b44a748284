"""`ionet lease receipt`: what a lease cost, interval by interval, and who got it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from solders.pubkey import Pubkey

from ionet.cli import human
from ionet.cli.parsing import pubkey
from ionet.cli.printing import AsJson, print_fields, print_json, print_rows, say, waiting
from ionet.cli.session import run
from ionet.errors import InvalidInput

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.receipt import Bill, Line, Payment


def receipt(
    ctx: typer.Context,
    lease: Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the lease, open or closed.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a line per interval as CSV, in base units.")] = False,
    as_json: AsJson = False,
) -> None:
    """What was served and paid, interval by interval, in which transaction; from the chain's history alone."""
    if as_csv and as_json:
        raise InvalidInput("--csv or --json, not both")

    async def work(client: Client) -> Bill:
        from ionet.receipt import receipt as read

        with waiting("reading the lease's history"):
            return await read(client, lease)

    bill = run(ctx, work, wallet=False)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(bill))
    elif as_csv:
        say(table_of([bill]), end="")
    else:
        print_bill(bill)


def table_of(bills: Sequence[Bill]) -> str:
    """A line per interval, as CSV."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = ("lease", "node", "currency")
    columns = ("interval", "start", "end", "served_secs", "challenge", "amount", "paid_in")
    table.writerow([*names, *columns])
    for bill in bills:
        about = [getattr(bill, name) for name in names]
        for line in bill.lines:
            values = [getattr(line, column) for column in columns]
            table.writerow([*about, *["" if each is None else each for each in values]])
    return text.getvalue()


def print_bill(bill: Bill) -> None:
    """For people: each interval, each payment, and the sums."""

    def money(units: str) -> str:
        return human.money(int(units), bill.currency)

    head = {"lease": bill.lease, "node": bill.node, "cluster": bill.cluster}
    head["price"] = f"{money(bill.price)}/h"
    if bill.processors > 1:
        head["price"] += f" for each of {bill.processors} processors"
    if bill.started_at:
        head["from"], head["to"] = human.moment(bill.started_at), human.moment(bill.ends_at)
    if bill.end_reason:
        head["ended by"] = bill.end_reason
    head["closed"] = human.moment(bill.closed_at) if bill.closed_at else "not yet: more may come"
    print_fields(head, as_json=False)
    if bill.lines:
        say()
        columns = ["interval", "from", "served", "challenge", "amount", "paid in"]
        print_rows([_line(line, money(line.amount)) for line in bill.lines], columns, as_json=False)
    if bill.payments:
        say()
        columns = ["paid in", "at", "for intervals", "unproven", "fees", "burned", "to supplier"]
        print_rows([_payment(payment, bill.currency) for payment in bill.payments], columns, as_json=False)
    say()
    names = {"to supplier": bill.to_supplier, "fees": bill.fees, "burned": bill.burned, "you paid": bill.total}
    print_fields({name: money(units) for name, units in names.items()}, as_json=False)


def _line(line: Line, amount: str) -> dict[str, str]:
    return {
        "interval": str(line.interval),
        "from": human.moment(line.start),
        "served": human.span(line.served_secs),
        "challenge": line.challenge or "",
        "amount": amount,
        "paid in": line.paid_in or "not paid",
    }


def _payment(payment: Payment, currency: str) -> dict[str, str]:
    amounts = {
        "for intervals": int(payment.intervals),
        "unproven": int(payment.price) - int(payment.intervals),
        "fees": int(payment.supplier_fee) + int(payment.renter_fee),
        "burned": int(payment.burned),
        "to supplier": int(payment.supplier_amount) + int(payment.bond),
    }
    shown = {name: human.money(units, currency) for name, units in amounts.items()}
    return {"paid in": payment.transaction, "at": human.moment(payment.at), **shown}

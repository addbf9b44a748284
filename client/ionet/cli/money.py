"""`ionet receipt`, `cost` and `extend`: the money of a cluster, by its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from solders.pubkey import Pubkey

from ionet.cli import human
from ionet.cli.named import Name, names_file, require_chain
from ionet.cli.printing import AsJson, print_fields, print_json, say, waiting
from ionet.cli.session import Preview, Yes, confirm, run
from ionet.errors import InvalidInput

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.receipt import Bill
    from ionet.renting.names import Named

receipt_app = typer.Typer(help="What a cluster has cost.")
cost_app = typer.Typer(help="What a cluster costs.")
extend_app = typer.Typer(help="More time for a cluster.")


@receipt_app.command()
def receipt(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of a cluster, also of one that is over, or its address.")],
    verify: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Compare such a receipt, in JSON, with the chain.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a line per interval as CSV, in base units.")] = False,
    as_json: AsJson = False,
) -> None:
    """What was served and paid, node by node and interval by interval; from the chain's history alone."""
    if as_csv and as_json:
        raise InvalidInput("--csv or --json, not both")
    cluster, named = _found(name)

    async def work(client: Client) -> tuple[list[Bill], int]:
        """With how many leases the cluster has booked."""
        from ionet.renting import bills

        if named is not None:
            require_chain(client, {name: named})
        with waiting("reading the cluster's history"):
            if verify is None:
                made = await bills.bills_of(client, cluster)
                return made, len(made)
            said = bills.saved(verify)
            if any(bill.cluster != str(cluster) for bill in said):
                raise InvalidInput(f"{verify} is of another cluster than {name}")
            return said, await bills.verify(client, cluster, said)

    found, booked = run(ctx, work, wallet=False)
    if verify is not None and not as_json:
        more = "" if booked == len(found) else f"; {booked - len(found)} were booked later, or are left out at the end"
        say(f"{human.count(len(found), 'lease')}, all as the chain has them{more}")
    else:
        _show(found, as_csv=as_csv, as_json=as_json)


def _show(bills: list[Bill], *, as_csv: bool, as_json: bool) -> None:
    from ionet.cli.bill import print_bill, table_of

    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(bills))
        return
    if as_csv:
        say(table_of(bills), end="")
        return
    for bill in bills:
        print_bill(bill)
        say()
    if bills:
        total = sum(int(bill.total) for bill in bills)
        so_far = "" if all(bill.closed_at for bill in bills) else " so far"
        say(f"{human.count(len(bills), 'lease')}, you paid{so_far} {human.money(total, bills[0].currency)}")
    else:
        say("nothing was booked")


@cost_app.command()
def cost(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """What a cluster costs an hour, has cost so far, and can cost at most."""
    named = names_file().get(name)

    async def work(client: Client) -> None:
        from ionet.renting.bills import cost as read

        require_chain(client, {name: named})
        found = await read(client, Pubkey.from_string(named.cluster))
        if as_json:
            import msgspec

            print_json({"name": name, **msgspec.to_builtins(found)})
            return
        amounts = {"settled": found.spent, "at most more": found.locked, "free": found.free}
        shown = {label: human.money(int(units), found.currency) for label, units in amounts.items()}
        hourly = f"{human.money(int(found.hourly), found.currency)} an hour for {human.count(found.nodes, 'node')}"
        ends = {"until": human.moment(found.until)} if found.until else {}
        print_fields({"now": hourly, **shown, **ends}, as_json=False)

    run(ctx, work, wallet=False)


@extend_app.command()
def extend(
    ctx: typer.Context,
    name: Name,
    duration: Annotated[str, typer.Argument(help="How much longer: 30m, 2h.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Add time to every node of a cluster, at the price it was booked at, out of what is free of its budget."""
    from ionet import resolve

    secs, named = resolve.duration(duration), names_file().get(name)
    if secs < 1:
        raise InvalidInput(f"{duration!r} is no time")

    async def work(client: Client) -> None:
        from ionet.renting.longer import BudgetTooSmall, extension

        require_chain(client, {name: named})
        asked = await extension(client, Pubkey.from_string(named.cluster), secs)
        needed, free = human.money(asked.cost, asked.currency), human.money(asked.free, asked.currency)
        if asked.cost > asked.free:
            raise BudgetTooSmall(f"{needed} needed, {free} free; it cannot grow: `ionet run --budget` opens with more")
        lines = (f"{human.count(len(asked.leases), 'node')} for {human.span(secs)} more: {needed} at most",)
        confirm(Preview(lines, "Add it?"), quiet=as_json, yes=yes)
        receipts = await asked.send(client)
        if as_json:
            told = {"name": name, "until": asked.until, "cost": str(asked.cost), "currency": asked.currency}
            print_json({**told, "signatures": [str(each.signature) for each in receipts]})
        else:
            say(f"{name} ends {human.moment(asked.until)}", err=True)

    run(ctx, work)


def _found(text: str) -> tuple[Pubkey, Named | None]:
    """A cluster by its name or address. Raises InvalidInput."""
    names = names_file()
    named = names.all().get(text) or names.past().get(text)
    if named is not None:
        return Pubkey.from_string(named.cluster), named
    try:
        return Pubkey.from_string(text), None
    except ValueError:
        return Pubkey.from_string(names.get(text).cluster), None

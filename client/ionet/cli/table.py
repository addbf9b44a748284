"""`ionet table`: the wallet's address lookup tables, and their rent back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionet.cli.parsing import pubkey
from ionet.cli.printing import AsJson, print_json, print_rows, say, waiting
from ionet.cli.session import ask, run

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="Lookup tables, which fit more nodes into one booking.", no_args_is_help=True)
# Seconds of a slot on a cluster, and between two looks while tables cool, at most.
_SLOT_SECS, _LOOK_SECS = 0.4, 2.0


@app.command(name="list")
def list_tables(ctx: typer.Context, as_json: AsJson = False) -> None:
    """The wallet's tables. `ionet cluster add --tables make` makes them."""

    async def work(client: Client) -> list[dict[str, Any]]:
        found = await client.tables.all()
        return [{"address": str(item.key), "addresses": len(item.addresses), "active": item.active} for item in found]

    print_rows(ask(ctx, work, wallet=True), ["address", "addresses", "active"], as_json=as_json)


@app.command()
def close(
    ctx: typer.Context,
    tables: Annotated[list[str] | None, typer.Argument(help="Tables to close; by default all of the wallet's.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until they are closed, a few minutes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Close tables and get their rent back: deactivates them first; 513 blocks later call it again, or use --wait."""
    given = [pubkey(table) for table in tables or []]

    async def work(client: Client) -> None:
        keys = given or [table.key for table in await client.tables.all()]
        closed: list[str] = []
        while True:
            step = await client.tables.close(keys)
            closed += [str(key) for key in step.closed]
            if not wait or not step.cooling:
                break
            keys = list(step.cooling)
            with waiting("waiting for the tables to cool"):
                await asyncio.sleep(min(max(step.cooling.values()) * _SLOT_SECS, _LOOK_SECS))
        if as_json:
            print_json({"closed": closed, "cooling": {str(key): slots for key, slots in step.cooling.items()}})
            return
        for key in closed:
            say(f"closed   {key}")
        for table, slots in step.cooling.items():
            say(f"cooling  {table}  closes after {slots} slots")

    run(ctx, work)

"""`ionet trace`: from a result's hash to node, time, price and proof, checked against the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionet.cli import human
from ionet.cli.parsing import DECIMALS, file_hash, hash32
from ionet.cli.printing import AsJson, print_fields, print_json, say, waiting
from ionet.cli.session import run

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.trace import Occurrence

app = typer.Typer(help="From a result's hash to node, time, price and proof.")


@app.command()
def trace(
    ctx: typer.Context,
    result: Annotated[str, typer.Argument(help="sha256 of the result in hex; with --file, a file with the result.")],
    api: Annotated[
        str, typer.Option(envvar="IONET_API", help="Address of an indexer's API.")
    ] = "http://127.0.0.1:8080",
    file: Annotated[bool, typer.Option("--file", help="Take RESULT as a file and trace its hash.")] = False,
    everything: Annotated[
        bool,
        typer.Option("--verify", help="Check every field against the chain; reads whole histories over the RPC."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Where a result was computed, what it cost, and whether the chain holds the proof.

    That the result leads to the root and that the chain has the root is always checked; what else the indexer says
    (owner, price, amount, settlement …) only with --verify.
    """
    wanted = file_hash(result) if file else hash32(result)

    async def work(client: Client) -> list[Occurrence]:
        from ionet.trace import fetch, verify
        from ionet.trace_check import Histories, verify_all

        with waiting("tracing"):
            items = await fetch(api, wanted)
            histories = Histories(client)
            for item in items:
                await (verify_all(histories, item, wanted) if everything else verify(client, item, wanted))
        return items

    items = run(ctx, work, wallet=False)
    if as_json:
        import msgspec

        print_json(
            {
                "result_hash": wanted.hex(),
                "verified": True,
                "every_field": everything,
                "items": msgspec.to_builtins(items),
            }
        )
        return
    for item in items:
        print_fields(_summary(item), as_json=False)
        say("")
    what = "every field" if everything else "each"
    say(f"{len(items)} occurrence{'' if len(items) == 1 else 's'}, {what} verified against the chain")


def _summary(item: Occurrence) -> dict[str, Any]:
    known, when = item.currency in DECIMALS, ""
    if item.interval_start is not None and item.interval_end is not None:
        when = f", {human.moment(item.interval_start)} for {human.span(item.interval_end - item.interval_start)}"
    return {
        "node": item.node,
        "owner": item.owner,
        "lease": item.lease,
        "interval": f"{item.interval}{when}",
        "served": human.span(item.proof.served_secs),
        "cost": human.money(int(item.amount), item.currency) if known else item.amount,
        **({"dispute": item.dispute} if item.dispute else {}),
        "proof": item.proof.signature,
        "paid by": item.settlement.signature if item.settlement else "not paid yet",
        "leaf": f"{item.leaf.index} of {item.leaf.count} under {item.leaf.root}",
    }

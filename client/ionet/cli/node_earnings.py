"""`ionet node earnings`: what a node was paid for what."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import msgspec
import typer

from ionet import resolve
from ionet.cli import human
from ionet.cli.node_terms import Node
from ionet.cli.printing import AsJson, print_json, print_rows, say, waiting

_AMOUNTS = ("amount", "supplier_fee", "supplier_amount", "to_stakers")
Api = Annotated[str, typer.Option(envvar="IONET_API", help="URL of an indexer.")]


def earnings(
    node: Node,
    since: Annotated[str, typer.Option(metavar="DURATION", help="How far back, such as 30d.")] = "30d",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for bookkeeping.")] = False,
    api: Api = "http://127.0.0.1:8080",
    as_json: AsJson = False,
) -> None:
    """Settlements of a node's leases, as an indexer tells; each names its transaction."""
    from ionet import earnings as told

    start = max(0, int(time.time()) - resolve.duration(since))
    with waiting("asking the indexer"):
        payments = asyncio.run(told.fetch(api, node, start))
    if as_csv:
        say(told.as_csv(payments), end="")
        return
    if as_json:
        raw = [
            {**msgspec.to_builtins(each), **{name: str(getattr(each, name)) for name in _AMOUNTS}} for each in payments
        ]
        print_json({"sums": {name: str(units) for name, units in told.sums(payments).items()}, "payments": raw})
        return
    rows = [
        {
            "time": human.moment(each.at),
            "lease": each.lease,
            "for": human.span(each.processor_secs),
            "gross": human.money(each.amount, each.currency),
            "fee": human.money(each.supplier_fee, each.currency),
            "net": human.money(each.supplier_amount, each.currency),
            "to stakers": human.money(each.to_stakers, each.currency),
        }
        for each in payments
    ]
    print_rows(rows, ["time", "lease", "for", "gross", "fee", "net", "to stakers"], as_json=False)
    for name, units in told.sums(payments).items():
        say(f"{human.money(units, name)} after fees and stakers in {since}")

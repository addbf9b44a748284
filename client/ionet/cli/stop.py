"""`ionet cluster stop`: ends, settles and closes everything of a cluster, with one question."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet.cli import human
from ionet.cli.parsing import pubkey
from ionet.cli.printing import AsJson, print_json, print_receipts, receipt_fields, say, waiting
from ionet.cli.session import Preview, Yes, confirm, run
from ionet.errors import InvalidInput
from ionet.generated.enums import Currency
from ionet.words import word

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.stopping import Step

# Seconds between two looks, while the dispute window runs.
_LOOK_SECS = 2.0


def stop(
    ctx: typer.Context,
    cluster: Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the cluster.")],
    wait: Annotated[bool, typer.Option(help="Wait until the last lease can be closed.")] = True,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End all leases of a cluster, settle and close them, close the cluster and get the rest of the budget back.

    What served last can be disputed for a while and closes only then; interrupt the wait and call it again as you like.
    """

    async def work(client: Client) -> None:
        from ionet.stopping import stop as wind_up

        found = await client.cluster.get(cluster)
        if found.renter != client.address:
            raise InvalidInput(f"only its renter may, {found.renter}; the keypair in use is {client.address}")
        money, left = word(Currency, found.currency), found.deposit - found.paid - found.fees - found.refunded
        lines = (f"{human.count(found.leases_open, 'lease')} open, {human.money(left, money)} are in the budget",)
        confirm(Preview(lines, "End all of them now and close the cluster for good?"), quiet=as_json, yes=yes)
        receipts, settled = [], set[Pubkey]()
        with waiting("ending, settling and closing"):
            step = await wind_up(client, cluster, settled)
            receipts += step.receipts
            while wait and not step.closed:
                await asyncio.sleep(_LOOK_SECS)
                step = await wind_up(client, cluster, settled)
                receipts += step.receipts
        if as_json:
            print_json({**_left(step), "receipts": [receipt_fields(client, receipt) for receipt in receipts]})
            return
        await print_receipts(client, receipts, as_json=False)
        for lease, why in step.waiting.items():
            say(f"waiting  {lease}  {why}", err=True)
        say("closed" if step.closed else f"not closed yet: `ionet cluster stop {cluster}` goes on", err=not step.closed)

    run(ctx, work)


def _left(step: Step) -> dict[str, Any]:
    return {"closed": step.closed, "waiting": {str(lease): why for lease, why in step.waiting.items()}}

"""`ionet lease`: one node leased by one cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet import resolve
from ionet.cli import human
from ionet.cli.bill import receipt
from ionet.cli.parsing import hash32, pubkey
from ionet.cli.printing import AsJson, account_fields, print_fields, print_receipts, print_rows, waiting
from ionet.cli.session import Asked, Sending, ask, asking, run, transaction
from ionet.cli.views import view
from ionet.errors import InvalidInput
from ionet.generated.enums import Currency, LeaseStatus
from ionet.words import word

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.plan import Receipt

app = typer.Typer(help="One node leased by one cluster.", no_args_is_help=True)

Lease = Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the lease.")]


@app.command(name="list")
def list_leases(
    ctx: typer.Context,
    cluster: Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Only those of this cluster.")] = None,
    node: Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Only those of this node.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open leases, straight from the chain."""
    wanted = {"cluster": cluster} if cluster else {}
    if node:
        wanted["node"] = node

    async def work(client: Client) -> list[dict[str, Any]]:
        return [_fields(client, key, lease) for key, lease in await client.lease.all(**wanted)]

    rows = ask(ctx, work)
    columns = ["address", "node", "state", "price", "duration", "ends_at", "paid"]
    print_rows(rows if as_json else [_shown(row, columns) for row in rows], columns, as_json=as_json)


@app.command()
def show(ctx: typer.Context, lease: Lease, as_json: AsJson = False) -> None:
    """One lease; --json has the parameters that it was booked with, too."""

    async def work(client: Client) -> dict[str, Any]:
        return _fields(client, lease, await client.lease.get(lease))

    fields = ask(ctx, work)
    print_fields(fields if as_json else _shown(fields, ("address", "state", "cluster", "node")), as_json=as_json)


@transaction(app)
def ready(
    lease: Lease,
    device: Annotated[str, typer.Option(help="Keypair file of the machine's own key.")],
    report: Annotated[str, typer.Option(help="Hash of the machine's report, 32 bytes in hex.")] = "00" * 32,
) -> Sending:
    """Report that the node is reserved. Its agent does this by itself."""
    from ionet.wallet import KeypairSigner, read_keypair

    signer = KeypairSigner(read_keypair(device))
    return lambda client: client.lease.mark_ready(lease, signer, hash32(report))


@transaction(app)
def accept(lease: Lease) -> Sending:
    """Start the meter of a ready lease; renter or session key."""
    return lambda client: client.lease.accept_ready(lease)


@transaction(app, asks=True)
def reject(lease: Lease) -> Asked:
    """Refuse a node that says it is ready; renter or session key. The time since then has to be paid."""
    question = "Refuse this node, and pay for the time since it was ready?"
    return asking(lambda client: client.lease.reject_ready(lease), question)


@transaction(app)
def approve(
    lease: Lease,
    through: Annotated[
        int | None, typer.Option(help="First interval not to approve; by default all closed, proven ones are approved.")
    ] = None,
) -> Sending:
    """Let intervals be paid without waiting for the dispute window; renter or session key."""
    return lambda client: client.lease.approve(lease, through)


@transaction(app, asks=True)
def dispute(
    lease: Lease,
    first: Annotated[int, typer.Argument(help="First interval that is disputed.")],
    end: Annotated[int, typer.Argument(help="First interval after those that is not disputed.")],
) -> Asked:
    """Hold the payment of intervals until they are defended; renter or session key. Locks a bond."""
    question = f"Dispute {end - first} intervals? The bond is the supplier's for each that is defended."
    return asking(lambda client: client.lease.dispute(lease, first, end), question)


@app.command()
def proofs(ctx: typer.Context, lease: Lease, as_json: AsJson = False) -> None:
    """Every proof of a lease, oldest first, from the chain's history, checked against the lease's hash chain."""

    async def work(client: Client) -> list[dict[str, Any]]:
        return [
            {
                "interval": proof.interval,
                "served_secs": proof.served_secs,
                "gpu_ms": str(proof.gpu_ms),
                "root": proof.root.hex(),
            }
            for proof in await client.lease.proofs(lease)
        ]

    print_rows(ask(ctx, work), ["interval", "served_secs", "gpu_ms", "root"], as_json=as_json)


@app.command()
def defend(
    ctx: typer.Context,
    lease: Lease,
    interval: Annotated[int, typer.Argument(help="Disputed interval; later ones not yet defended are given up.")],
    signature: Annotated[str, typer.Option(help="The session key's signature over its challenge, 64 bytes in hex.")],
    path: Annotated[list[str] | None, typer.Option(help="Hash on the path of leaf 0, bottom up; repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Defend an interval by its challenge, in as many transactions as it takes; node owner or device key.

    Its agent does this by itself.
    """
    try:
        signed = bytes.fromhex(signature)
    except ValueError:
        signed = b""
    if len(signed) != 64:
        raise InvalidInput("the signature must be 64 bytes in hex")
    siblings = tuple(hash32(text) for text in path or ())

    async def work(client: Client) -> None:
        from ionet.generated.events import DisputeDefended
        from ionet.rules.disputes import Evidence

        receipts: list[Receipt] = []
        with waiting("waiting for the chain"):
            while not receipts or not receipts[-1].event(DisputeDefended).defended:
                receipts.append(await client.lease.defend(lease, interval, Evidence(signed, siblings)))
        await print_receipts(client, receipts, as_json=as_json)

    run(ctx, work)


@transaction(app, asks=True)
def leave(lease: Lease) -> Asked:
    """Leave a lease that is not challenged; costs the pay of its last two intervals. Node owner or device key."""
    question = "Leave this lease, without the pay of its last two intervals?"
    return asking(lambda client: client.lease.leave(lease), question)


@transaction(app)
def extend(
    lease: Lease,
    duration: Annotated[str, typer.Argument(metavar="DURATION", help="What to add: seconds, or 90m, 1h, 2d.")],
) -> Sending:
    """Extend a lease at its locked price."""
    seconds = resolve.duration(duration)
    return lambda client: client.lease.extend(lease, seconds)


@transaction(app, asks=True)
def end(lease: Lease) -> Asked:
    """End a running lease early; renter, or anyone once an outage lasts too long. Of the first hour all is owed."""
    question = "End this lease now? What runs on the node stops."
    return asking(lambda client: client.lease.end(lease), question)


@transaction(app, name="quit", asks=True)
def quit_lease(lease: Lease) -> Asked:
    """Leave a running lease for a charge; node owner."""
    return asking(lambda client: client.lease.quit(lease), "Leave this lease? A part of your stake is taken for it.")


@transaction(app)
def settle(lease: Lease) -> Sending:
    """Pay what is proven and past dispute, or was ready and not answered; anyone may."""
    return lambda client: client.lease.settle(lease)


@transaction(app)
def cancel(lease: Lease) -> Sending:
    """Cancel a lease that was not ready, or not accepted, in time; anyone may."""
    return lambda client: client.lease.cancel(lease)


@transaction(app)
def report_missed(lease: Lease) -> Sending:
    """Charge the node for missed time; anyone may, and a stranger is rewarded."""
    return lambda client: client.lease.report_missed(lease)


@transaction(app)
def close(lease: Lease) -> Sending:
    """Close a lease that is final; anyone may."""
    return lambda client: client.lease.close(lease)


app.command()(receipt)


def _shown(fields: dict[str, Any], front: Sequence[str]) -> dict[str, str]:
    """A lease for people; every name of `front` is there, and comes first."""
    token = word(Currency, fields["currency"])
    shown = {"paid": human.money(int(fields["paid"]), token), **view("Lease", fields, token=token)}
    return {**{name: shown.get(name, "") for name in front}, **shown}


def _fields(client: Client, key: Any, lease: Any) -> dict[str, Any]:
    return {**account_fields(client, key, lease), "state": word(LeaseStatus, lease.status)}

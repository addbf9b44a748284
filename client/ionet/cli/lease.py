"""`ionet lease`: one node leased by one cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionet.cli.context import (
    AsJson,
    AsUnsigned,
    account_fields,
    hash32,
    print_fields,
    print_rows,
    pubkey,
    run,
    submit,
)

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="One node leased by one cluster.", no_args_is_help=True)

STATUS = {1: "booked", 2: "ready", 3: "active", 4: "ended", 5: "cancelled"}

Lease = Annotated[str, typer.Argument(help="Address of the lease.")]


@app.command(name="list")
def list_leases(
    ctx: typer.Context,
    cluster: Annotated[str | None, typer.Option(help="Only of this cluster.")] = None,
    node: Annotated[str | None, typer.Option(help="Only of this node.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open leases, straight from the chain."""
    wanted = {"cluster": pubkey(cluster)} if cluster else {}
    if node:
        wanted["node"] = pubkey(node)

    async def work(client: Client) -> list[dict[str, Any]]:
        return [_fields(client, key, lease) for key, lease in await client.lease.all(**wanted)]

    columns = ["address", "node", "state", "price", "duration", "proof_count", "paid"]
    print_rows(run(ctx, work, wallet=False), columns, as_json=as_json)


@app.command()
def show(ctx: typer.Context, lease: Lease, as_json: AsJson = False) -> None:
    """One lease with its copied parameters and its proofs so far."""

    async def work(client: Client) -> dict[str, Any]:
        return _fields(client, pubkey(lease), await client.lease.get(pubkey(lease)))

    print_fields(run(ctx, work, wallet=False), as_json=as_json)


@app.command()
def ready(
    ctx: typer.Context,
    lease: Lease,
    device: Annotated[str, typer.Option(help="Keypair file of the machine's own key.")],
    report: Annotated[str, typer.Option(help="Hash of the machine's report, 32 bytes in hex.")] = "00" * 32,
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Say that the node runs; what its agent does by itself."""
    from ionet.wallet import KeypairSigner, read_keypair

    signer = KeypairSigner(read_keypair(device))
    submit(
        ctx,
        lambda client: client.lease.mark_ready(pubkey(lease), signer, hash32(report)),
        as_json=as_json,
        unsigned=unsigned,
    )


@app.command()
def accept(ctx: typer.Context, lease: Lease, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Start the meter of a ready lease; renter or session key."""
    submit(ctx, lambda client: client.lease.accept_ready(pubkey(lease)), as_json=as_json, unsigned=unsigned)


@app.command()
def extend(
    ctx: typer.Context,
    lease: Lease,
    seconds: Annotated[int, typer.Argument(help="Seconds to add.")],
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Add time at the locked price."""
    submit(ctx, lambda client: client.lease.extend(pubkey(lease), seconds), as_json=as_json, unsigned=unsigned)


@app.command()
def end(ctx: typer.Context, lease: Lease, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """End a running lease early."""
    submit(ctx, lambda client: client.lease.end(pubkey(lease)), as_json=as_json, unsigned=unsigned)


@app.command(name="quit")
def quit_lease(ctx: typer.Context, lease: Lease, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Leave a running lease for a charge; node owner."""
    submit(ctx, lambda client: client.lease.quit(pubkey(lease)), as_json=as_json, unsigned=unsigned)


@app.command()
def settle(ctx: typer.Context, lease: Lease, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Pay what is proven and past dispute; anyone may."""
    submit(ctx, lambda client: client.lease.settle(pubkey(lease)), as_json=as_json, unsigned=unsigned)


@app.command()
def cancel(ctx: typer.Context, lease: Lease, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Cancel a lease that was not ready, or not accepted, in time; anyone may."""
    submit(ctx, lambda client: client.lease.cancel(pubkey(lease)), as_json=as_json, unsigned=unsigned)


@app.command()
def report_missed(ctx: typer.Context, lease: Lease, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Charge the node for missed time; anyone may, a stranger is rewarded."""
    submit(ctx, lambda client: client.lease.report_missed(pubkey(lease)), as_json=as_json, unsigned=unsigned)


@app.command()
def close(ctx: typer.Context, lease: Lease, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Close a lease about which nothing can change any more; anyone may."""
    submit(ctx, lambda client: client.lease.close(pubkey(lease)), as_json=as_json, unsigned=unsigned)


def _fields(client: Client, key: Any, lease: Any) -> dict[str, Any]:
    return {**account_fields(client, key, lease), "state": STATUS.get(lease.status, str(lease.status))}

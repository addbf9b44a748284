"""`ionet lease`: one node leased by one cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionet.cli.parsing import hash32, pubkey
from ionet.cli.printing import AsJson, account_fields, print_fields, print_receipts, print_rows, waiting
from ionet.cli.session import AsUnsigned, run, submit
from ionet.errors import InvalidInput
from ionet.generated.enums import LeaseStatus
from ionet.words import word

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.plan import Receipt

app = typer.Typer(help="One node leased by one cluster.", no_args_is_help=True)

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
def approve(
    ctx: typer.Context,
    lease: Lease,
    through: Annotated[
        int | None, typer.Option(help="First interval that is not approved; default all that are closed and proven.")
    ] = None,
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Let intervals be paid without waiting for the dispute window; renter or session key."""
    submit(ctx, lambda client: client.lease.approve(pubkey(lease), through), as_json=as_json, unsigned=unsigned)


@app.command()
def dispute(
    ctx: typer.Context,
    lease: Lease,
    first: Annotated[int, typer.Argument(help="First interval that is disputed.")],
    end: Annotated[int, typer.Argument(help="First interval after it that is not.")],
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Hold the payment of intervals until they are defended; renter or session key. Locks a bond."""
    submit(ctx, lambda client: client.lease.dispute(pubkey(lease), first, end), as_json=as_json, unsigned=unsigned)


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
            for proof in await client.lease.proofs(pubkey(lease))
        ]

    print_rows(run(ctx, work, wallet=False), ["interval", "served_secs", "gpu_ms", "root"], as_json=as_json)


@app.command()
def defend(
    ctx: typer.Context,
    lease: Lease,
    interval: Annotated[int, typer.Argument(help="Disputed interval; later ones not defended before are given up.")],
    signature: Annotated[str, typer.Option(help="The session key's signature over its challenge, 64 bytes in hex.")],
    path: Annotated[list[str] | None, typer.Option(help="Hash on the path of leaf 0, repeatable, from below.")] = None,
    as_json: AsJson = False,
) -> None:
    """Defend an interval by its challenge, in as many transactions as it takes; node owner or device key.

    What its agent does by itself.
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
                receipts.append(await client.lease.defend(pubkey(lease), interval, Evidence(signed, siblings)))
        print_receipts(client, receipts, as_json=as_json)

    run(ctx, work)


@app.command()
def leave(ctx: typer.Context, lease: Lease, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Leave a running lease without a charge because no challenge came for two intervals; node owner."""
    submit(ctx, lambda client: client.lease.leave(pubkey(lease)), as_json=as_json, unsigned=unsigned)


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
    return {**account_fields(client, key, lease), "state": word(LeaseStatus, lease.status)}

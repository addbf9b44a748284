"""`ionet node`: machines that can be rented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet.cli import human, node_terms
from ionet.cli.node_terms import Device, Node, read_device
from ionet.cli.parsing import pubkey, tokens
from ionet.cli.printing import AsJson, account_fields, print_fields, print_rows
from ionet.cli.session import Asked, Sending, asking, run, transaction

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="Machines that can be rented.", no_args_is_help=True)


@app.command(name="list")
def list_nodes(
    ctx: typer.Context,
    owner: Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Only those of this owner.")] = None,
    model: Annotated[int | None, typer.Option(help="Only those of this device model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Registered nodes, straight from the chain."""
    wanted: dict[str, Any] = {} if owner is None else {"owner": owner}
    if model is not None:
        wanted["model"] = model

    async def work(client: Client) -> list[dict[str, Any]]:
        return [account_fields(client, key, node) for key, node in await client.node.all(**wanted)]

    columns = ["address", "model", "processors", "price", "country", "flags", "current_lease"]
    print_rows(run(ctx, work, wallet=False), columns, as_json=as_json)


@app.command()
def show(ctx: typer.Context, node: Node, as_json: AsJson = False) -> None:
    """One node with its terms and stake."""

    async def work(client: Client) -> dict[str, Any]:
        found = await client.node.get(node)
        needed = await client.node.required_stake(found.model, found.processors)
        fields = account_fields(client, node, found)
        return {**fields, "required_stake": str(needed), "staked_enough": found.bonded.amount >= needed}

    print_fields(run(ctx, work, wallet=False), as_json=as_json)


@app.command()
def required_stake(ctx: typer.Context, model: int, processors: int, as_json: AsJson = False) -> None:
    """IO that a node of a device model must have bonded."""

    async def work(client: Client) -> dict[str, Any]:
        units = await client.node.required_stake(model, processors)
        return {"model": model, "processors": processors, "io": tokens(units, "IO"), "io_units": str(units)}

    print_fields(run(ctx, work, wallet=False), as_json=as_json)


transaction(app)(node_terms.register)
transaction(app, asks=True)(node_terms.update)


@transaction(app)
def pause(node: Node) -> Sending:
    """Take no new leases; a running one is not affected."""
    return lambda client: client.node.pause(node)


@transaction(app)
def resume(node: Node) -> Sending:
    """Take new leases again."""
    return lambda client: client.node.pause(node, paused=False)


@transaction(app, name="return")
def come_back(node: Node) -> Sending:
    """Say that a node which was not ready in time is there again; node owner or device key. Its agent does this."""
    return lambda client: client.node.come_back(node)


@transaction(app, asks=True)
def lock_payout(
    node: Node,
    beneficiary: Annotated[Pubkey, typer.Argument(parser=pubkey, help="Wallet that is paid, and may end the lock.")],
    until: Annotated[int, typer.Option(help="End of the lock, unix seconds; at most 1,200 days from now.")],
) -> Asked:
    """Pay a node's income to a wallet that alone can end this before its time; node owner."""
    question = f"Pay this node's income to {beneficiary}, which alone can end this before {human.moment(until)}?"
    return asking(lambda client: client.node.lock_payout(node, beneficiary, until), question)


@transaction(app)
def release_payout(node: Node) -> Sending:
    """End the lock of a node's payout; the wallet that it is locked to."""
    return lambda client: client.node.release_payout(node)


@transaction(app)
def rotate_key(node: Node, device: Device) -> Sending:
    """Replace the key that signs readiness and proofs."""
    signer = read_device(device)
    return lambda client: client.node.rotate_device_key(node, signer)


@transaction(app, asks=True)
def retire(node: Node) -> Asked:
    """Leave the market for good; your stake starts to unbond."""
    return asking(lambda client: client.node.retire(node), "Retire this node for good? It can never be rented again.")

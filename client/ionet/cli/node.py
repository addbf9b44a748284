"""`ionet node`: machines that can be rented."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet import resolve
from ionet.cli import human, node_earnings, node_status, node_terms
from ionet.cli.node_terms import Device, Node, read_device
from ionet.cli.parsing import amount, pubkey, tokens
from ionet.cli.printing import AsJson, account_fields, print_fields, print_rows
from ionet.cli.session import Asked, Sending, ask, asking, transaction
from ionet.cli.views import view

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="Machines that can be rented.", no_args_is_help=True)


# What is shown of a node before the rest.
_FIRST = ["address", "state", "model", "processors", "price", "country", "currencies", "bonded", "required_stake"]


class Sort(StrEnum):
    """What a list of nodes is sorted by."""

    PRICE = "price"
    COUNTRY = "country"
    MODEL = "model"
    STATE = "state"


@app.command(name="list")
def list_nodes(
    ctx: typer.Context,
    owner: Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Only those of this owner.")] = None,
    model: Annotated[str | None, typer.Option(help="Only those of this model, e.g. 4090, or its code.")] = None,
    max_price: Annotated[str | None, typer.Option(help="At most this many dollars per processor-hour.")] = None,
    country: Annotated[str | None, typer.Option(help="Only those in this country, e.g. DE.")] = None,
    hireable: Annotated[bool, typer.Option("--hireable", help="Only those that can be booked now.")] = False,
    sort: Annotated[Sort, typer.Option(help="What the list is sorted by.")] = Sort.PRICE,
    as_json: AsJson = False,
) -> None:
    """Registered nodes, straight from the chain: what they cost, and whether they can be booked now."""
    wanted: dict[str, Any] = {} if owner is None else {"owner": owner}
    if country is not None:
        wanted["country"] = resolve.country(country)
    limit = None if max_price is None else amount(max_price, "dollars")

    async def work(client: Client) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        names = await client.network.model_names()
        if model is not None:
            wanted["model"] = resolve.model(model, names)
        found = [item for item in await client.node.all(**wanted) if limit is None or item[1].price <= limit]
        states = await client.node.states([node for _, node in found])
        rows = [(key, node, state) for (key, node), state in zip(found, states, strict=True)]
        rows = [row for row in rows if row[2] == "free" or not hireable]
        rows.sort(key=lambda row: (_by(sort, *row[1:]), row[1].price, str(row[0])))
        raw = [{**account_fields(client, key, node), "state": state} for key, node, state in rows]
        return raw, [_row(view("Node", fields, models=names)) for fields in raw]

    raw, rows = ask(ctx, work)
    columns = ["address", "model", "processors", "price", "country", "currencies", "state"]
    print_rows(raw if as_json else rows, columns, as_json=as_json)


def _by(sort: Sort, node: Any, state: str) -> Any:
    return {"price": node.price, "country": human.country(node.country), "model": node.model, "state": state}[sort]


def _row(shown: dict[str, str]) -> dict[str, str]:
    return {"country": "", "currencies": "", **shown}


@app.command()
def show(ctx: typer.Context, node: Node, as_json: AsJson = False) -> None:
    """One node with its terms and stake."""

    async def work(client: Client) -> tuple[dict[str, Any], dict[str, Any]]:
        found = await client.node.get(node)
        needed = await client.node.required_stake(found.model, found.processors)
        [state] = await client.node.states([found])
        enough = {"required_stake": str(needed), "staked_enough": found.bonded.amount >= needed, "state": state}
        fields = {**account_fields(client, node, found), **enough}
        shown = view("Node", fields, models=await client.network.model_names())
        first = {name: shown[name] for name in _FIRST if name in shown}
        return fields, {**first, **shown}

    fields, shown = ask(ctx, work)
    print_fields(fields if as_json else shown, as_json=as_json)


@app.command()
def required_stake(ctx: typer.Context, model: str, processors: int, as_json: AsJson = False) -> None:
    """IO that a node of a device model (4090, or its code) must have bonded."""

    async def work(client: Client) -> dict[str, Any]:
        code = await client.network.model_code(model)
        units = await client.node.required_stake(code, processors)
        return {"model": code, "processors": processors, "io": tokens(units, "IO"), "io_units": str(units)}

    fields = ask(ctx, work)
    shown = {"stake": human.money(int(fields["io_units"]), "IO"), "for": f"{processors} x {model}"}
    print_fields(fields if as_json else shown, as_json=as_json)


app.command()(node_status.status)
app.command()(node_earnings.earnings)
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
    until: Annotated[str, typer.Option(help="End of the lock: 90d from now, or unix seconds; at most 1,200 days.")],
) -> Asked:
    """Pay a node's income to a wallet that alone can end this before its time; node owner."""
    end = resolve.until(until, int(time.time()))
    question = f"Pay this node's income to {beneficiary}, which alone can end this before {human.moment(end)}?"
    return asking(lambda client: client.node.lock_payout(node, beneficiary, end), question)


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

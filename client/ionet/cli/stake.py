"""`ionet stake`: stake behind nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionet.cli.parsing import amount, pubkey
from ionet.cli.printing import AsJson, account_fields, print_fields, print_rows
from ionet.cli.session import AsUnsigned, run, submit
from ionet.errors import InvalidInput
from ionet.generated.enums import BPS

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="Stake behind nodes.", no_args_is_help=True)

Node = Annotated[str, typer.Argument(help="Address of the node.")]
Io = Annotated[str, typer.Argument(help="Amount of IO.")]
Staker = Annotated[str | None, typer.Option(help="Wallet of the staker; default yours.")]


@app.command(name="list")
def list_positions(
    ctx: typer.Context,
    node: Annotated[str | None, typer.Option(help="Only of this node.")] = None,
    staker: Annotated[str | None, typer.Option(help="Only of this wallet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Stake positions, straight from the chain."""
    wanted = {"node": pubkey(node)} if node else {}
    if staker:
        wanted["staker"] = pubkey(staker)

    async def work(client: Client) -> list[dict[str, Any]]:
        return [account_fields(client, key, position) for key, position in await client.stake.all(**wanted)]

    print_rows(run(ctx, work, wallet=False), ["address", "node", "staker", "shares"], as_json=as_json)


@app.command()
def show(ctx: typer.Context, node: Node, staker: Staker = None, as_json: AsJson = False) -> None:
    """One position with its unbonding tickets."""

    async def work(client: Client) -> dict[str, Any]:
        owner = pubkey(staker) if staker else client.address
        position = await client.stake.get(pubkey(node), owner)
        return account_fields(client, client.stake.address(pubkey(node), owner), position)

    print_fields(run(ctx, work, wallet=staker is None), as_json=as_json)


@app.command()
def add(ctx: typer.Context, node: Node, io: Io, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Bond IO to a node: your own, or one whose owner shares rewards. While a case runs, yours is kept as a refill."""
    units = amount(io, "IO")
    submit(ctx, lambda client: client.stake.add(pubkey(node), units), as_json=as_json, unsigned=unsigned)


@app.command()
def unbond(ctx: typer.Context, node: Node, io: Io, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Start the cooldown of stake; more than is bonded means all of it."""
    units = amount(io, "IO")
    submit(ctx, lambda client: client.stake.request_unbond(pubkey(node), units), as_json=as_json, unsigned=unsigned)


@app.command()
def withdraw(
    ctx: typer.Context, node: Node, staker: Staker = None, as_json: AsJson = False, unsigned: AsUnsigned = False
) -> None:
    """Pay out what has matured; anyone may push it for a staker."""
    owner = pubkey(staker) if staker else None
    submit(ctx, lambda client: client.stake.withdraw(pubkey(node), owner), as_json=as_json, unsigned=unsigned)


@app.command()
def refill(ctx: typer.Context, node: Node, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Turn what you added while a case had your node frozen into stake."""
    submit(ctx, lambda client: client.stake.add(pubkey(node), 0), as_json=as_json, unsigned=unsigned)


@app.command()
def push_unbond(
    ctx: typer.Context,
    node: Node,
    staker: Annotated[str, typer.Argument(help="Wallet of the staker.")],
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Start the cooldown of everything a staker has on a retired node; anyone may."""
    submit(
        ctx,
        lambda client: client.stake.push_unbond(pubkey(node), pubkey(staker)),
        as_json=as_json,
        unsigned=unsigned,
    )


@app.command()
def terms(
    ctx: typer.Context,
    node: Node,
    share: Annotated[int, typer.Argument(help="Co-stakers' part of their rewards, basis points; 0 admits none.")],
    as_json: AsJson = False,
    unsigned: AsUnsigned = False,
) -> None:
    """Set what co-stakers get; node owner. A smaller part binds after a notice only."""
    if not 0 <= share <= BPS:
        raise InvalidInput(f"{share} is no number of basis points")
    submit(ctx, lambda client: client.stake.set_terms(pubkey(node), share), as_json=as_json, unsigned=unsigned)


@app.command()
def fund(ctx: typer.Context, node: Node, io: Io, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Give IO to a node's stakers as a reward; anyone may."""
    units = amount(io, "IO")
    submit(ctx, lambda client: client.stake.fund_rewards(pubkey(node), units), as_json=as_json, unsigned=unsigned)


@app.command()
def claim(
    ctx: typer.Context, node: Node, staker: Staker = None, as_json: AsJson = False, unsigned: AsUnsigned = False
) -> None:
    """Pay out rewards; anyone may push them for a staker."""
    owner = pubkey(staker) if staker else None
    submit(ctx, lambda client: client.stake.claim_rewards(pubkey(node), owner), as_json=as_json, unsigned=unsigned)


@app.command()
def close_vault(ctx: typer.Context, node: Node, as_json: AsJson = False, unsigned: AsUnsigned = False) -> None:
    """Close the vault of a retired node to which nobody has a claim any more; anyone may."""
    submit(ctx, lambda client: client.stake.close_vault(pubkey(node)), as_json=as_json, unsigned=unsigned)

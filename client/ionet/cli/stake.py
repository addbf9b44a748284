"""`ionet stake`: stake behind nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet import resolve
from ionet.cli import human
from ionet.cli.parsing import amount, pubkey
from ionet.cli.printing import AsJson, account_fields, print_fields, print_rows
from ionet.cli.session import Asked, Preview, Sending, run, transaction
from ionet.errors import InvalidInput

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="Stake behind nodes.", no_args_is_help=True)

Node = Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the node.")]
Io = Annotated[str, typer.Argument(help="Amount of IO.")]
Token = Annotated[str, typer.Argument(help="IOSD, USDC or IO.")]
Staker = Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Wallet of the staker; by default yours.")]


@app.command(name="list")
def list_positions(
    ctx: typer.Context,
    node: Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Only those of this node.")] = None,
    staker: Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Only those of this wallet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Stake positions, straight from the chain."""
    wanted = {"node": node} if node else {}
    if staker:
        wanted["staker"] = staker

    async def work(client: Client) -> list[dict[str, Any]]:
        return [account_fields(client, key, position) for key, position in await client.stake.all(**wanted)]

    print_rows(run(ctx, work, wallet=False), ["address", "node", "staker", "shares"], as_json=as_json)


@app.command()
def show(ctx: typer.Context, node: Node, staker: Staker = None, as_json: AsJson = False) -> None:
    """One position with its unbonding tickets."""

    async def work(client: Client) -> dict[str, Any]:
        owner = staker or client.address
        position = await client.stake.get(node, owner)
        return account_fields(client, client.stake.address(node, owner), position)

    print_fields(run(ctx, work, wallet=staker is None), as_json=as_json)


@transaction(app)
def add(node: Node, io: Io) -> Sending:
    """Bond IO to a node: yours, or one whose owner shares with stakers. During a case, yours is kept as a refill."""
    units = amount(io, "IO")
    return lambda client: client.stake.add(node, units)


@transaction(app)
def unbond(node: Node, io: Io) -> Sending:
    """Start the cooldown of stake; more than is bonded means all of it."""
    units = amount(io, "IO")
    return lambda client: client.stake.request_unbond(node, units)


@transaction(app)
def withdraw(node: Node, staker: Staker = None) -> Sending:
    """Pay out what has matured; anyone may push it for a staker."""
    owner = staker
    return lambda client: client.stake.withdraw(node, owner)


@transaction(app)
def refill(node: Node) -> Sending:
    """Turn what you added while a case froze your node into stake."""
    return lambda client: client.stake.add(node, 0)


@transaction(app)
def push_unbond(
    node: Node, staker: Annotated[Pubkey, typer.Argument(parser=pubkey, help="Wallet of the staker.")]
) -> Sending:
    """Start the cooldown of everything a staker has on a retired node; anyone may."""
    return lambda client: client.stake.push_unbond(node, staker)


@transaction(app)
def terms(
    node: Node,
    share: Annotated[
        str | None, typer.Argument(help="Co-stakers' share of their stake's rewards: 30%, or basis points.")
    ] = None,
    income: Annotated[
        str | None, typer.Option(help="All stake's share of leases' income: 30%, or basis points.")
    ] = None,
) -> Asked:
    """Set what co-stakers get, each only if named; node owner. With both at 0 nobody can join; less takes a notice."""
    named = {"share": share and resolve.share(share), "income": income and resolve.share(income)}
    if share is None and income is None:
        raise InvalidInput("nothing to change: name the share of rewards, --income, or both")

    async def look(client: Client) -> Preview:
        from ionet.api.stake import agreed_terms

        agreed = dict(zip(named, agreed_terms(await client.node.get(node)), strict=True))
        changes = {name: value for name, value in named.items() if isinstance(value, int)}
        lines = [f"{name}: {human.percent(agreed[name])} → {human.percent(value)}" for name, value in changes.items()]
        return Preview(tuple(lines))

    bps = [value if isinstance(value, int) else None for value in named.values()]
    return Asked(lambda client: client.stake.set_terms(node, *bps), look)


@transaction(app)
def open_income(node: Node, token: Token) -> Sending:
    """Create a node's income vault of one currency, without which no income in it is shared; anyone may."""
    return lambda client: client.stake.open_income_vault(node, token)


@transaction(app)
def claim_income(node: Node, token: Token, staker: Staker = None) -> Sending:
    """Pay out a co-staker's part of leases' income in one currency; anyone may push it for a staker."""
    owner = staker
    return lambda client: client.stake.claim_income(node, token, owner)


@transaction(app)
def close_income(node: Node, token: Token) -> Sending:
    """Close a retired node's income vault once nobody has a claim on it; anyone may."""
    return lambda client: client.stake.close_income_vault(node, token)


@transaction(app)
def fund(node: Node, io: Io) -> Sending:
    """Give IO to a node's stakers as a reward; anyone may."""
    units = amount(io, "IO")
    return lambda client: client.stake.fund_rewards(node, units)


@transaction(app)
def claim(node: Node, staker: Staker = None) -> Sending:
    """Pay out rewards; anyone may push them for a staker."""
    owner = staker
    return lambda client: client.stake.claim_rewards(node, owner)


@transaction(app)
def close_vault(node: Node) -> Sending:
    """Close a retired node's vault once nobody has a claim on it; anyone may."""
    return lambda client: client.stake.close_vault(node)

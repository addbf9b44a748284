"""`ionet stake`: stake behind nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from solders.pubkey import Pubkey

from ionet import resolve
from ionet.cli import human, stake_nodes
from ionet.cli.parsing import amount, pubkey
from ionet.cli.printing import AsJson, account_fields, print_fields, print_rows
from ionet.cli.session import Asked, Preview, Sending, ask, asking, transaction
from ionet.errors import InvalidInput
from ionet.generated.accounts import Node as NodeAccount
from ionet.generated.enums import BPS, Currency
from ionet.words import parse

if TYPE_CHECKING:
    from ionet.client import Client

app = typer.Typer(help="Stake behind nodes.", no_args_is_help=True)

Node = Annotated[Pubkey, typer.Argument(parser=pubkey, help="Address of the node.")]
Io = Annotated[str, typer.Argument(help="Amount of IO.")]
Token = Annotated[str, typer.Argument(help="IOSD, USDC or IO.")]
Staker = Annotated[Pubkey | None, typer.Option(parser=pubkey, help="Wallet of the staker; by default yours.")]

app.command()(stake_nodes.nodes)


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

    async def work(client: Client) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        from ionet.api.stake import worth_of

        positions = await client.stake.all(**wanted)
        nodes = await client.fetch_many(NodeAccount, [position.node for _, position in positions])
        raw, rows = [], []
        for (key, position), of in zip(positions, nodes, strict=True):
            if of is None:
                continue
            worth = worth_of(of, position)
            raw.append({**account_fields(client, key, position), "worth": str(worth.bonded)})
            amounts = {"stake": worth.bonded, "leaving": worth.leaving, "rewards": worth.rewards}
            people = {"address": str(key), "node": str(position.node), "staker": str(position.staker)}
            rows.append({**people, **{name: human.money(units, "IO") for name, units in amounts.items()}})
        return raw, rows

    raw, rows = ask(ctx, work)
    print_rows(raw if as_json else rows, ["address", "node", "staker", "stake", "leaving", "rewards"], as_json=as_json)


@app.command()
def show(ctx: typer.Context, node: Node, staker: Staker = None, as_json: AsJson = False) -> None:
    """What one stake is worth, what waits to be claimed, and what comes out when."""

    async def work(client: Client) -> tuple[dict[str, Any], dict[str, Any]]:
        from ionet.api.stake import worth_of

        owner = staker or client.address
        position, of = await client.stake.get(node, owner), await client.node.get(node)
        now, worth = await client.rpc.unix_time(), worth_of(of, position)
        key = client.stake.address(node, owner)
        exits = [{"io_units": str(exit.amount), "at": exit.at, "why": exit.why} for exit in worth.exits(now)]
        income = {name: str(units) for name, units in worth.income.items()}
        extra = {"worth": str(worth.bonded), "leaving": str(worth.leaving), "claimable": str(worth.rewards)}
        raw = {**account_fields(client, key, position), **extra, "claimable_income": income, "exits": exits}
        shown = {"address": str(key), "node": str(node), "staker": str(owner), "stake": human.money(worth.bonded, "IO")}
        if of.bonded.amount:
            shown["share of node"] = f"{human.percent(worth.bonded * BPS // of.bonded.amount)} of " + human.money(
                of.bonded.amount, "IO"
            )
        if worth.rewards:
            shown["rewards"] = f"{human.money(worth.rewards, 'IO')}: `ionet stake claim {node}`"
        for name, units in worth.income.items():
            shown[f"income {name}"] = f"{human.money(units, name)}: `ionet stake claim-income {node} {name}`"
        for number, exit in enumerate(worth.exits(now), 1):
            when = "now: `ionet stake withdraw`" if exit.at <= now else f"on {human.moment(exit.at, now)}"
            shown[f"leaving {number}"] = f"you get {human.money(exit.amount, 'IO')} {when}; {exit.why}"
        return raw, shown

    raw, shown = ask(ctx, work, wallet=staker is None)
    print_fields(raw if as_json else shown, as_json=as_json)


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
    parse(Currency, token, "currency")
    return lambda client: client.stake.close_income_vault(node, token)


@transaction(app, asks=True)
def fund(node: Node, io: Io) -> Asked:
    """Give IO to a node's stakers as a reward; anyone may."""
    units = amount(io, "IO")
    question = f"Give {human.money(units, 'IO')} to this node's stakers? It does not come back."
    return asking(lambda client: client.stake.fund_rewards(node, units), question)


@transaction(app)
def claim(node: Node, staker: Staker = None) -> Sending:
    """Pay out rewards; anyone may push them for a staker."""
    owner = staker
    return lambda client: client.stake.claim_rewards(node, owner)


@transaction(app)
def close_vault(node: Node) -> Sending:
    """Close a retired node's vault once nobody has a claim on it; anyone may."""
    return lambda client: client.stake.close_vault(node)

"""`ionet status`, `exec` and `down`: clusters by the names that `ionet run` gave them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from solders.pubkey import Pubkey

from ionet.cli import human
from ionet.cli.printing import AsJson, print_json, print_rows, printable, say
from ionet.cli.profiles import config_file
from ionet.cli.session import Preview, Yes, ask, confirm, connect, run, settings
from ionet.errors import InvalidInput

if TYPE_CHECKING:
    from ionet.agent_api import AgentClient
    from ionet.client import Client
    from ionet.renting.names import Named, Names

API, LAUNCHER = "http://127.0.0.1:8080", "http://127.0.0.1:8081"
Api = Annotated[str, typer.Option(envvar="IONET_API", help="URL of the indexer's API.")]
LauncherAt = Annotated[str, typer.Option(envvar="IONET_LAUNCHER", help="URL of the launcher's API.")]
Name = Annotated[str, typer.Argument(help="Name of a cluster.")]

status_app = typer.Typer(help="Your clusters.")
exec_app = typer.Typer(help="Run a command in a cluster.")
down_app = typer.Typer(help="End a cluster.")


def default_file() -> Path:
    return config_file().with_name("clusters.json")


def names_file() -> Names:
    from ionet.renting.names import Names

    return Names(default_file())


def tell(text: str) -> None:
    say(printable(text), err=True)


@status_app.command()
def status(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One of them; all by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Your clusters by name: phase, money, and when they end."""
    from ionet.cli.idle import start_watching
    from ionet.cli.own_launcher import launcher_of

    known, wallet = names_file(), settings(ctx).keypair
    wanted = known.all() if name is None else {name: known.get(name)}

    async def work(client: Client) -> list[dict[str, Any]]:
        require_chain(client, wanted)
        places = {each: launcher_of(ctx, named) for each, named in wanted.items()}
        rows = (_row(client, wallet, each, named, places[each]) for each, named in wanted.items())
        return list(await asyncio.gather(*rows))

    rows = ask(ctx, work) if wanted else []
    start_watching(ctx)
    if as_json:
        print_json(rows)
        return
    columns = ["name", "phase", "nodes", "spent", "locked", "free", "idle", "ends", "trouble", "cluster"]
    print_rows([{**dict.fromkeys(columns, ""), **row} for row in rows], columns, as_json=False)


@exec_app.command(name="exec")
def execute(
    ctx: typer.Context,
    name: Name,
    command: Annotated[list[str], typer.Argument(help="Beside the cluster's head, after --.")],
) -> None:
    """Run a command beside the head, where the last job runs, and follow its output; the exit code is the command's."""
    from ionet.renting import rental
    from ionet.renting.task import Task, commands_of

    named = names_file().get(name)
    commands = commands_of(Task(), command)

    async def work(agent: AgentClient) -> int:
        return await rental.execute(agent, commands, lambda text: say(text, end=""))

    raise typer.Exit(beside_head(ctx, name, named, work))


@down_app.command()
def down(
    ctx: typer.Context,
    name: Name,
    wait: Annotated[bool, typer.Option(help="Wait until the last lease can be closed.")] = True,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End, settle and close everything of a cluster, and get the rest of the budget back."""
    known = names_file()
    named = known.get(name)
    confirm(Preview((), f"End {name} for good?"), quiet=True, yes=yes)

    async def work(client: Client) -> None:
        require_chain(client, {name: named})
        bill = await settle(client, known, name, named, wait=wait)
        if as_json:
            amounts = {label: str(units) for label, units in bill.amounts.items()} if bill else {}
            told = {"name": name, "cluster": named.cluster, "closed": name not in known.all()}
            print_json({**told, "currency": bill.currency if bill else None, **amounts})

    run(ctx, work)


class Bill(NamedTuple):
    """What a closed cluster came to. amounts: base units of deposit, paid, fees, refunded."""

    currency: str
    amounts: dict[str, int]


async def settle(client: Client, known: Names, name: str, named: Named, *, wait: bool) -> Bill | None:
    """End a cluster and say what it cost; its name is free again once it is closed. None while that is not known."""
    from ionet.renting.rental import end

    cluster = Pubkey.from_string(named.cluster)
    step = await end(client, cluster, tell, wait=wait)
    if not step.closed:
        say(f"not closed yet: `ionet down {name}` goes on", err=True)
        return None
    known.close(name)
    bill = await _bill(client, cluster)
    said = f"{name} is closed"
    if bill is not None:
        budget, *rest = (human.money(units, bill.currency) for units in bill.amounts.values())
        parts = ", ".join(f"{each} {what}" for each, what in zip(rest, ("paid", "fees", "back"), strict=True))
        said += f": {budget} budget, {parts}"
    say(said, err=True)
    return bill


def beside_head(ctx: typer.Context, name: str, named: Named, work: Callable[[AgentClient], Awaitable[int]]) -> int:
    """What `work` returns, done with the agent of the cluster's head."""
    from ionet.renting.rental import head_of
    from ionet.wallet import read_keypair

    async def doing() -> int:
        async with connect(ctx, wallet=False) as client:
            require_chain(client, {name: named})
            wallet, cluster = read_keypair(settings(ctx).keypair), Pubkey.from_string(named.cluster)
            async with head_of(client, wallet, cluster, named.api) as agent:
                return await work(agent)

    return asyncio.run(doing())


async def printed(follow: Callable[[Callable[[str], None]], Awaitable[int]], to: Path) -> int:
    """Print what a job prints, and write its results below `to`; returns its exit code."""
    from ionet.renting.bundle import Output

    output = Output()

    def show(text: str) -> None:
        say(output.feed(text), end="")
        sys.stdout.flush()

    code = await follow(show)
    say(output.end(), end="")
    for path in output.unpack(to):
        say(f"fetched  {path}", err=True)
    return code


async def _row(client: Client, wallet: str, name: str, named: Named, place: str) -> dict[str, Any]:
    from ionet.errors import IonetError
    from ionet.generated.accounts import Cluster
    from ionet.generated.enums import Currency
    from ionet.launcher_api import LauncherClient
    from ionet.renting.watch import troubles
    from ionet.words import word

    key = Pubkey.from_string(named.cluster)
    cluster = await client.find(Cluster, key)
    row: dict[str, Any] = {"name": name, "cluster": named.cluster, "phase": "closed"}
    if cluster is None:
        return row
    try:
        async with LauncherClient(place) as launcher:
            told = await launcher.cluster(key)
        row |= {"phase": told.phase, "trouble": "; ".join(troubles(told))}
    except IonetError as error:
        row["phase"] = f"unknown: {error}"
    leases = await client.lease.all(cluster=key)
    money = word(Currency, cluster.currency)
    free = cluster.deposit - cluster.paid - cluster.fees - cluster.refunded - cluster.locked
    amounts = {"spent": cluster.paid + cluster.fees, "locked": cluster.locked, "free": free}
    if named.idle:
        row["idle"] = await _idle(client, wallet, named)
    row |= {label: human.money(units, money) for label, units in amounts.items()}
    ends = max((lease.ends_at for _, lease in leases), default=0)
    return row | {"nodes": len(leases), "ends": human.moment(ends) if ends else ""}


async def _idle(client: Client, wallet: str, named: Named) -> str:
    """When it ends because nobody uses it."""
    from ionet.errors import IonetError
    from ionet.renting.idle import idle_secs
    from ionet.wallet import read_keypair

    try:
        idle = await idle_secs(client, read_keypair(wallet), named)
    except IonetError as error:
        return f"unknown: {error}"
    if idle is None:
        return ""
    return f"ends in {human.span(max(int(named.idle - idle), 0))}" if idle else f"in use; {human.span(named.idle)}"


async def _bill(client: Client, cluster: Pubkey) -> Bill | None:
    from ionet.generated.enums import Currency
    from ionet.generated.events import ClusterClosed, ClusterOpened
    from ionet.words import word

    found = await client.recent_events(cluster, 256)
    closed = next((event for event in found if isinstance(event, ClusterClosed)), None)
    opened = next((event for event in found if isinstance(event, ClusterOpened)), None)
    if closed is None or opened is None:
        return None
    amounts = {name: getattr(closed, name) for name in ("deposit", "paid", "fees", "refunded")}
    return Bill(word(Currency, opened.currency), amounts)


def require_chain(client: Client, wanted: dict[str, Named]) -> None:
    """Raises InvalidInput where a cluster is on another chain than the one in use."""
    for name, named in wanted.items():
        if named.url != client.rpc.url:
            raise InvalidInput(f"{name} is on the chain at {named.url}: say --url {named.url}")

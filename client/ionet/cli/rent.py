"""`ionet run`: from a job to its results and the bill, in one command."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from solders.pubkey import Pubkey

from ionet import resolve
from ionet.cli import human
from ionet.cli.idle import start_watching
from ionet.cli.named import API, LAUNCHER, Api, LauncherAt, names_file, printed, require_chain, settle, tell
from ionet.cli.own_launcher import launcher_of, url_of
from ionet.cli.parsing import amount
from ionet.cli.printing import say, waiting
from ionet.cli.quoted import NAMED_NODES, print_found, print_hired, print_quote
from ionet.cli.session import Preview, Yes, confirm, connect, settings
from ionet.errors import ChainRefused, InvalidInput, NotConfirmed, TransactionExpired

if TYPE_CHECKING:
    from ionet.client import Client
    from ionet.quote import Quote
    from ionet.renting.bundle import Job
    from ionet.renting.names import Named
    from ionet.renting.task import Task

app = typer.Typer(help="Rent nodes, run a job on them, get its results, end.")
_INTERRUPTED = 130
# A transaction that opens a cluster has landed or expired by then.
_OPENED_SECS = 180


@app.command()
def run(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[TASK.yaml] [-- JOB]", help="A task, a job, or both.")
    ] = None,
    gpu: Annotated[str | None, typer.Option(help="Model and number of each node: H100:8, 4090.")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="How many nodes; 1 by default.")] = None,
    max_price: Annotated[str | None, typer.Option(help="Dollars per processor-hour that no node may exceed.")] = None,
    country: Annotated[str | None, typer.Option(help="Where: DE, or DE,FR.")] = None,
    hours: Annotated[str | None, typer.Option(help="For how long at most: 2, or 90m; 1 by default.")] = None,
    min_score: Annotated[float | None, typer.Option(min=0, max=1, help="Least reputation, 0 to 1.")] = None,
    isolation: Annotated[str | None, typer.Option(help="Weakest isolation that will do, such as bubblewrap.")] = None,
    gpu_memory: Annotated[str | None, typer.Option(help="Least memory of each GPU, in GB: 24.")] = None,
    max_latency: Annotated[float | None, typer.Option(help="Milliseconds there and back, measured from here.")] = None,
    currency: Annotated[str | None, typer.Option(help="IOSD, the default, or USDC.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the cluster; one that runs is used again.")] = None,
    workdir: Annotated[Path | None, typer.Option(help="Folder that goes with the job.")] = None,
    results: Annotated[list[str] | None, typer.Option(help="Pattern of files to fetch; may be repeated.")] = None,
    to: Annotated[Path, typer.Option(help="Folder for what is fetched.")] = Path("ionet-results"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cluster running for another run.")] = False,
    budget: Annotated[
        str | None, typer.Option(help="Tokens to lock, more than the price, for `ionet extend`; the rest comes back.")
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Leave job and cluster running; `ionet logs -f` follows.")
    ] = False,
    idle: Annotated[
        str | None, typer.Option(help="End the cluster once nobody has used it for 10m: no job, no connection.")
    ] = None,
    alert_at: Annotated[
        str | None, typer.Option(help="Percentages of the budget at which to tell; with --budget 50,80,100.")
    ] = None,
    alert_url: Annotated[
        str | None, typer.Option(help="URL that is told of these as well, in JSON, also when nobody looks.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Search and quote only.")] = False,
    yes: Yes = False,
    api: Api = API,
    launcher: LauncherAt = LAUNCHER,
    launcher_key: Annotated[
        str | None, typer.Option(help="Session key that the launcher must have; by default the profile's.")
    ] = None,
    own_launcher: Annotated[
        bool, typer.Option("--own-launcher", help="Run the cluster from this machine, without anybody's launcher.")
    ] = False,
    max_launcher_fee: Annotated[
        str | None, typer.Option(help="SOL that the launcher may take; with --yes none unless this says so.")
    ] = None,
) -> None:
    """Find nodes, show what they cost, book them, run the job, fetch its results, end, and say what it cost.

    All of the budget is locked; what is not served comes back. The exit code is the job's.
    """
    from ionet.renting.names import OWN, require_name

    path, job = _split(words or [])
    resources = {"accelerators": gpu, "country": country, "max_price": max_price, "min_score": min_score}
    resources |= {"isolation": isolation, "currency": currency, "gpu_memory": gpu_memory, "max_latency": max_latency}
    more = {
        "num_nodes": nodes,
        "hours": hours,
        "workdir": None if workdir is None else str(workdir),
        "results": results,
    }
    task = _task(path, resources, more)
    called = name or task.name or f"run-{secrets.token_hex(3)}"
    require_name(called)
    rent = _Rent(
        ctx,
        task,
        job,
        called,
        to,
        api,
        Launching(
            OWN if own_launcher else launcher,
            launcher_key or settings(ctx).launcher_key,
            _most_fee(max_launcher_fee, yes=yes),
        ),
        budget=budget,
        alerts=_alerts(alert_at, alert_url, budget),
        idle=idle,
        keep=keep,
        detach=detach,
        explain=explain,
        yes=yes,
    )
    try:
        code = asyncio.run(rent.run())
    except KeyboardInterrupt:
        raise typer.Exit(rent.interrupted()) from None
    raise typer.Exit(code)


class Launching(NamedTuple):
    """Who is to run the cluster. key: the session key that it must have. most_fee: lamports that it may take."""

    url: str
    key: str | None
    most_fee: int | None


class _Rent:
    """One call of the command."""

    def __init__(
        self,
        ctx: typer.Context,
        task: Task,
        job: Sequence[str],
        name: str,
        to: Path,
        api: str,
        launching: Launching,
        *,
        budget: str | None,
        alerts: tuple[tuple[int, ...], str],
        idle: str | None,
        keep: bool,
        detach: bool,
        explain: bool,
        yes: bool,
    ) -> None:
        self._ctx, self._task, self._job, self._name, self._to = ctx, task, job, name, to
        self._api, self._launching = api, launching
        self._keep, self._detach, self._explain, self._yes = keep, detach, explain, yes
        self._budget, self._alerts, self._begun = budget, alerts, False
        self._idle = None if idle is None else resolve.duration(idle)
        self._names = names_file()

    async def run(self) -> int:
        """The job's exit code."""
        job = None if self._explain else self._packed()  # before anything is paid
        async with connect(self._ctx) as client:
            used = await self._used(client)
            if used is None:
                named = await self._rented(client)
            else:
                named = used
            if named is None or job is None:
                return 0
            if self._idle is not None:
                self._names.keep_idle(self._name, self._idle)
            code = await self._through(client, named, job)
            if self._detach:
                say(f"its job is {job.name}: `ionet logs -f {self._name}`", err=True)
            if used is not None or self._keep or self._detach:
                say(f"{self._name} goes on: `ionet run --name {self._name}`, `ionet down {self._name}`", err=True)
                start_watching(self._ctx)
            else:
                await settle(client, self._names, self._name, named, wait=True)
            return code

    def _packed(self) -> Job:
        from ionet.renting.bundle import job
        from ionet.renting.task import commands_of, with_script

        task, words = with_script(self._task, self._job)
        workdir = None if task.workdir is None else Path(task.workdir).expanduser()
        envs = {key: "" if value is None else str(value) for key, value in task.envs.items()}
        commands = commands_of(task, words)
        return job(commands, workdir, task.file_mounts, envs, task.results, wait=not self._detach)

    async def _used(self, client: Client) -> Named | None:
        """The cluster of this name, if it is there. Raises InvalidInput where it has no nodes."""
        from ionet.renting.rental import is_open

        for name, named in self._names.all().items():
            # Its command died before the cluster was there, or others closed it.
            gone = named.url == client.rpc.url and time.time() - named.at > _OPENED_SECS
            if gone and not await is_open(client, Pubkey.from_string(named.cluster)):
                self._names.close(name)
        used = self._names.all().get(self._name)
        if used is not None:
            require_chain(client, {self._name: used})
            if not await client.lease.all(cluster=Pubkey.from_string(used.cluster)):
                raise InvalidInput(f"{self._name} has no nodes: `ionet down {self._name}` ends it")
        return used

    async def _rented(self, client: Client) -> Named | None:
        """Search, ask, pay, book. None where only an explanation was asked for."""
        from ionet import distance
        from ionet.launcher_api import LauncherClient
        from ionet.node_search import search
        from ionet.quote import quote
        from ionet.renting import rental
        from ionet.renting.hiring import hire
        from ionet.renting.names import Named
        from ionet.renting.task import wish_of

        wish = wish_of(self._task, await client.network.model_names())
        with waiting("looking for nodes"):
            found = await search(self._api, wish)
        print_found(found, wish)
        if len(found.candidates) < wish.nodes:
            raise rental.NotEnoughNodes(f"{len(found.candidates)} of {wish.nodes}")
        chosen = found.candidates[: wish.nodes]
        nodes = [Pubkey.from_string(node.node) for node in chosen]
        made = await quote(client, nodes, wish.secs, wish.currency)
        with waiting("measuring how far they are"):
            ways = await distance.measure(self._api, nodes[:NAMED_NODES])
        deposit = self._deposit(made)
        print_quote(chosen, made, ways, deposit)
        wanted = self._launching
        async with LauncherClient(url_of(self._ctx, wanted.url, self._api)) as launcher:  # before anything is paid
            hired = await hire(client, launcher, wish.nodes, key=wanted.key, most_fee=wanted.most_fee)
        print_hired(hired)
        if self._explain:
            return None
        missing = burned = 0
        if made.currency == "IOSD":
            missing, burned = await rental.missing_iosd(client, deposit)
        lines = (f"{human.money(missing, 'IOSD')} are missing: {human.money(burned, 'IO')} are burned for them",)
        confirm(Preview(lines if missing else (), "Rent them?"), quiet=False, yes=self._yes)
        if missing:
            await client.iosd.mint_exact(missing)
        number, cluster = await rental.next_cluster(client)
        named = Named(
            cluster=str(cluster),
            url=client.rpc.url,
            renter=str(client.address),
            api=self._api,
            launcher=wanted.url,
            at=int(time.time()),
            alert_at=self._alerts[0],
            alert_url=self._alerts[1],
        )
        self._names.add(self._name, named)
        try:
            await rental.open_for(client, hired, made, number, deposit)
        except (ChainRefused, TransactionExpired):  # it did not land and never will
            self._names.forget(self._name)
            raise
        say(f"{self._name}  {cluster}", err=True)
        start_watching(self._ctx)
        try:
            await rental.book(client, cluster, made, found.candidates[wish.nodes :], tell)
        except rental.NotEnoughNodes:
            await settle(client, self._names, self._name, named, wait=True)
            raise
        return named

    def _deposit(self, made: Quote) -> int:
        """Base units that are locked. Raises InvalidInput for a budget that is no amount, or too small."""
        if self._budget is None:
            return made.total
        deposit = amount(self._budget, made.currency)
        if deposit < made.total:
            raise InvalidInput(f"the budget is less than the price, {human.money(made.total, made.currency)}")
        return deposit

    async def _through(self, client: Client, named: Named, job: Job) -> int:
        """Wait for the cluster, begin the job in it and, unless it is detached, follow it and fetch what came of it."""
        from ionet.launcher_api import LauncherClient
        from ionet.renting import rental, spending
        from ionet.renting.watch import beside
        from ionet.wallet import read_keypair

        async with AsyncExitStack() as stack:
            alerting = asyncio.create_task(
                spending.follow(client, Pubkey.from_string(named.cluster), self._name, named.alert_at, tell)
            )
            stack.callback(alerting.cancel)
            launcher = await stack.enter_async_context(LauncherClient(launcher_of(self._ctx, named)))
            cluster = Pubkey.from_string(named.cluster)
            await rental.until_running(client, launcher, cluster, tell)
            wallet = read_keypair(settings(self._ctx).keypair)
            async with rental.head_of(client, wallet, cluster, named.api) as agent:
                self._begun = True

                async def followed(show: Callable[[str], None]) -> int:
                    return await rental.run_job(agent, job, show, patience_secs=rental.WATCHED_JOB_SECS)

                following = printed(followed, self._to / self._name)
                return await beside(launcher, cluster, following, tell)

    def interrupted(self) -> int:
        """Leave or end what was rented; the exit code."""
        used = self._names.all().get(self._name)
        if used is None:
            return _INTERRUPTED
        start_watching(self._ctx)
        say(err=True)
        if self._begun:
            say(f"the job goes on by itself: `ionet logs -f {self._name}`", err=True)
        say(
            f"{self._name} costs money while it is there: `ionet status {self._name}`, `ionet down {self._name}`",
            err=True,
        )
        try:
            confirm(Preview((), "End it now, and the job with it?"), quiet=False, yes=False)
        except NotConfirmed:
            return _INTERRUPTED

        async def end() -> None:
            async with connect(self._ctx) as client:
                await settle(client, self._names, self._name, used, wait=True)

        asyncio.run(end())
        return _INTERRUPTED


def _most_fee(text: str | None, *, yes: bool) -> int | None:
    """Lamports. Where nobody is asked, a launcher takes only what was named."""
    if text is None:
        return 0 if yes else None
    return amount(text, "SOL")


def _alerts(at: str | None, url: str | None, budget: str | None) -> tuple[tuple[int, ...], str]:
    """Percentages of the budget at which is told, and the URL that is; who names a budget or a URL wants some."""
    from ionet.renting.spending import LEVELS, levels_of
    from ionet.webhooks import check_hook

    hook = "" if url is None else check_hook(url, "--alert-url")
    if at is not None:
        return tuple(levels_of(at)), hook
    return LEVELS if hook or budget is not None else (), hook


def _split(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The task's file, if the first word is one, and the job."""
    if words and words[0].endswith((".yaml", ".yml")):
        return Path(words[0]), list(words[1:])
    return None, list(words)


def _task(path: Path | None, resources: dict[str, Any], more: dict[str, Any]) -> Task:
    """The file's, where an option does not say otherwise."""
    import msgspec

    from ionet.renting.task import Task, read

    task = Task() if path is None else read(path)
    given = {name: value for name, value in resources.items() if value is not None}
    said = {name: value for name, value in more.items() if value not in (None, [])}
    return msgspec.structs.replace(task, resources=msgspec.structs.replace(task.resources, **given), **said)

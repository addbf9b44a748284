"""`ionet launcher`: turns leases into running Ray clusters."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from ionet.cli.printing import AsJson, print_fields, print_json, say
from ionet.cli.session import settings
from ionet.errors import InvalidInput
from solders.pubkey import Pubkey

app = typer.Typer(help="Starts the Ray clusters of leases that name its key.", no_args_is_help=True)

SessionKey = Annotated[Path, typer.Option(help="Keypair file of the session key that clusters name.")]
Dsn = Annotated[str, typer.Option(help="The indexer's database.", envvar="IONET_DATABASE")]


@app.command()
def run(
    ctx: typer.Context,
    session_key: SessionKey,
    dsn: Dsn,
    agents: Annotated[
        Path | None, typer.Option(help="JSON file, node address → URL of its agent, of those that go by it.")
    ] = None,
    devices: Annotated[bool, typer.Option(help="Accept only nodes whose system shows all GPUs booked.")] = False,
    approve: Annotated[bool, typer.Option(help="Approve intervals whose challenge was answered.")] = False,
    dispute: Annotated[
        bool, typer.Option("--dispute-unanswered", help="Dispute intervals whose challenge a node did not answer.")
    ] = False,
    renter: Annotated[
        Path | None, typer.Option(help="Keypair file of the renter, whose lost nodes --replace then replaces.")
    ] = None,
    replace: Annotated[
        str, typer.Option(help="Lost nodes to replace: all, or as many as a cluster needs to keep this many nodes.")
    ] = "all",
    max_latency_ms: Annotated[
        float, typer.Option(min=0, help="Refuse a node further from the head, there and back; 0 for none.")
    ] = 50,
    close: Annotated[
        bool, typer.Option(help="Close leases and clusters that are over, as keepers do; the session key pays.")
    ] = True,
    listen: Annotated[
        str | None, typer.Option(help="HOST:PORT at which everybody may read what becomes of clusters.")
    ] = None,
    fee: Annotated[str, typer.Option(help="SOL for each node of a cluster, paid when it is opened.")] = "0",
    public_url: Annotated[
        str | None, typer.Option(help="URL at which renters find --listen; by default its own.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Work until interrupted. Running clusters go on without the launcher; the next one takes them over."""
    from dataclasses import replace as changed

    import msgspec
    from ionet import launcher_advert
    from ionet.cli.parsing import amount
    from ionet.daemon import log_to_stderr
    from ionet.listening import listen as listening
    from ionet.ready import LauncherReady

    from ionet_launcher import service
    from ionet_launcher.review import Policy

    log_to_stderr()
    policy = Policy(approve=approve, dispute=dispute)
    if not (replace == "all" or (replace.isascii() and replace.isdecimal() and int(replace[:9]) > 0)):
        raise InvalidInput(f"--replace is {replace}, not all or a number of nodes")
    lamports = amount(fee, "SOL")
    if lamports > launcher_advert.MAX_FEE or (lamports and listen is None):
        raise InvalidInput("--fee needs --listen, and is at most 1 SOL for a node")
    config = service.LauncherConfig(
        settings(ctx).url,
        session_key,
        dsn,
        agents,
        devices=devices,
        policy=policy,
        renter=renter,
        at_least=None if replace == "all" else int(replace),
        most_ms=max_latency_ms or None,
        closes=close,
        fee=lamports,
        public_url=None if public_url is None else launcher_advert.public_url(public_url),
    )

    with contextlib.ExitStack() as stack:
        listener = None if listen is None else stack.enter_context(listening(*_address(listen), "--listen"))
        api = None if listener is None else _url(listener)
        config = changed(config, public_url=config.public_url or api)

        def announce(key: Pubkey) -> None:
            print_fields(msgspec.to_builtins(LauncherReady(str(key), api)), as_json=as_json)

        asyncio.run(service.run(config, announce, listener))


@app.command("api")
def only_api(
    session_key: Annotated[str, typer.Argument(help="Address of the session key of a launcher.")],
    dsn: Dsn,
    listen: Annotated[str, typer.Option(help="HOST:PORT.")] = "127.0.0.1:8081",
    inherited: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Serve what a launcher noted alone; any number of these may run, and none needs a key."""
    from ionet import apart
    from ionet.cli.parsing import pubkey
    from ionet.daemon import log_to_stderr
    from ionet.listening import listen as listening

    from ionet_launcher import api

    log_to_stderr()
    launcher = str(pubkey(session_key))
    with apart.inherited(inherited) if inherited else listening(*_address(listen), "--listen") as listener:
        if not inherited:
            say(_url(listener))
        asyncio.run(_until_told(api.serve(dsn, launcher, listener)))


@app.command()
def own(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Option(help="For its session key and what it keeps.")],
    api: Annotated[
        str, typer.Option(envvar="IONET_API", help="URL of an indexer's API, asked where agents are.")
    ] = "http://127.0.0.1:8080",
    listen: Annotated[str, typer.Option(help="HOST:PORT of what becomes of clusters; 0 takes a free port.")] = (
        "127.0.0.1:0"
    ),
    as_json: AsJson = False,
) -> None:
    """Run your own clusters from the chain alone, without a database; `ionet run --own-launcher` starts it.

    It ends by itself once no cluster names its key.
    """
    import msgspec
    from ionet.cli.named import default_file
    from ionet.daemon import log_to_stderr
    from ionet.listening import listen as listening
    from ionet.ready import LauncherReady

    from ionet_launcher import own

    log_to_stderr()
    config = own.OwnConfig(settings(ctx).url, folder, api, default_file())

    def announce(key: Pubkey, url: str) -> None:
        print_fields(msgspec.to_builtins(LauncherReady(str(key), url)), as_json=as_json)

    with listening(*_address(listen), "--listen") as listener:
        asyncio.run(own.run(config, announce, listener, _url(listener)))


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Until it ends, or SIGINT or SIGTERM comes."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdecimal() and int(port[:6]) < 2**16):
        raise InvalidInput(f"{text!r} is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@app.command()
def status(session_key: SessionKey, dsn: Dsn, as_json: AsJson = False) -> None:
    """List the clusters this launcher knows, with their phases."""
    import msgspec
    from ionet.wallet import read_keypair

    from ionet_launcher import service

    found, warning = asyncio.run(service.status(dsn, read_keypair(session_key).pubkey()))
    if warning:
        say(f"warning: {warning}", err=True)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for item in found:
        counts = f"{item.live} leases  {item.members} members"
        say(f"{item.cluster}  {item.phase:9} {counts}  {item.reason} {item.detail}".rstrip())

"""`ionet launcher`: turns leases into running Ray clusters."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

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
    agents: Annotated[Path, typer.Option(help="JSON file: node address → URL of its agent.")],
    devices: Annotated[bool, typer.Option(help="Accept only nodes whose system shows all GPUs booked.")] = False,
    approve: Annotated[bool, typer.Option(help="Approve intervals whose challenge was answered.")] = False,
    dispute: Annotated[
        bool, typer.Option("--dispute-unanswered", help="Dispute intervals whose challenge a node did not answer.")
    ] = False,
    renter: Annotated[
        Path | None, typer.Option(help="Keypair file of the renter, whose lost workers --replace then replaces.")
    ] = None,
    replace: Annotated[
        str, typer.Option(help="Lost workers to replace: all, or as many as a cluster needs to keep this many nodes.")
    ] = "all",
    as_json: AsJson = False,
) -> None:
    """Work until interrupted. Running clusters go on without the launcher; the next one takes them over."""
    import msgspec
    from ionet.daemon import log_to_stderr
    from ionet.ready import LauncherReady

    from ionet_launcher import service
    from ionet_launcher.review import Policy

    log_to_stderr()
    policy = Policy(approve=approve, dispute=dispute)
    if not (replace == "all" or (replace.isascii() and replace.isdecimal() and int(replace[:9]) > 0)):
        raise InvalidInput(f"--replace is {replace}, not all or a number of nodes")
    config = service.LauncherConfig(
        settings(ctx).url,
        session_key,
        dsn,
        agents,
        devices=devices,
        policy=policy,
        renter=renter,
        at_least=None if replace == "all" else int(replace),
    )

    def announce(key: Pubkey) -> None:
        print_fields(msgspec.to_builtins(LauncherReady(str(key))), as_json=as_json)

    asyncio.run(service.run(config, announce))


@app.command()
def status(session_key: SessionKey, dsn: Dsn, as_json: AsJson = False) -> None:
    """List the clusters this launcher knows, with their phases."""
    import msgspec
    from ionet.wallet import read_keypair

    from ionet_launcher import service

    found = asyncio.run(service.status(dsn, read_keypair(session_key).pubkey()))
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for item in found:
        counts = f"{item.live} leases  {item.members} members"
        say(f"{item.cluster}  {item.phase:9} {counts}  {item.reason} {item.detail}".rstrip())

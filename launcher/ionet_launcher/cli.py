"""`ionet launcher`: turns leases into running Ray clusters."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Annotated

import typer
from solders.pubkey import Pubkey

app = typer.Typer(help="Starts the Ray clusters of leases that name its key.", no_args_is_help=True)

SessionKey = Annotated[Path, typer.Option(help="Keypair file of the session key that clusters name.")]
Dsn = Annotated[str, typer.Option(help="The indexer's database.", envvar="IONET_DSN")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def run(
    session_key: SessionKey,
    dsn: Dsn,
    agents: Annotated[Path, typer.Option(help="JSON file: node address → URL of its agent.")],
    url: Annotated[str, typer.Option(help="JSON-RPC address of the chain.", envvar="IONET_URL")] = (
        "http://127.0.0.1:8899"
    ),
    devices: Annotated[bool, typer.Option(help="Accept only nodes whose system shows as many GPUs as booked.")] = False,
    as_json: AsJson = False,
) -> None:
    """Work until interrupted. Running clusters go on without the launcher; the next one takes them over."""
    from ionet_launcher import main

    logging.basicConfig(level=os.environ.get("IONET_LOG", "INFO"), format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    config = main.LauncherConfig(url, session_key, dsn, main.read_agents(agents), devices=devices)

    def announce(key: Pubkey) -> None:
        typer.echo(json.dumps({"session_key": str(key)}) if as_json else f"launching clusters of {key}")

    asyncio.run(main.run(config, announce))


@app.command()
def status(session_key: SessionKey, dsn: Dsn, as_json: AsJson = False) -> None:
    """List the clusters this launcher knows, with their phases."""
    import msgspec
    from ionet.wallet import read_keypair

    from ionet_launcher import main

    found = asyncio.run(main.status(dsn, read_keypair(session_key).pubkey()))
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    for item in found:
        typer.echo(f"{item.cluster}  {item.phase:9} {item.members} members  {item.reason} {item.detail}".rstrip())

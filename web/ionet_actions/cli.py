"""`ionet actions`: what wallets sign for the pages."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from ionet.cli.printing import AsJson, print_fields
from ionet.cli.session import settings

app = typer.Typer(help="Transactions for wallets to sign; it holds no key.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """One command; a callback keeps its name in front of it."""


@app.command()
def run(
    ctx: typer.Context,
    launcher: Annotated[
        str | None, typer.Option(envvar="IONET_LAUNCHER", help="The launcher that runs what is rented; none without.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8084,
    as_json: AsJson = False,
) -> None:
    """Build, simulate and send transactions until interrupted."""
    from ionet.daemon import log_to_stderr

    from ionet_actions import service

    log_to_stderr()
    url = settings(ctx).url

    def announce(api: str) -> None:
        print_fields({"actions": api}, as_json=as_json)

    asyncio.run(service.run(url, launcher or "", host, port, announce))

"""`ionet web`: the pages that show the network."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from ionet.cli.printing import AsJson, print_fields

app = typer.Typer(help="Pages that show the network to a browser.", no_args_is_help=True)
_API = "http://127.0.0.1:8080"


@app.callback()
def group() -> None:
    """One command; a callback keeps its name in front of it."""


@app.command()
def run(
    api: Annotated[str, typer.Option(envvar="IONET_API", help="The indexer that is asked.")] = _API,
    public_api: Annotated[str, typer.Option(help="Its address for readers, in links; by default --api.")] = "",
    actions: Annotated[
        str | None, typer.Option(envvar="IONET_ACTIONS", help="What builds transactions for wallets; none without.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8083,
    as_json: AsJson = False,
) -> None:
    """Serve until interrupted."""
    from ionet.daemon import log_to_stderr

    from ionet_web import service

    log_to_stderr()

    def announce(url: str) -> None:
        print_fields({"page": url}, as_json=as_json)

    asyncio.run(service.run(host, port, api, public_api, actions or "", announce))

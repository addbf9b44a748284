"""`ionet mcp`: a server of the Model Context Protocol over stdin and stdout, for AI agents that rent compute."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Annotated

import typer
from ionet.cli.parsing import amount
from ionet.cli.printing import AsJson, print_fields
from ionet.cli.session import connect, settings
from ionet.errors import InvalidInput, WalletError

app = typer.Typer(help="An MCP server by which an AI agent rents compute within limits.")
# More dollars than exist; SQLite's integers end a little above.
_MOST = 10**18
_SESSION = re.compile(r"[A-Za-z0-9._-]{1,64}")


def default_folder() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "ionet" / "mcp"


@app.command()
def mcp(
    ctx: typer.Context,
    limit: Annotated[str, typer.Option(help="Dollars that may be spent in all sessions together.")],
    session_limit: Annotated[str | None, typer.Option(help="Dollars that may be spent in a session.")] = None,
    session: Annotated[
        str, typer.Option(help="Name of the session; a new name begins at zero, a restart does not.")
    ] = "default",
    confirm: Annotated[
        str, typer.Option(help="When a person is asked before a booking: always, never, or dollars above which.")
    ] = "always",
    api: Annotated[
        str, typer.Option(envvar="IONET_API", help="Address of an indexer's API.")
    ] = "http://127.0.0.1:8080",
    launcher: Annotated[
        str | None, typer.Option(envvar="IONET_LAUNCHER", help="URL of the launcher that starts what is booked.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Where what was spent is kept.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print what was spent and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Serve tools to search, quote, book, run, watch, trace and end, over stdin and stdout."""
    from ionet.patient_http import check_url
    from ionet.wallet import read_keypair

    from ionet_mcp import watch
    from ionet_mcp.desk import Desk
    from ionet_mcp.ledger import Ledger, Limits
    from ionet_mcp.policy import Policy
    from ionet_mcp.server import serve

    limits, policy = Limits(_dollars(session_limit or limit), _dollars(limit)), Policy.parse(confirm)
    if not _SESSION.fullmatch(session):
        raise InvalidInput(f"--session {session!r}; write letters, digits, dots, dashes and underscores")
    for url in (api, launcher):
        if url is not None:
            check_url(url)
    if settings(ctx).signer is not None:
        raise WalletError("--signer signs elsewhere; an agent needs --keypair, best of a wallet of its own")
    wallet = connect(ctx).address

    async def genesis() -> str:
        async with connect(ctx, wallet=False) as client:
            return str((await client.rpc.health())["genesis"])

    file = (folder or default_folder()) / f"{wallet}-{asyncio.run(genesis())}.sqlite"
    ledger = Ledger(file, session, limits)

    async def work() -> None:
        async with connect(ctx) as client:
            desk = Desk(client, read_keypair(settings(ctx).keypair), api, launcher, ledger, policy)
            if show:
                await desk.reconcile()
                print_fields(vars(watch.purse(desk)), as_json=as_json)
                return
            await serve(desk).run_stdio_async()

    try:
        asyncio.run(work())
    finally:
        ledger.close()


def _dollars(text: str) -> int:
    units = amount(text, "dollars")
    if units > _MOST:
        raise InvalidInput(f"{text} dollars are more than there are")
    return units

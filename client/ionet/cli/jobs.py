"""`ionet logs`: what a job of a cluster has printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from solders.pubkey import Pubkey

from ionet.cli.named import Name, beside_head, names_file, printed, tell

if TYPE_CHECKING:
    from ionet.agent_api import AgentClient

app = typer.Typer(help="What a job has printed.")


@app.command()
def logs(
    ctx: typer.Context,
    name: Name,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="To the job's end.")] = False,
    job: Annotated[
        str | None, typer.Option(help="Which one, as `ionet run --detach` named it; the last one else.")
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder for what is fetched.")] = Path("ionet-results"),
) -> None:
    """Print what a job has printed, and fetch its results once it is over; the exit code is its own, else 0.

    With -f also what becomes of the nodes meanwhile; 6 where the job's own is gone.
    """
    from ionet.cli.own_launcher import launcher_of
    from ionet.launcher_api import LauncherClient
    from ionet.renting import rental
    from ionet.renting.watch import beside

    named = names_file().get(name)
    url = launcher_of(ctx, named) if follow else ""

    async def work(agent: AgentClient) -> int:
        secs = rental.WATCHED_JOB_SECS if follow else rental.JOB_SECS
        following = printed(
            lambda show: rental.follow_job(agent, job, show, wait=follow, patience_secs=secs), to / name
        )
        if not follow:
            return await following
        async with LauncherClient(url) as launcher:
            return await beside(launcher, Pubkey.from_string(named.cluster), following, tell)

    raise typer.Exit(beside_head(ctx, name, named, work))

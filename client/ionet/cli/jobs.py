"""`ionet logs`: what a job of a cluster has printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionet.cli.named import Name, beside_head, names_file, printed

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
    """Print what a job has printed, and fetch its results once it is over; the exit code is its own, else 0."""
    from ionet.renting import rental

    named = names_file().get(name)

    async def work(agent: AgentClient) -> int:
        return await printed(lambda show: rental.follow_job(agent, job, show, wait=follow), to / name)

    raise typer.Exit(beside_head(ctx, name, named, work))

"""`ionet idle`: ends clusters that nobody uses, for as long as there are any that are to end by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from ionet.cli.named import names_file, tell
from ionet.cli.profiles import config_file, file_for
from ionet.cli.session import connect, settings

app = typer.Typer(help="End clusters that nobody uses.")


@app.command()
def idle(ctx: typer.Context) -> None:
    """End clusters that nobody has used for as long as `ionet run --idle` said, and send alerts of budgets; until none
    of these is left.

    `ionet run` starts it when it leaves such a cluster, and `ionet status` starts it again where it is gone.
    """
    from ionet.renting.idle import watch
    from ionet.wallet import read_keypair

    async def work() -> None:
        async with connect(ctx) as client:
            await watch(client, read_keypair(settings(ctx).keypair), names_file(), tell)

    with _alone(ctx) as alone:
        if alone:
            asyncio.run(work())


def start_watching(ctx: typer.Context) -> None:
    """Have it done by a process of its own, unless one does or there is nothing to do."""
    chosen = settings(ctx)
    if not any(named.is_watched and named.url == chosen.url for named in names_file().all().values()):
        return
    with _alone(ctx) as alone:
        if not alone:
            return
    keypair = str(Path(chosen.keypair).expanduser().absolute())
    command = [sys.executable, "-m", "ionet", "--url", chosen.url, "--keypair", keypair, "idle"]
    with config_file().with_name("idle.log").open("ab") as log:
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/")


@contextlib.contextmanager
def _alone(ctx: typer.Context) -> Iterator[bool]:
    """Whether no other process does it for this chain and wallet; none will, until the block ends."""
    chosen = settings(ctx)
    path = file_for("idle", chosen.url, chosen.keypair).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True

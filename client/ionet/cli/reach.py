"""`ionet tunnel` and `ionet ssh`: what of a cluster's head is here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from solders.pubkey import Pubkey

from ionet.cli.named import Name, names_file, require_chain, tell
from ionet.cli.printing import AsJson, print_json, say
from ionet.cli.profiles import config_file
from ionet.cli.session import connect, settings
from ionet.errors import InvalidInput

if TYPE_CHECKING:
    from ionet.renting.tunnel import Forward, Head, Tunnel

tunnel_app = typer.Typer(help="Ray's dashboard, Ray's client and any port of a cluster, here.")
ssh_app = typer.Typer(help="A shell in a cluster.")


@tunnel_app.command()
def tunnel(
    ctx: typer.Context,
    name: Name,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PORT…] [-- COMMAND]",
            help="8888, LOCAL:REMOTE, dashboard, ray, 0:ray for a free port; by default dashboard and ray.",
        ),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder for token and certificates; beside the profiles.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open ports of this machine that lead to the cluster's head, until Ctrl-C or the command's end.

    Ray asks for the cluster's token: source the file that is named, or name a COMMAND, which gets all of it in its
    environment. In a browser the dashboard asks for the token once.
    """
    from ionet.renting.tunnel import forward

    ports, command = _split(words or [])
    forwards = [forward(each) for each in ports or ["dashboard", "ray"]]
    folder = to or config_file().with_name("tunnels") / name
    raise typer.Exit(asyncio.run(_tunnel(ctx, name, forwards, folder, command, as_json=as_json)))


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Ports, and the command: what cannot be a port any more."""
    from ionet.renting.tunnel import forward

    for number, word in enumerate(words):
        try:
            forward(word)
        except InvalidInput:
            if not word[:1].isdigit():
                return list(words[:number]), list(words[number:])
            raise
    return list(words), []


async def _tunnel(
    ctx: typer.Context, name: str, forwards: Sequence[Forward], folder: Path, command: Sequence[str], *, as_json: bool
) -> int:
    from ionet.renting import tunnel as made

    async with _head(ctx, name) as head, made.tunnel(head, forwards, folder, tell) as opened:
        environment = folder / "environment"
        environment.write_text("".join(f"export {key}='{value}'\n" for key, value in opened.environment.items()))
        if command:
            child = await asyncio.create_subprocess_exec(*command, env={**os.environ, **opened.environment})
            # Ctrl-C is the command's own affair.
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
            code = await child.wait()
            return code if code >= 0 else 128 - code
        if as_json:
            print_json({"ports": {str(key): port for key, port in opened.ports.items()}, **opened.environment})
        else:
            _print(opened, folder, environment)
        await _until_told()
    return 0


def _print(opened: Tunnel, folder: Path, environment: Path) -> None:
    if opened.dashboard is not None:
        say(f"dashboard   {opened.dashboard}  (its token: {folder / 'token'})")
        say(f"jobs        ray job submit --address {opened.dashboard} -- python job.py")
    if opened.ray is not None:
        say(f"Ray client  ray.init({opened.ray!r})")
    for remote, port in opened.ports.items():
        if isinstance(remote, int):
            say(f"port {remote}   127.0.0.1:{port}")
    say(f"first       . {environment}")


async def _until_told() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    await told.wait()


@ssh_app.command()
def ssh(
    ctx: typer.Context,
    name: Name,
    command: Annotated[list[str] | None, typer.Argument(help="Instead of a shell, after --.")] = None,
) -> None:
    """A shell on a terminal beside the cluster's head, where the last job runs; the exit code is its own.

    Not the SSH protocol: it goes over the agent's own channel, and no sshd runs anywhere. What it starts ends with it.
    """
    from ionet.renting.shell import shell

    async def work() -> int:
        async with _head(ctx, name) as head:
            return await shell(head, command or [])

    raise typer.Exit(asyncio.run(work()))


@contextlib.asynccontextmanager
async def _head(ctx: typer.Context, name: str) -> AsyncIterator[Head]:
    from ionet.renting.tunnel import Head
    from ionet.wallet import read_keypair

    named = names_file().get(name)
    async with connect(ctx, wallet=False) as client:
        require_chain(client, {name: named})
        yield Head(client, read_keypair(settings(ctx).keypair), Pubkey.from_string(named.cluster), named.api)

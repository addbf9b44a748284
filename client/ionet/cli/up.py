"""`ionet up`: local chain, indexer and launcher as child processes, until interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from importlib.metadata import entry_points
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionet.cli.children import Child, ChildFailed
from ionet.cli.context import AsJson, print_fields, waiting
from ionet.errors import IonetError

if TYPE_CHECKING:
    from solders.keypair import Keypair

    from ionet.client import Client

app = typer.Typer(help="Run local chain, indexer and launcher until interrupted.")

LAMPORTS = 1_000 * 10**9
# Two dollars per IO, posted again long before the program finds it too old (60 s).
PRICE, PRICE_EVERY = 2 * 10**8, 20.0


def _default_folder() -> Path:
    # As root PostgreSQL runs as `nobody`, who cannot look into root's home.
    if os.geteuid() == 0:
        return Path("/var/lib/ionet/up")
    return Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser() / "ionet" / "up"


@app.command()
def up(
    folder: Annotated[Path | None, typer.Option(help="Where keys, ledger, database and logs are kept.")] = None,
    port: Annotated[int, typer.Option(help="Port of the chain; its websocket takes the next one.")] = 8899,
    api_port: Annotated[int, typer.Option(help="Port of the indexer's API.")] = 8080,
    slot_ms: Annotated[int, typer.Option(help="Milliseconds between blocks.")] = 400,
    reset: Annotated[bool, typer.Option(help="Begin the chain and the database anew; keys are kept.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a whole network for development: chain with the program on it, price feed, indexer, launcher."""
    stack = Stack(folder or _default_folder(), port, api_port, slot_ms)
    asyncio.run(stack.run(reset=reset, as_json=as_json))


class Stack:
    """The processes, and the files they share."""

    def __init__(self, folder: Path, port: int, api_port: int, slot_ms: int) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self._port, self._api_port, self._slot_ms = port, api_port, slot_ms
        self._children: list[Child] = []

    async def run(self, *, reset: bool, as_json: bool) -> None:
        """Start everything, print the addresses, wait for an interrupt; raises ChildFailed when a part ends."""
        self.logs.mkdir(parents=True, exist_ok=True)
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        try:
            starting = asyncio.create_task(self._start(reset))
            with waiting("starting"):
                if not await _first(starting, stopped):
                    return
            client, fields = starting.result()
            async with client:
                print_fields(fields, as_json=as_json)
                work = [asyncio.create_task(child.ended()) for child in self._children]
                work.append(asyncio.create_task(_post_prices(client)))
                await _first(asyncio.gather(*work), stopped)
        finally:
            for child in reversed(self._children):
                await child.stop()

    def _key(self, name: str) -> Keypair:
        """A keypair that survives restarts."""
        from solders.keypair import Keypair

        from ionet.wallet import read_keypair, write_keypair

        path = self.folder / f"{name}.json"
        if not path.exists():
            write_keypair(path, Keypair())
        return read_keypair(path)

    async def _child(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> Child:
        child = await Child.start(name, *arguments, logs=self.logs, environment=environment)
        self._children.append(child)
        return child

    async def _start(self, reset: bool) -> tuple[Client, dict[str, str]]:
        from ionet.client import Client

        authority, treasury, _ = (self._key(name) for name in ("authority", "treasury", "session"))
        url = await self._start_chain(authority, reset)
        client = Client(url, authority)
        await _prepare(client, treasury)
        fields = {"chain": url, "wallet with IO": str(self.folder / "treasury.json")}
        installed = {point.name for point in entry_points(group="ionet.cli")}
        if "indexer" in installed:
            fields |= await self._start_indexer(url, reset=reset)
            if "launcher" in installed:
                fields["session key"] = await self._start_launcher(url, fields["database"])
        return client, fields | {"logs": str(self.logs)}

    async def _start_chain(self, authority: Keypair, reset: bool) -> str:
        from ionet import pda
        from ionet.program import PROGRAM

        artifacts = files("ionet") / "artifacts"
        with as_file(artifacts / "ionet.so") as program, as_file(artifacts / "price_poster.so") as poster:
            options = [
                "--port",
                str(self._port),
                "--slot-ms",
                str(self._slot_ms),
                "--ledger",
                str(self.folder / "ledger"),
            ]
            options += ["--program", f"{PROGRAM.id}={program}", "--program", f"{pda.PYTH_RECEIVER}={poster}"]
            options += ["--upgrade-authority", str(authority.pubkey()), "--json", *(["--reset"] if reset else [])]
            chain = await self._child("localnet", "localnet", "run", *options)
            return str((await chain.ready())["rpc_url"])

    def _database_folder(self, *, reset: bool) -> Path:
        """A database belongs to one chain; a chain begun anew gets a new one, although its genesis is the same."""
        marker = self.folder / "database"
        if reset or not marker.exists():
            marker.write_text(f"postgres-{time.time_ns()}")
        return self.folder / marker.read_text()

    async def _start_indexer(self, url: str, *, reset: bool) -> dict[str, str]:
        data = self._database_folder(reset=reset)
        options = ["--data", str(data), "--port", str(self._api_port), "--json"]
        indexer = await self._child("indexer", "--url", url, "indexer", "run", *options)
        ready = await indexer.ready()
        return {"api": str(ready["api"]), "database": str(ready["database"])}

    async def _start_launcher(self, url: str, database: str) -> str:
        agents = self.folder / "agents.json"
        if not agents.exists():
            agents.write_text("{}\n")
        options = ["--session-key", str(self.folder / "session.json"), "--agents", str(agents), "--json"]
        environment = {"IONET_DATABASE": database}
        launcher = await self._child("launcher", "--url", url, "launcher", "run", *options, environment=environment)
        return str((await launcher.ready())["session_key"])


async def _prepare(client: Client, treasury: Keypair) -> None:
    """Create the network on a fresh chain."""
    if await client.rpc.account(client.network.address) is not None:
        return
    for key in (client.address, treasury.pubkey()):
        await client.rpc.airdrop(key, LAMPORTS)
    await client.network.bootstrap(genesis_owner=treasury.pubkey())


async def _post_prices(client: Client) -> None:
    from ionet.api.network import LOCAL_FEED_ID

    while True:
        with contextlib.suppress(IonetError):
            await client.oracle.post(LOCAL_FEED_ID, PRICE, conf=PRICE // 2_000)
        await asyncio.sleep(PRICE_EVERY)


async def _first(work: asyncio.Future[Any], stopped: asyncio.Event) -> bool:
    """Wait for work or an interrupt; True when the work is done, its failure raised. Interrupted work is cancelled."""
    interrupted = asyncio.ensure_future(stopped.wait())
    both: list[asyncio.Future[Any]] = [work, interrupted]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    interrupted.cancel()
    if work.done():
        work.result()
        return True
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError, ChildFailed):
        await work
    return False

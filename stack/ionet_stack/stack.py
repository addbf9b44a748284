"""The processes of a local stack and the files they share; `up` and `demo` are made of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionet.ready import ActionsReady, ChainReady, IndexerReady, KeeperReady, LauncherReady, RelayReady, WebReady

from ionet_stack.children import Child

if TYPE_CHECKING:
    from solders.keypair import Keypair

_WATCH_SECS = 0.2


class Stack:
    """The processes, and the files they share."""

    def __init__(self, folder: Path, port: int, api_port: int, slot_ms: int) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self._port, self._api_port, self._slot_ms = port, api_port, slot_ms
        self.children: list[Child] = []

    def key(self, name: str) -> Keypair:
        """A keypair that survives restarts."""
        from ionet.wallet import read_keypair, write_keypair
        from solders.keypair import Keypair

        path = self.folder / f"{name}.json"
        if not path.exists():
            write_keypair(path, Keypair())
        return read_keypair(path)

    @property
    def agents(self) -> Path:
        """Address of each node → URL of its agent, which the launcher reads; whoever starts an agent adds it."""
        return self.folder / "agents.json"

    async def child(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> Child:
        child = await Child.start(name, *arguments, logs=self.logs, environment=environment)
        self.children.append(child)
        return child

    async def start_chain(self, authority: Keypair, reset: bool) -> str:
        from ionet import addresses
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
            options += ["--program", f"{PROGRAM.id}={program}", "--program", f"{addresses.PYTH_RECEIVER}={poster}"]
            options += ["--upgrade-authority", str(authority.pubkey()), "--json", *(["--reset"] if reset else [])]
            chain = await self.child("localnet", "localnet", "run", *options)
            return (await chain.ready(ChainReady)).rpc_url

    def _database_folder(self, *, reset: bool) -> Path:
        """A database belongs to one chain; a chain started over gets a new one, although its genesis is the same."""
        marker = self.folder / "database"
        if reset or not marker.exists():
            marker.write_text(f"postgres-{time.time_ns()}")
        return self.folder / marker.read_text()

    async def start_indexer(self, url: str, *, reset: bool) -> IndexerReady:
        data = self._database_folder(reset=reset)
        options = ["--data", str(data), "--port", str(self._api_port), "--json"]
        indexer = await self.child("indexer", "--url", url, "indexer", "run", *options)
        return await indexer.ready(IndexerReady)

    async def start_launcher(self, url: str, database: str, *, port: int = 0) -> LauncherReady:
        """port: of its API; 0 for one that is free."""
        agents = self.agents
        if not agents.exists():
            agents.write_text("{}\n")
        options = ["--session-key", str(self.folder / "session.json"), "--agents", str(agents), "--json"]
        options += ["--listen", f"127.0.0.1:{port}"]
        environment = {"IONET_DATABASE": database}
        launcher = await self.child("launcher", "--url", url, "launcher", "run", *options, environment=environment)
        return await launcher.ready(LauncherReady)

    async def start_keeper(self, url: str) -> str:
        """It does what anyone may do, soon after it may be done; its key must have some SOL. Returns its address."""
        options = ["--keypair", str(self.folder / "keeper.json"), "--port", "0", "--burn-every", "1"]
        options += ["--window", "1", "--poll-secs", "1", "--json"]
        keeper = await self.child("keeper", "--url", url, "keeper", "run", *options)
        return (await keeper.ready(KeeperReady)).api

    async def start_relay(self, url: str) -> str:
        """Where agents of this machine reach it; both ports are free ones."""
        options = ["--listen", "127.0.0.1:0", "--udp", "127.0.0.1:0", "--json"]
        relay = await self.child("relay", "--url", url, "relay", "run", *options)
        return (await relay.ready(RelayReady)).tcp

    async def start_actions(self, url: str, port: int, launcher: str = "") -> str:
        """What builds transactions for wallets; returns its address. port: 0 for one that is free."""
        options = ["--port", str(port), *(["--launcher", launcher] if launcher else []), "--json"]
        child = await self.child("actions", "--url", url, "actions", "run", *options)
        return (await child.ready(ActionsReady)).actions

    async def start_web(self, api: str, port: int, actions: str = "") -> str:
        """Pages over the indexer's API; returns their address. port: 0 for one that is free. actions: see above."""
        options = ["--api", api, "--port", str(port), *(["--actions", actions] if actions else [])]
        web = await self.child("web", "web", "run", *options, "--json")
        return (await web.ready(WebReady)).page

    async def whole(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work while every process runs; raises ChildFailed, the work cancelled, when one ends by itself."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                for child in self.children:
                    if not child.running:
                        await child.ended()
                await asyncio.wait([task], timeout=_WATCH_SECS)
            task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> None:
        """Stop every process, the last started first."""
        while self.children:
            await self.children[-1].stop()
            self.children.pop()

"""A whole network as processes that a test may kill: chain with a ledger, indexer with its own database, launcher,
keeper, agents."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from agent.places import TRUSTING
from ionet import addresses
from ionet.program import PROGRAM
from ionet.wallet import write_keypair
from ionet_stack.demo import story
from ionet_stack.demo.cast import Cast
from launcher.ports import free_range
from launcher.stack import Command, until
from solders.keypair import Keypair
from solders.pubkey import Pubkey

# A process that was killed is back within seconds. At a quarter of the speed an interval's grace lasts 12 seconds, so
# that even on a busy machine no second needs to be lost, and none being lost can be demanded.
CLOCK_FACTOR = 0.25
PORTS_PER_NODE = 24


@dataclass
class Part:
    """Something that can be killed, and started again until it works."""

    name: str
    die: Callable[[], Awaitable[None]]
    back: Callable[[], Awaitable[None]]


@dataclass
class Network:
    """Everything, running. `nodes` and `agents` are in the same order; the first node booked is the head."""

    folder: Path
    url: str
    dsn: str
    cast: Cast
    session: Keypair
    chain: Command
    indexer: Command
    launcher: Command
    keeper: Command
    agents: list[Command] = field(default_factory=list)
    nodes: list[Pubkey] = field(default_factory=list)

    @property
    def api(self) -> str:
        return str(self.indexer.about["api"])

    @property
    def data(self) -> Path:
        return self.folder / "postgres"

    def base(self, number: int) -> Path:
        """Folder of an agent."""
        return self.folder / f"node-{number}"

    def postgres(self) -> int:
        """Process id of the database server that works in the indexer's folder."""
        return int((self.data / "data" / "postmaster.pid").read_text().split("\n", 1)[0])

    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    async def run(self, *arguments: str) -> dict[str, Any]:
        """What an `ionet` command prints with --json."""
        command = [sys.executable, "-m", "ionet", "--url", self.url, *arguments, "--json"]
        child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        output, _ = await asyncio.wait_for(child.communicate(), 60)
        assert child.returncode == 0, output
        return dict(json.loads(output))

    async def pass_time(self, secs: int) -> None:
        """Let this much of the chain's time go by at once."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            call = {"jsonrpc": "2.0", "id": 1, "method": "localnet_advance", "params": [secs]}
            answer = (await http.post(self.url, json=call)).json()
        assert "result" in answer, answer

    async def answers(self) -> bool:
        """Whether the database can be worked with."""
        try:
            await self.fetch("SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True


def _chain(folder: Path, authority: Keypair) -> Command:
    artifacts = Path(str(files("ionet") / "artifacts"))
    ports = free_range(2)
    return Command(
        folder / "chain.log",
        *("localnet", "run", "--port", str(ports[0]), "--ledger", str(folder / "ledger"), "--cheats", "--json"),
        *("--slot-ms", "100", "--clock-factor", str(CLOCK_FACTOR), "--upgrade-authority", str(authority.pubkey())),
        *("--program", f"{PROGRAM.id}={artifacts / 'ionet.so'}"),
        *("--program", f"{addresses.PYTH_RECEIVER}={artifacts / 'price_poster.so'}"),
    )


def _agent(network: Network, number: int, device: Keypair, ports: range) -> Command:
    key = network.folder / f"device-{number}.json"
    write_keypair(key, device)
    return Command(
        network.folder / f"agent-{number}.log",
        *("--url", network.url, "agent", "run", "--device-key", str(key), "--base", str(network.base(number))),
        *("--ip", f"127.0.{os.getpid() % 250 + 1}.{number + 1}", "--ports", f"{ports[1]}-{ports[-1]}"),
        *("--listen", f"127.0.0.1:{ports[0]}", "--indexer", network.api, "--poll-secs", "0.3", "--json"),
        *TRUSTING,
    )


async def _begin(command: Command) -> None:
    command.start()
    await command.ready()


@asynccontextmanager
async def network(folder: Path, count: int) -> AsyncIterator[Network]:
    """`count` nodes, registered and staked, with everything that serves them."""
    authority, session, keeping, devices = Keypair(), Keypair(), Keypair(), [Keypair() for _ in range(count)]
    write_keypair(folder / "session.json", session)
    write_keypair(folder / "keeper.json", keeping)
    async with contextlib.AsyncExitStack() as stack:

        async def run(command: Command) -> Command:
            await _begin(command)
            # Whatever it is by then: parts come and go.
            stack.push_async_callback(command.end, signal.SIGTERM)
            return command

        chain = await run(_chain(folder, authority))
        url = str(chain.about["rpc_url"])
        cast = Cast(url, authority, keeping)
        stack.push_async_callback(cast.close)
        stake = await story.fund(cast, devices, session)
        nodes = await story.supply(cast, devices, stake)
        [api] = free_range(1)
        data = ("--data", str(folder / "postgres"), "--port", str(api), "--poll", "0.3", "--json")
        indexer = await run(Command(folder / "indexer.log", "--url", url, "indexer", "run", *data))
        dsn = str(indexer.about["database"])
        keys = ("--session-key", str(folder / "session.json"), "--agents", str(folder / "agents.json"))
        launcher = Command(folder / "launcher.log", "--url", url, "launcher", "run", "--dsn", dsn, *keys, "--json")
        wallet = ("--keypair", str(folder / "keeper.json"), "--port", "0", "--burn-every", "1", "--window", "1")
        keeper = Command(folder / "keeper.log", "--url", url, "keeper", "run", *wallet, "--poll-secs", "1", "--json")
        made = Network(folder, url, dsn, cast, session, chain, indexer, launcher, keeper, nodes=nodes)
        ports = free_range(PORTS_PER_NODE * count)
        for number, device in enumerate(devices):
            own = ports[number * PORTS_PER_NODE : (number + 1) * PORTS_PER_NODE]
            made.agents.append(await run(_agent(made, number, device, own)))
        urls = {agent.about["node"]: agent.about["api"] for agent in made.agents}
        (folder / "agents.json").write_text(json.dumps(urls))
        await run(launcher)
        await run(keeper)
        yield made


def parts(network: Network) -> list[Part]:
    """Everything that may die."""

    async def database_dies() -> None:
        os.kill(network.postgres(), signal.SIGKILL)

    async def database_back() -> None:
        await until(network.answers, 90, "the indexer has started its database again")

    agents = [Part(f"agent {number}", agent.end, partial(_begin, agent)) for number, agent in enumerate(network.agents)]
    commands = {
        "chain": network.chain,
        "indexer": network.indexer,
        "launcher": network.launcher,
        "keeper": network.keeper,
    }
    others = [Part(name, command.end, partial(_begin, command)) for name, command in commands.items()]
    return [*others, Part("postgres", database_dies, database_back), *agents]

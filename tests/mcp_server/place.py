"""A network with an indexer and nodes that can be rented, and `ionet mcp` as the host of an AI agent runs it."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from ionet import advert
from ionet.advert import Advert, Gpu
from ionet.leaves import send_upload, sign_upload
from ionet.wallet import write_keypair
from launcher.stack import Command
from market import Machine, Market, key, leaves, market
from mcp.client.client import Client as McpClient
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult
from solders.pubkey import Pubkey

from mcp import StdioServerParameters


@dataclass
class Person:
    """Who is asked. answer: what they say; None for a client that cannot ask anybody."""

    answer: bool | None = True
    asked: list[str] = field(default_factory=list)

    async def hear(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert context.session is not None
        self.asked.append(params.message)
        if not self.answer:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"rent": True})


@dataclass
class Refused(Exception):
    """What a tool says that does not do it."""

    text: str


class Assistant:
    """An AI agent's side: calls tools, gets structured answers."""

    def __init__(self, client: McpClient) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> Any:
        answer = await self.client.call_tool(tool, arguments)
        assert isinstance(answer, CallToolResult)
        text = "".join(getattr(item, "text", "") for item in answer.content)
        if answer.is_error:
            raise Refused(text)
        assert answer.structured_content is not None
        # A client that reads text alone gets the same.
        assert json.loads(text) == answer.structured_content
        return answer.structured_content


@dataclass
class Place:
    market: Market
    api: str
    folder: Path

    @asynccontextmanager
    async def assistant(self, *options: str, person: Person | None = None) -> AsyncIterator[Assistant]:
        """`ionet mcp` over stdio, for the renter's wallet."""
        who = person or Person()
        given = ["--limit", "50", "--api", self.api, "--folder", str(self.folder / "mcp"), *options]
        words = ["-m", "ionet", "--url", self.market.net.rpc_url, "--keypair", str(self.folder / "renter.json"), "mcp"]
        server = StdioServerParameters(command=sys.executable, args=[*words, *given], cwd=str(self.folder))
        hear = None if who.answer is None else who.hear
        with (self.folder / "mcp.log").open("a") as log:
            async with McpClient(stdio_client(server, errlog=log), elicitation_callback=hear) as client:
                yield Assistant(client)

    async def advertise(self, machine: Machine) -> None:
        """Say of a node that it is there, as its agent does every minute."""
        now = time.time()
        said = Advert(
            node=str(machine.address),
            seq=int(now * 1000),
            expires=int(now) + 180,
            endpoints=["127.0.0.1:7444"],
            relays=[],
            certificate=advert.certificate_text(machine.device),
            ray="2.60.0",
            cuda="12.4",
            isolation="bubblewrap",
            gpus=[Gpu("NVIDIA B200", 183_359)],
            bandwidth_mbits=None,
        )
        async with httpx2.AsyncClient(trust_env=False) as http:
            await advert.send(http, self.api, machine.device, said)

    async def shown(self, path: str, **wanted: object) -> Any:
        """The item at a path of the API, once it says this."""
        async with asyncio.timeout(60), httpx2.AsyncClient(base_url=self.api, trust_env=False) as http:
            while True:
                answer = await http.get(path)
                item = answer.json().get("item", {})
                if answer.status_code == 200 and all(item.get(name) == value for name, value in wanted.items()):
                    return item
                await asyncio.sleep(0.1)

    async def rentable(self, *machines: Machine) -> None:
        for machine in machines:
            await self.shown(f"/v1/nodes/{machine.address}", hireable=True)
            await self.advertise(machine)
        for machine in machines:
            await self.shown(f"/v1/nodes/{machine.address}", rentable=True)

    async def serve_interval(self, lease: Pubkey, machine: Machine, result: bytes) -> None:
        """The node runs for the first interval, proves it and tells the indexer its leaves."""
        await self.market.start(lease, machine)
        self.market.pass_time(3)
        root = await self.market.prove(lease, machine, 0, 3, [result])
        await self.shown(f"/v1/leases/{lease}", status="active")
        async with asyncio.timeout(60), httpx2.AsyncClient(trust_env=False) as http:
            while True:
                try:
                    await send_upload(http, self.api, sign_upload(machine.device, lease, 0, root, leaves([result])))
                    return
                except Exception as error:
                    if type(error).__name__ not in {"UploadTooEarly", "LeavesRefused"}:
                        raise
                    await asyncio.sleep(0.1)


@contextmanager
def place_for_postgres() -> Iterator[Path]:
    """A folder that others may pass through: as root the database runs as `nobody`."""
    made = Path(tempfile.mkdtemp(prefix="ionet-mcp-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@asynccontextmanager
async def founded(folder: Path) -> AsyncIterator[Place]:
    async with market(clock_factor=0.001) as built:
        write_keypair(folder / "renter.json", key("renter"))
        data = ("--data", str(folder / "postgres"), "--port", "0", "--poll", "0.2", "--json")
        indexer = Command(folder / "indexer.log", "--url", built.net.rpc_url, "indexer", "run", *data)
        indexer.start()
        try:
            await indexer.ready()
            yield Place(built, str(indexer.about["api"]), folder)
        finally:
            await indexer.end(signal.SIGTERM)

"""`ionet mcp` as the host of an AI agent runs it, and the person who is asked."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import offering
from mcp.client.client import Client as McpClient
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult

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


class Place(offering.Offering):
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


@asynccontextmanager
async def founded(folder: Path) -> AsyncIterator[Place]:
    async with offering.founded(folder) as made:
        yield Place(made.market, made.api, made.folder)

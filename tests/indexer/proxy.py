"""A node between the indexer and the local chain, on loopback: it forwards every call, and a script may change it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Call = dict[str, Any]
Reply = dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """An answer to a whole request instead of its replies."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "text/html"


class Honest:
    """What a node that behaves does; a script overrides one of these."""

    async def request(self, calls: list[Call], *, batch: bool) -> Refusal | None:  # noqa: ARG002
        """Whether the request is refused as a whole."""
        return None

    def asked(self, call: Call) -> Call:
        """The call as it is sent on."""
        return call

    def answered(self, call: Call, reply: Reply) -> Reply | None:  # noqa: ARG002
        """The reply as it is sent back; None leaves it out."""
        return reply

    def batch(self, replies: list[Reply]) -> list[Reply]:
        """All replies of a batch."""
        return replies


class Answers(Honest):
    """A node that answers one method out of a function of its parameters."""

    def __init__(self, method: str, answer: Callable[[list[Any], Reply], Reply | None]) -> None:
        self.method = method
        self.answer = answer

    def answered(self, call: Call, reply: Reply) -> Reply | None:
        return self.answer(call["params"], reply) if call["method"] == self.method else reply


class Proxy:
    """The node; `script` may be exchanged while it runs."""

    def __init__(self, upstream: str, script: Honest) -> None:
        self.script = script
        self.url = ""
        self.requests = 0
        self.client = httpx2.AsyncClient(timeout=30, trust_env=False)
        self._upstream = upstream

    async def handle(self, request: Request) -> Response:
        """One HTTP request."""
        self.requests += 1
        script, body = self.script, msgspec.json.decode(await request.body())
        calls: list[Call] = body if isinstance(body, list) else [body]
        if (refusal := await script.request(calls, batch=isinstance(body, list))) is not None:
            return Response(refusal.body, refusal.status, dict(refusal.headers), refusal.kind)
        forwarded = [script.asked(call) for call in calls]
        response = await self.client.post(self._upstream, content=msgspec.json.encode(forwarded))
        replies = {reply["id"]: reply for reply in msgspec.json.decode(response.content)}
        changed = [script.answered(call, replies[call["id"]]) for call in forwarded]
        kept = [reply for reply in changed if reply is not None]
        if not isinstance(body, list):
            return Response(msgspec.json.encode(kept[0]) if kept else b"", media_type="application/json")
        return Response(msgspec.json.encode(script.batch(kept)), media_type="application/json")


@contextlib.asynccontextmanager
async def proxy(upstream: str, script: Honest | None = None) -> AsyncIterator[Proxy]:
    """A running proxy."""
    node = Proxy(upstream, script or Honest())
    listener = socket.create_server(("127.0.0.1", 0))
    node.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = Starlette(routes=[Route("/", node.handle, methods=["POST"])])
    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield node
    finally:
        server.should_exit = True
        await task
        await node.client.aclose()
        listener.close()

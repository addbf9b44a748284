"""What whoever asks an agent for a port gets from one that lies, is silent, or knows nothing of ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from ionet import agent_ports
from ionet.agent_api import AgentClient
from ionet.agent_errors import AgentError, AgentUnreachable, BadAnswer
from ionet.agent_ports import MAX_LINE, PROTOCOL
from ionet.agent_tls import serving_context
from ionet.errors import IonetError
from leases import DEVICE, SESSION

SECS = 30
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ANSWERS: list[tuple[bytes, type[IonetError]]] = [
    (b"", AgentUnreachable),
    (b"no json\n", BadAnswer),
    (b'{"problem": 7}\n', BadAnswer),
    (b"[" * 2000 + b"\n", BadAnswer),
    (b"x" * (MAX_LINE + 1) + b"\n", BadAnswer),
    (b"x" * 500_000, BadAnswer),
    (b'{"problem": {"type": "about:blank", "title": "t", "status": 200}}\n', AgentError),
]


@asynccontextmanager
async def agent_at(serve: Handler, *, hands_on: bool = True) -> AsyncIterator[AgentClient]:
    """A client of an agent that treats each connection so. hands_on: whether it says that it hands on ports."""
    tls = serving_context(DEVICE)
    if hands_on:
        tls.set_alpn_protocols([PROTOCOL])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with AgentClient(url, DEVICE.pubkey(), SESSION) as agent:
            yield agent


async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing until the caller has gone."""
    await asyncio.wait_for(reader.read(), SECS)
    writer.transport.abort()


@pytest.mark.parametrize(("answer", "refused"), ANSWERS)
async def test_what_is_no_answer_is_named_so(
    answer: bytes, refused: type[IonetError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_ports, "_ANSWER_SECS", SECS)

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readline()
            writer.write(answer)
            if answer:
                await asyncio.wait_for(reader.read(), SECS)  # it is the caller who ends it
        finally:
            writer.transport.abort()

    async with agent_at(lie) as agent:
        with pytest.raises(refused):
            await agent.ports.reach(1, "lease")


async def test_a_silent_agent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_ports, "_ANSWER_SECS", 0.2)

    async with agent_at(end) as agent:
        with pytest.raises(AgentUnreachable, match="no answer within"):
            await agent.ports.reach(1, "lease")


async def test_an_agent_that_hands_on_no_ports_is_none() -> None:
    async with agent_at(end, hands_on=False) as agent:
        with pytest.raises(BadAnswer, match="hands on no ports"):
            await agent.ports.reach(1, "lease")

"""Strangers cannot stop an agent from outside, and a wrong clock is not a reason to refuse anybody."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from agent.hostile import holding, is_dropped
from agent.memory_chain import MemoryChain
from agent.memory_provider import MemoryProvider
from ionet import agent_clock
from ionet.agent_api import AgentClient, Phase, sign_request
from ionet.agent_errors import AgentUnreachable, NotEntitled
from ionet.daemon import raise_file_limit
from ionet.lease_view import NodeView
from ionet_agent import server
from ionet_agent.auth import Gate
from ionet_agent.journal import Journal
from ionet_agent.loop import Loop
from ionet_agent.opening import Opening
from ionet_agent.report import measure
from ionet_agent.serve import HEADER_SECS, MAX_PER_ADDRESS, serving
from ionet_agent.server import Api
from launcher.ports import free_range
from leases import SESSION, lease_view
from solders.keypair import Keypair

HALF_A_REQUEST = b"POST /v1/start HTTP/1.1\r\nhost: agent\r\n"


class CountedChain(MemoryChain):
    """A chain that is slow to read and counts how often it was."""

    reads = 0

    async def view(self, others: Sequence[str] = ()) -> NodeView:
        self.reads += 1
        await asyncio.sleep(0.05)
        return await super().view(others)


class Agent:
    """An agent whose chain is `ahead` seconds ahead of this machine's clock."""

    def __init__(self, folder: Path) -> None:
        self.ahead = 0
        self.chain = CountedChain(lease_view(), lambda: int(time.time()) + self.ahead)
        self.journal = Journal(folder / "journal")
        opening, provider = Opening(self.journal), MemoryProvider()
        self.loop = Loop(self.chain, self.journal, provider, opening, report_hash=bytes(32), poll_secs=0.4)
        gate = Gate(lease_view().node, self.journal, self.loop.view)
        self.app, self.port = Api(gate, self.journal, opening, provider, measure()).app(), 0

    def client(self, key: Keypair = SESSION) -> AgentClient:
        return AgentClient(f"http://127.0.0.1:{self.port}", lease_view().node, key)

    async def looks(self, times: int, within_secs: float) -> bool:
        """Whether the agent reads the chain `times` times more."""
        wanted, deadline = self.chain.reads + times, time.monotonic() + within_secs
        while self.chain.reads < wanted and time.monotonic() < deadline:  # noqa: ASYNC110 (the chain has no event)
            await asyncio.sleep(0.05)
        return self.chain.reads >= wanted


@pytest_asyncio.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    made = Agent(tmp_path)
    async with serving(made.app, "127.0.0.1", 0) as made.port:
        yield made
    made.journal.close()


@pytest.mark.parametrize("ahead", [-300, -120, -45, 45, 120, 300])
async def test_five_minutes_of_clock_difference_do_no_harm(agent: Agent, ahead: int) -> None:
    agent.ahead = ahead
    async with agent.client() as client:
        for _ in range(2):
            assert (await client.status()).phase is Phase.IDLE


async def test_a_refusal_about_clocks_names_the_difference_and_the_chains_date(agent: Agent) -> None:
    agent.ahead = 125
    headers = sign_request(SESSION, lease_view().node, "GET", "/v1/status", b"", time.time())
    async with httpx2.AsyncClient(trust_env=False) as http:
        response = await http.get(f"http://127.0.0.1:{agent.port}/v1/status", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "clock_skewed")
    assert any(f"{secs} s ago" in response.json()["detail"] for secs in range(94, 100))
    clock = agent_clock.AgentClock()
    assert clock.learn(response.headers["date"])
    assert abs(clock.now() - time.time() - 125) < 10
    assert agent_clock.skew_text(-125) == "this machine's clock is 125 s behind the chain's"
    assert not clock.learn("yesterday")


async def test_sixty_strangers_are_one_read_of_the_chain(agent: Agent) -> None:
    async with contextlib.AsyncExitStack() as stack:
        keys = [Keypair() for _ in range(60)]
        clients = [await stack.enter_async_context(agent.client(key)) for key in keys]
        results = await asyncio.gather(*(client.status() for client in clients), return_exceptions=True)
    assert {type(result) for result in results} == {NotEntitled}
    # One for the first and, as they take longer than half a poll on a busy machine, a few more.
    assert agent.chain.reads <= 6


async def test_half_open_connections_stop_nothing_and_are_dropped(agent: Agent) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(agent.loop.run(stopping))
    async with holding(agent.port, 1_100, HALF_A_REQUEST) as streams:
        assert await agent.looks(5, within_secs=20)
        async with agent.client() as client:
            assert (await client.status()).phase is Phase.IDLE
        assert all(await asyncio.gather(*(is_dropped(stream, 3 * HEADER_SECS) for stream in streams)))
    stopping.set()
    await asyncio.wait_for(running, 10)


async def test_a_connection_that_sends_nothing_after_an_answer_is_dropped_too(agent: Agent) -> None:
    async with holding(agent.port, 1, b"GET /v1/none HTTP/1.1\r\nhost: agent\r\n\r\nGET") as streams:
        assert b"404" in await streams[0][0].readline()
        assert await is_dropped(streams[0], 3 * HEADER_SECS)


async def test_one_address_has_a_share_of_the_connections(agent: Agent) -> None:
    async with holding(agent.port, MAX_PER_ADDRESS + 20, b"") as streams:
        assert await is_dropped(streams[19], HEADER_SECS - 1)
        assert not await is_dropped(streams[-1], 0.2)


async def test_no_body_is_read_that_nobody_signed(agent: Agent) -> None:
    """The renter's keys are public: naming one is not enough."""
    signed = sign_request(SESSION, lease_view().node, "POST", "/v1/start", b" ", time.time())
    forged = {**signed, "ionet-body": sha256(b"x" * 60_000).hexdigest()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in forged.items())
    head = f"POST /v1/start HTTP/1.1\r\nhost: agent\r\ncontent-length: 60000\r\n{lines}\r\n".encode()
    async with holding(agent.port, 1, head) as streams:
        assert b"401" in await streams[0][0].readline()


async def test_a_body_that_does_not_come_is_given_up(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_SECS", 0.5)
    signed = sign_request(SESSION, lease_view().node, "POST", "/v1/start", b"12", time.time())
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    head = f"POST /v1/start HTTP/1.1\r\nhost: agent\r\ncontent-length: 2\r\n{lines}\r\n1".encode()
    async with holding(agent.port, 1, head) as streams:
        assert b"408" in await streams[0][0].readline()
        assert await is_dropped(streams[0], 3 * HEADER_SECS)


def test_an_agent_may_open_as_many_files_as_the_system_lets_it() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        assert raise_file_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 512
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_nobody_there() -> None:
    [port] = free_range(1)
    async with AgentClient(f"http://127.0.0.1:{port}", lease_view().node, SESSION) as client:
        with pytest.raises(AgentUnreachable):
            await client.status()

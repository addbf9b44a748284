"""Strangers cannot stop an agent from outside, and a wrong clock is not a reason to refuse anybody."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from agent.hostile import holding, is_dropped
from agent.memory_chain import MemoryChain
from agent.memory_provider import MemoryProvider
from ionet.agent_api import AgentClient, Phase, Role, Spec
from ionet.agent_delegation import Delegated, delegate
from ionet.agent_errors import AgentUnreachable, BadRequest, NotEntitled
from ionet.agent_tls import calling_context, serving_context
from ionet.daemon import raise_file_limit
from ionet.lease_view import NodeView
from ionet_agent import server
from ionet_agent.auth import Gate
from ionet_agent.journal import Journal
from ionet_agent.loop import Loop
from ionet_agent.opening import Opening
from ionet_agent.report import measure
from ionet_agent.serve import HEADER_SECS, MAX_PER_ADDRESS, serving, serving_on
from ionet_agent.server import Api
from launcher.ports import free_range
from leases import CLUSTER, DEVICE, RENTER, SESSION, lease_view
from solders.keypair import Keypair
from waiting import until

POLL_SECS = 0.4
STRANGER = Keypair.from_seed(bytes([9] * 32))
# The header of a record of TLS that announces more than ever comes.
HELLO = bytes.fromhex("1603010200010001fc0303")
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
        self.loop = Loop(self.chain, self.journal, provider, opening, report_hash=bytes(32), poll_secs=POLL_SECS)
        gate = Gate(self.loop.view)
        self.app, self.port = Api(gate, self.journal, opening, provider, measure()).app(), 0

    def client(self, key: Keypair | Delegated = SESSION) -> AgentClient:
        return AgentClient(f"https://127.0.0.1:{self.port}", DEVICE.pubkey(), key)

    async def looks(self, times: int, within_secs: float) -> bool:
        """Whether the agent reads the chain `times` times more."""
        wanted, deadline = self.chain.reads + times, time.monotonic() + within_secs
        while self.chain.reads < wanted and time.monotonic() < deadline:  # noqa: ASYNC110 (the chain has no event)
            await asyncio.sleep(0.05)
        return self.chain.reads >= wanted


@pytest_asyncio.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    made = Agent(tmp_path)
    async with serving(made.app, "127.0.0.1", 0, serving_context(DEVICE)) as made.port:
        yield made
    made.journal.close()


@pytest.mark.parametrize("ahead", [-300, 300])
async def test_five_minutes_of_clock_difference_do_no_harm(agent: Agent, ahead: int) -> None:
    agent.ahead = ahead
    for caller in (SESSION, delegate(RENTER, CLUSTER, time.time())):
        async with agent.client(caller) as client:
            assert (await client.status()).phase is Phase.IDLE


@pytest.mark.parametrize("changed", [{"token": "a\0b"}, {"address": "127.0.0.1:7\n"}])
async def test_what_no_process_can_be_given_is_refused(agent: Agent, changed: dict[str, str]) -> None:
    lease = agent.chain.lease
    assert lease is not None
    spec = Spec(str(lease.address), str(lease.cluster), Role.HEAD, "127.0.0.1:7", lease.processors, "t", "c", "c", "k")
    async with agent.client() as client:
        with pytest.raises(BadRequest, match="a line of text each"):
            await client.start(msgspec.structs.replace(spec, **changed))


async def test_nothing_that_a_member_leaves_ends_the_machine_side(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking over, and each look: what fails in a way that nobody foresaw is an alarm, and over when it is over."""
    failing, provider = [True], agent.loop._provider

    def breaks(usual: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        async def call() -> Any:
            if failing:
                raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
            return await usual()

        return call

    for name in ("adopt", "tend"):
        monkeypatch.setattr(provider, name, breaks(getattr(provider, name)))
    stopping = asyncio.Event()
    running = asyncio.create_task(agent.loop.run(stopping))
    await until(lambda: agent.loop.alarms.own, "it has an alarm")
    failing.clear()
    await until(lambda: not agent.loop.alarms.own, "it has none any more")
    assert await agent.looks(2, within_secs=20)
    failing.append(True)
    await until(lambda: "machine" in agent.loop.alarms.own, "it has the machine's alarm")
    failing.clear()
    stopping.set()
    await asyncio.wait_for(running, 30)


async def refused(client: AgentClient) -> None:
    """Again and again: sixty handshakes at once take a busy machine longer than a client waits for one."""
    while True:
        try:
            await client.status()
        except NotEntitled:
            return
        except AgentUnreachable:
            continue


async def test_sixty_strangers_are_one_read_of_the_chain(agent: Agent) -> None:
    async with contextlib.AsyncExitStack() as stack:
        keys = [Keypair() for _ in range(60)]
        clients = [await stack.enter_async_context(agent.client(key)) for key in keys]
        begun = time.monotonic()
        await asyncio.gather(*map(refused, clients))
    # One for the first and, where they take longer than half a poll, one more for each.
    assert agent.chain.reads <= 2 + (time.monotonic() - begun) / (POLL_SECS / 2)


@pytest.mark.parametrize("sent", [b"", HELLO], ids=["nothing", "half a handshake"])
async def test_a_thousand_connections_before_their_handshake_stop_nothing(agent: Agent, sent: bytes) -> None:
    await serves_meanwhile(agent, 1_100, sent, None)


async def test_half_requests_of_strangers_stop_nothing_and_are_dropped(agent: Agent) -> None:
    await serves_meanwhile(agent, 300, HALF_A_REQUEST, calling_context(DEVICE.pubkey(), STRANGER))


async def serves_meanwhile(agent: Agent, count: int, sent: bytes, tls: ssl.SSLContext | None) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(agent.loop.run(stopping))
    async with holding(agent.port, count, sent, tls) as streams:
        assert await agent.looks(5, within_secs=20)
        async with agent.client() as client:
            assert (await client.status()).phase is Phase.IDLE
        assert all(await asyncio.gather(*(is_dropped(stream, 3 * HEADER_SECS) for stream in streams)))
    stopping.set()
    await asyncio.wait_for(running, 10)


async def test_a_handshake_that_comes_byte_by_byte_is_given_up(agent: Agent) -> None:
    """Its time counts from the first byte, and sending more does not make it longer."""
    async with holding(agent.port, 1, b"") as [stream]:
        begun = time.monotonic()
        dropped = asyncio.create_task(is_dropped(stream, 3 * HEADER_SECS))
        for byte in HELLO * 100:
            stream[1].write(bytes([byte]))
            await asyncio.wait({dropped}, timeout=0.1)
            if dropped.done():
                break
        assert await dropped
        assert time.monotonic() - begun < 2 * HEADER_SECS


async def test_a_connection_that_sends_nothing_after_an_answer_is_dropped_too(agent: Agent) -> None:
    sent = b"GET /v1/none HTTP/1.1\r\nhost: agent\r\n\r\nGET"
    async with holding(agent.port, 1, sent, calling_context(DEVICE.pubkey(), SESSION)) as streams:
        assert b"404" in await streams[0][0].readline()
        assert await is_dropped(streams[0], 3 * HEADER_SECS)


async def test_one_address_has_a_share_of_the_connections(agent: Agent) -> None:
    async with holding(agent.port, MAX_PER_ADDRESS + 20, b"") as streams:
        assert await is_dropped(streams[19], HEADER_SECS - 1)
        assert not await is_dropped(streams[-1], 0.2)


async def test_connections_from_loopback_push_out_no_caller_of_a_relay(tmp_path: Path) -> None:
    """A renter's code may be on loopback. The callers of each relay are counted on their own."""
    agent = Agent(tmp_path)
    tls, calling = serving_context(DEVICE), calling_context(DEVICE.pubkey(), SESSION)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serving_on(agent.app, listener, tls) as connect:
            (reader, writer), *others = [await connect(name) for name in ("relay", *MAX_PER_ADDRESS * ["another"])]
            await writer.start_tls(calling, server_hostname="agent")
            async with holding(listener.getsockname()[1], MAX_PER_ADDRESS + 20, b"") as streams:
                assert await is_dropped(streams[19], HEADER_SECS)
                writer.write(b"GET /v1/none HTTP/1.1\r\nhost: agent\r\n\r\n")
                assert b"404" in await reader.readline()
            for stream in (*others, (reader, writer)):
                stream[1].transport.abort()


async def test_no_header_says_who_calls() -> None:
    """From loopback, where a renter's code may be: uvicorn by itself believes whoever is there."""
    seen: list[Any] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        seen.append((scope["client"][0], scope["scheme"], scope["state"]["key"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    head = b"GET / HTTP/1.1\r\nhost: agent\r\nx-forwarded-for: 203.0.113.9\r\nx-forwarded-proto: http\r\n\r\n"
    calling = calling_context(DEVICE.pubkey(), STRANGER)
    async with (
        serving(app, "127.0.0.1", 0, serving_context(DEVICE)) as port,
        holding(port, 1, head, calling) as [stream],
    ):
        assert b"204" in await stream[0].readline()
    assert seen == [("127.0.0.1", "https", STRANGER.pubkey())]


async def test_no_body_of_a_stranger_is_read(agent: Agent) -> None:
    """The renter's keys are public: to show another one is not enough."""
    head = b"POST /v1/start HTTP/1.1\r\nhost: agent\r\ncontent-length: 60000\r\n\r\n"
    async with holding(agent.port, 1, head, calling_context(DEVICE.pubkey(), STRANGER)) as streams:
        assert b"403" in await streams[0][0].readline()


@pytest.mark.parametrize("body", [b'{"lease":"\xff"}', b"[" * 5000, b'{"lease":' + b"[" * 5000, b"\0", b""])
async def test_a_body_that_is_no_json_of_its_kind_is_a_bad_request(agent: Agent, body: bytes) -> None:
    for path in (b"start", b"stop", b"challenge", b"network"):
        head = b"POST /v1/%b HTTP/1.1\r\nhost: agent\r\ncontent-length: %d\r\n\r\n" % (path, len(body))
        async with holding(agent.port, 1, head + body, calling_context(DEVICE.pubkey(), SESSION)) as streams:
            assert b"422" in await streams[0][0].readline()


async def test_a_body_that_does_not_come_is_given_up(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_SECS", 0.5)
    head = b"POST /v1/start HTTP/1.1\r\nhost: agent\r\ncontent-length: 2\r\n\r\n1"
    async with holding(agent.port, 1, head, calling_context(DEVICE.pubkey(), SESSION)) as streams:
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
    async with AgentClient(f"https://127.0.0.1:{port}", DEVICE.pubkey(), SESSION) as client:
        with pytest.raises(AgentUnreachable):
            await client.status()

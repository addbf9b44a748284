"""Ports of a member through its agent, over real TLS: who reaches which, how much at once, and what a liar gets.

The member is of this process, with what listens in it; whose sockets are a lease's is `test_listening`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from agent.memory_chain import MemoryChain
from agent.memory_provider import MemoryProvider
from agent.places import place
from ionet.agent_api import AgentClient, Role, Spec
from ionet.agent_delegation import Delegated, delegate
from ionet.agent_errors import (
    AgentError,
    BadRequest,
    NodeIdle,
    NotEntitled,
    OtherKey,
    OtherLease,
    TooManyPorts,
)
from ionet.agent_ports import MAX_LINE, MAX_PROGRAM, PROTOCOL, Port, Stream
from ionet.agent_tls import calling_context, serving_context
from ionet.lease_view import LeaseView
from ionet.listening import listen
from ionet.renting import tunnel as tunnels
from ionet.renting.tunnel import Forward, tunnel
from ionet_agent import ports
from ionet_agent.auth import Gate
from ionet_agent.journal import Journal
from ionet_agent.loop import Loop
from ionet_agent.opening import Opening
from ionet_agent.ports import MOST_TUNNELS, MemberPorts
from ionet_agent.report import measure
from ionet_agent.serve import serving_on
from ionet_agent.server import Api
from ionet_agent.use import Use
from leases import CLUSTER, DEVICE, RENTER, SESSION, lease_view
from solders.keypair import Keypair
from waiting import until

STRANGER = Keypair.from_seed(bytes([9] * 32))
SECS = 30
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


class Member(MemoryProvider):
    """Of its lease are the ports in `open`; `Printed` has no streams, so programs are none here."""

    def __init__(self) -> None:
        super().__init__()
        self.open: set[int] = set()
        self.ports = dict.fromkeys((Port.CHECK, Port.RAY, Port.DASHBOARD), 1)

    async def listener(self, port: int) -> str | None:
        return "127.0.0.1" if port in self.open else None


@dataclass
class Machine:
    """A node's agent, as far as ports go. url: of its API; `lease` may be changed."""

    chain: MemoryChain
    loop: Loop
    member: Member
    use: Use
    lease: LeaseView
    url: str

    def client(self, caller: Keypair | Delegated = SESSION, device: Keypair = DEVICE) -> AgentClient:
        return AgentClient(self.url, device.pubkey(), caller)

    async def reach(
        self, port: Port | int, caller: Keypair | Delegated = SESSION, lease: str | None = None, program: bytes = b""
    ) -> Stream:
        async with self.client(caller) as agent:
            return await agent.ports.reach(port, lease or str(self.lease.address), program)

    async def raw(self, sent: bytes, caller: Keypair = SESSION) -> bytes:
        """What comes back for a first line of one's own, to the connection's end."""
        tls = calling_context(DEVICE.pubkey(), caller)
        tls.set_alpn_protocols([PROTOCOL])
        host, number = self.url.removeprefix("https://").split(":")
        reader, writer = await asyncio.open_connection(host, int(number), ssl=tls, server_hostname="")
        try:
            writer.write(sent)
            return await asyncio.wait_for(reader.read(), SECS)
        finally:
            writer.transport.abort()


@pytest_asyncio.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    chain = MemoryChain(lease_view(), lambda: int(time.time()))
    assert chain.lease is not None
    journal, member = Journal(tmp_path / "journal"), Member()
    opening = Opening(journal)
    loop = Loop(chain, journal, member, opening, report_hash=bytes(32), poll_secs=0.2)
    gate, use = Gate(loop.view), Use(member)
    api = Api(gate, journal, opening, member, measure(isolation=place(tmp_path).about()))
    listener = listen("127.0.0.1", 0, "--listen")
    served = MemberPorts(gate, None, member.ports, member, use)
    async with serving_on(api.app(), listener, serving_context(DEVICE), served.serve):
        await loop.tick()
        texts = dict.fromkeys(("address", "token", "ca", "certificate", "key"), "x")
        spec = Spec(lease=str(chain.lease.address), cluster=str(CLUSTER), role=Role.HEAD, processors=2, **texts)
        await member.start(spec)
        await use.look()
        yield Machine(chain, loop, member, use, chain.lease, f"https://127.0.0.1:{listener.getsockname()[1]}")
    journal.close()


@asynccontextmanager
async def served(member: Member, serve: Serve) -> AsyncIterator[int]:
    """A port of the lease."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        member.open.add(port)
        yield port


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1024):
        writer.write(data)
        await writer.drain()
    writer.close()


def renters() -> Delegated:
    """A key to which the renter's wallet has delegated."""
    return delegate(RENTER, CLUSTER, time.time())


@asynccontextmanager
async def caller(port: int) -> AsyncIterator[Stream]:
    """Of a port of this machine."""
    stream = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield stream
    finally:
        stream[1].transport.abort()


async def said_back(stream: Stream, text: bytes = b"hello") -> bool:
    stream[1].write(text)
    return await asyncio.wait_for(stream[0].readexactly(len(text)), SECS) == text


# -- A hostile renter, or nobody's


async def test_bytes_go_both_ways_for_whoever_may_act(machine: Machine) -> None:
    async with served(machine.member, echo) as port:
        for caller in (SESSION, renters()):
            stream = await machine.reach(port, caller)
            assert await said_back(stream)
            assert machine.use.idle_secs(str(machine.lease.address)) == 0.0
            stream[1].transport.abort()


async def test_other_keys_ports_and_leases_are_refused(machine: Machine) -> None:
    async with served(machine.member, echo) as port:
        for caller in (STRANGER, delegate(STRANGER, CLUSTER, time.time())):
            with pytest.raises(NotEntitled):
                await machine.reach(port, caller)
        with pytest.raises(OtherLease):
            await machine.reach(port, lease=str(STRANGER.pubkey()))
        # The check is the launcher's own, whatever the wallet says.
        with pytest.raises(NotEntitled):
            await machine.reach(Port.CHECK, renters())
        machine.member.open.clear()
        with pytest.raises(NodeIdle, match=f"no process of the lease listens on port {port}"):
            await machine.reach(port)
    for number in (0, 65536, -1):
        with pytest.raises(BadRequest):
            await machine.reach(number)
    for program in (b"", b"x" * (MAX_PROGRAM + 1)):
        with pytest.raises(BadRequest, match="a program has 1 to"):
            await machine.reach(Port.PROGRAM, program=program)
    await machine.member.stop(str(machine.lease.address))
    with pytest.raises(NodeIdle):
        await machine.reach(1)


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"{}\n",
        b"[" * MAX_LINE + b"\n",
        b'{"lease": "' + b"x" * MAX_LINE + b'", "port": 1}\n',
        b"x" * 200_000,
        b'{"lease": "x", "port": 1, "more": 1}\n',
        b"",
    ],
)
async def test_what_is_no_first_line_is_answered_and_over(
    machine: Machine, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_LINE_SECS", 0.3)
    try:
        answer = await machine.raw(line)
    except ConnectionResetError:  # it has said so, while more was on its way
        assert len(line) > MAX_PROGRAM
        return
    assert b'"code":"bad_request"' in answer, answer
    assert machine.use.idle_secs(str(machine.lease.address)) != 0.0


async def test_one_connection_too_many_is_refused_until_another_has_ended(machine: Machine) -> None:
    async with served(machine.member, echo) as port:
        streams = [await machine.reach(port) for _ in range(MOST_TUNNELS)]
        with pytest.raises(TooManyPorts, match=f"at most {MOST_TUNNELS}"):
            await machine.reach(port)
        assert await said_back(streams[-1])
        _, ended = streams.pop()
        ended.transport.abort()
        async with asyncio.timeout(SECS):
            while True:
                try:
                    streams.append(await machine.reach(port))
                    break
                except TooManyPorts:
                    await asyncio.sleep(0.01)
        for _, writer in streams:
            writer.transport.abort()


async def test_a_connection_ends_with_the_right_to_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no earlier: a chain that does not answer ends nothing."""
    monkeypatch.setattr(ports, "_MAY_SECS", 0.02)
    asked, view = 0, machine.chain.view

    async def counted(others: object = ()) -> object:
        nonlocal asked
        asked += 1
        return await view(others)  # type: ignore[arg-type]

    async with served(machine.member, echo) as port:
        stream = await machine.reach(port)
        await asyncio.sleep(0.1)
        assert await said_back(stream)
        monkeypatch.setattr(machine.chain, "view", counted)
        machine.chain.lease = None
        await machine.loop.tick()
        assert await asyncio.wait_for(stream[0].read(), SECS) == b""
        assert asked > 0
        await until(lambda: machine.use.idle_secs(str(machine.lease.address)) != 0.0, "nobody connected")


async def test_a_connection_that_carries_nothing_is_closed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would count as use for ever, and hold one of the places; whatever it carries keeps it."""
    monkeypatch.setattr(ports, "_MAY_SECS", 0.02)
    async with served(machine.member, echo) as port:
        stream = await machine.reach(port)
        await asyncio.sleep(0.1)
        assert await said_back(stream)
        monkeypatch.setattr(ports, "TUNNEL_IDLE_SECS", 0.0)
        assert await asyncio.wait_for(stream[0].read(), SECS) == b""
        await until(lambda: machine.use.idle_secs(str(machine.lease.address)) != 0.0, "nobody connected")


async def test_who_does_not_read_holds_little(machine: Machine) -> None:
    """What a server of the lease sends to a caller that reads nothing waits in the server."""
    sent, most = 0, 64 * 1024 * 1024

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while sent < most:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with served(machine.member, flood) as port:
        stream = await machine.reach(port)
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(1)
        # Buffers of two connections on loopback, and of this process between them.
        assert sent < 24 * 1024 * 1024, sent
        stream[1].transport.abort()


# -- A hostile agent


class Here:
    """The head of a tunnel, at a known address."""

    def __init__(self, machine: Machine, device: Keypair = DEVICE) -> None:
        self._machine, self._device = machine, device

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[tuple[AgentClient, str]]:
        async with self._machine.client(renters(), self._device) as agent:
            yield agent, str(self._machine.lease.address)


async def test_a_tunnel_takes_as_many_as_it_may_and_the_others_wait(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "MOST", 2)
    async with (
        served(machine.member, echo) as port,
        tunnel(Here(machine), [Forward(0, port)], tmp_path / "t", lambda _: None) as opened,  # type: ignore[arg-type]
    ):
        local = opened.ports[port]
        async with caller(local) as first, caller(local) as second, caller(local) as third:
            assert await said_back(first)
            assert await said_back(second)
            third[1].write(b"hello")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(third[0].readexactly(1), 0.5)
            first[1].close()
            assert await asyncio.wait_for(third[0].readexactly(5), SECS) == b"hello"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", local)


async def test_a_tunnels_connections_end_with_it(machine: Machine, tmp_path: Path) -> None:
    async with served(machine.member, echo) as port, AsyncExitStack() as stack:
        async with tunnel(Here(machine), [Forward(0, port)], tmp_path / "t", print) as opened:  # type: ignore[arg-type]
            stream = await stack.enter_async_context(caller(opened.ports[port]))
            assert await said_back(stream)
        assert await asyncio.wait_for(stream[0].read(), SECS) == b""


async def test_a_refusal_is_told_and_the_tunnel_goes_on(machine: Machine, tmp_path: Path) -> None:
    told: list[str] = []
    async with (
        served(machine.member, echo) as port,
        tunnel(Here(machine), [Forward(0, port)], tmp_path / "t", told.append) as opened,  # type: ignore[arg-type]
    ):
        machine.member.open.clear()
        async with caller(opened.ports[port]) as (reader, _):
            assert await asyncio.wait_for(reader.read(), SECS) == b""
        assert "no process of the lease listens" in told[-1]
        machine.member.open.add(port)
        async with caller(opened.ports[port]) as stream:
            assert await said_back(stream)


async def test_another_key_at_the_agents_address_gets_nothing(machine: Machine, tmp_path: Path) -> None:
    async with machine.client(device=STRANGER) as agent:
        with pytest.raises(OtherKey):
            await agent.ports.reach(1, str(machine.lease.address))
    with pytest.raises(AgentError):
        async with tunnel(Here(machine, STRANGER), [Forward(0, 1)], tmp_path / "t", print):  # type: ignore[arg-type]
            pass

"""Members behind two NATs are in one network within seconds, cannot reach their owners' networks, and leave nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import market
import msgspec
import pytest
import pytest_asyncio
from ionet.wallet import write_keypair
from ionet_agent.overlay.base import Member, Peer
from ionet_agent.overlay.loopback import Loopback
from ionet_agent.overlay.tools import Backend
from netlab import GATEWAY, PUBLIC, Host, Lab, missing, netlab
from ordinary_user import AS_USER, give, why_no_network
from relay.place import Relay
from relay.test_nat import chain_on
from waiting import until

if WHY := missing():
    pytest.skip(WHY, allow_module_level=True)
for program in ("wg", "wireguard-go", "pasta", "nsenter", "unshare", "setpriv"):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed", allow_module_level=True)
TESTS = Path(__file__).parents[1]
UNTIL = int(time.time()) + 3600
ADDRESSES = ("10.77.0.2", "10.77.0.3")


@dataclass
class Agent:
    """One member's network, held by a process on a machine of the lab."""

    host: Host
    machine: market.Machine
    folder: Path
    prefix: tuple[str, ...]
    backend: Backend | None
    tools: Path | None = None
    """A folder of programs that are found before those of the system."""
    process: subprocess.Popen[bytes] | None = None
    enter: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        device = self.folder / "device.json"
        if not device.exists():
            write_keypair(device, self.machine.device)
        if self.prefix:
            give(self.folder, device)
        words = [str(TESTS / "agent/overlay_member.py"), str(self.folder / "overlay"), str(device)]
        words += [str(self.machine.address), *([self.backend] if self.backend else [])]
        command = self.host.command(*self.prefix, sys.executable, *words)
        pipe = subprocess.PIPE
        before = [str(self.tools)] if self.tools else []
        environment = {**os.environ, "PATH": ":".join([*before, os.environ["PATH"]])}
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd="/", env=environment)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(20)
            for end in (self.process.stdin, self.process.stdout):
                assert end is not None
                end.close()
            self.process = None

    async def ask(self, name: str, *arguments: object) -> Any:
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(msgspec.json.encode([name, *arguments]) + b"\n")
        self.process.stdin.flush()
        line = await asyncio.wait_for(asyncio.to_thread(self.process.stdout.readline), 90)
        return msgspec.json.decode(line)

    async def up(self, member: Member, peers: list[Peer]) -> None:
        assert await self.ask("up", member, peers) == member.address
        self.enter = await self.ask("enter")
        assert self.enter

    def inside(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command in the member's network."""
        return self.host.run(*self.prefix, *self.enter, *words, check=check, timeout=60)

    def reaches(self, address: str, port: int = 9) -> bool:
        """Whether somebody answers a member's connection, be it by refusing it."""
        script = f"""
import socket
try:
    socket.create_connection(("{address}", {port}), 2)
except ConnectionRefusedError:
    pass
"""
        return self.inside(sys.executable, "-c", script, check=False).returncode == 0


@dataclass
class Place:
    lab: Lab
    market: market.Market
    url: str
    agents: list[Agent]
    before: frozenset[str] = frozenset()

    def relay(self, port: int) -> Relay:
        return Relay(self.url, port=port, udp_port=port, host=PUBLIC, prefix=tuple(self.lab.r.command()))


WAYS = {
    "root": ((), Backend.TUN),
    "ordinary user": (AS_USER, Backend.PASTA),
}


@pytest_asyncio.fixture(params=WAYS, ids=list(WAYS))
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with placed(*WAYS[request.param]) as made:
        yield made


@contextlib.asynccontextmanager
async def placed(prefix: tuple[str, ...], backend: Backend) -> AsyncIterator[Place]:
    if prefix and (why := why_no_network()):
        pytest.skip(why)
    # Not pytest's own folder, into which an ordinary user cannot look.
    before = frozenset(left_on_machine())  # a run that was killed leaves its own behind
    folder = Path(tempfile.mkdtemp(prefix="overlay-"))
    os.chmod(folder, 0o755)
    with netlab(random_ports=True) as lab:
        lab.clears(folder)
        async with market.market() as founded, chain_on(lab.r, founded.net.rpc_url) as url:
            agents = []
            for name, host in (("a", lab.a), ("b", lab.b)):
                machine = await founded.add_machine(name)
                agents.append(Agent(host, machine, folder / name, prefix, backend))
            try:
                for agent in agents:
                    agent.start()
                yield Place(lab, founded, url, agents, before)
            finally:
                for agent in agents:
                    if agent.process is not None:
                        await agent.ask("down")
                    agent.kill()
    shutil.rmtree(folder)


async def join(place: Place, *relays: Relay, internet: bool = False, endpoint: str | None = None) -> None:
    """Both members. endpoint: where the first can be dialled, if it can."""
    keys = [await agent.ask("prepare", f"lease {number}") for number, agent in enumerate(place.agents)]
    for number, agent in enumerate(place.agents):
        other = 1 - number
        peer = Peer(
            str(place.agents[other].machine.address), keys[other], ADDRESSES[other], endpoint if other == 0 else None
        )
        port = int(endpoint.rpartition(":")[2]) if endpoint and number == 0 else 0
        member = Member(
            lease=f"lease {number}",
            node=str(agent.machine.address),
            address=ADDRESSES[number],
            tag="ab" * 16,
            until=UNTIL,
            relays=tuple(relay.udp for relay in relays),
            endpoint=endpoint if number == 0 else None,
            port=port,
            internet=internet,
        )
        await agent.up(member, [peer])


async def reaches_the_other(agent: Agent, address: str) -> bool:
    return isinstance(await agent.ask("latency", address), float)


def left_on_machine() -> list[str]:
    """Processes and sockets of any overlay of this machine."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and b"IONET_PROCESS_TAG=overlay-" in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
            if entry.name.isdecimal() and b"pasta\0" in (entry / "cmdline").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found + [path.name for path in Path("/var/run/wireguard").glob("io*")]


def leftovers(place: Place) -> list[str]:
    """What there is of any overlay that was not there before: processes, sockets, interfaces, files."""
    found = [one for one in left_on_machine() if one not in place.before]
    found += [name for agent in place.agents for name in agent.host.interfaces() if name not in ("lo", "eth0")]
    found += [str(path) for agent in place.agents for path in (agent.folder / "overlay").glob("*")]
    return found


async def test_two_behind_nats_reach_each_other_and_nothing_else_and_leave_nothing(place: Place) -> None:
    relay = place.relay(7443)
    one, two = place.agents
    try:
        await relay.start()
        began = time.monotonic()
        await join(place, relay)
        await until(lambda: reaches_the_other(one, ADDRESSES[1]), "a way", within=30)
        await until(lambda: reaches_the_other(two, ADDRESSES[0]), "and back", within=30)
        print(f"a way after {time.monotonic() - began:.1f} s, {await one.ask('latency', ADDRESSES[1]):.1f} ms")
        for agent in (one, two):
            assert not agent.reaches(GATEWAY)
            assert not agent.reaches("192.168.1.2")
            assert not agent.reaches(PUBLIC)
        assert place.lab.a.reaches(GATEWAY, 9)
        names = one.inside("ip", "-brief", "link").stdout.split()
        assert [name for name in names if name.startswith(("eth", "wan", "veth"))] == []

        # An agent that is killed: what runs goes on, and the next one takes it over or removes it.
        one.kill()
        assert one.reaches(ADDRESSES[1])
        one.start()
        await join(place, relay)
        assert await reaches_the_other(one, ADDRESSES[1])
        one.kill()
        one.start()
        for agent in (one, two):
            await agent.ask("down")
            await agent.ask("down")
        assert leftovers(place) == []
    finally:
        relay.kill()


async def test_a_relay_that_is_killed_costs_seconds_and_so_does_the_last_one_until_it_is_back(place: Place) -> None:
    first, second = place.relay(7443), place.relay(7444)
    one = place.agents[0]
    try:
        for relay in (first, second):
            await relay.start()
        await join(place, first, second)
        await until(lambda: reaches_the_other(one, ADDRESSES[1]), "a way", within=30)
        first.kill()
        await until(lambda: reaches_the_other(one, ADDRESSES[1]), "by the second", within=30)
        second.kill()
        await second.start()
        await until(lambda: reaches_the_other(one, ADDRESSES[1]), "by the second, which is back", within=40)
    finally:
        for relay in (first, second):
            relay.kill()


async def test_with_the_owners_leave_the_internet_is_reached_and_still_not_the_owners_network(place: Place) -> None:
    one, relay = place.agents[0], place.relay(7443)
    try:
        await relay.start()
        await join(place, relay, internet=True)
        await until(lambda: reaches_the_other(one, ADDRESSES[1]), "a way", within=30)
        assert one.reaches(PUBLIC, 7443)
        with contextlib.ExitStack() as stack:
            for host, address in ((place.lab.nat_a, GATEWAY), (place.lab.a, "192.168.1.2")):
                stack.enter_context(host.call(lambda address=address: socket.create_server((address, 8080))))  # type: ignore[misc]
                assert place.lab.a.reaches(address, 8080)
                assert not one.reaches(address, 8080)
        for agent in place.agents:
            await agent.ask("down")
        assert leftovers(place) == []
    finally:
        relay.kill()


async def test_one_that_can_be_dialled_needs_no_relay() -> None:
    async with placed((), Backend.TUN) as place:
        place.lab.nat_a.run("nft", "add", "chain ip nat pre { type nat hook prerouting priority -100; }")
        place.lab.nat_a.run("nft", "add rule ip nat pre iifname wan udp dport 51820 dnat to 192.168.1.2")
        place.lab.nat_a.run("nft", "insert rule ip guard pass iifname wan udp dport 51820 accept")
        await join(place, endpoint="203.0.113.10:51820")
        await until(lambda: reaches_the_other(place.agents[0], ADDRESSES[1]), "a way", within=30)


async def test_without_a_relay_where_one_is_needed_it_says_so_and_leaves_nothing() -> None:
    async with placed((), Backend.TUN) as place:
        one = place.agents[0]
        key = await one.ask("prepare", "lease 0")
        member = Member("lease 0", str(one.machine.address), ADDRESSES[0], "ab" * 16, int(time.time()) + 60)
        answer = await one.ask("up", member, [Peer(str(one.machine.address), key, ADDRESSES[1])])
        assert "no relay is named" in answer["failed"]
        await one.ask("down")
        assert leftovers(place) == []


@contextlib.asynccontextmanager
async def with_device(script: str) -> AsyncIterator[Agent]:
    """A member whose wireguard-go is this Python script."""
    async with placed((), Backend.TUN) as place:
        one = place.agents[0]
        one.kill()
        one.tools = one.folder / "tools"
        one.tools.mkdir()
        program = one.tools / "wireguard-go"
        program.write_text(f"#!{sys.executable} -IS\nimport os, socket, sys, time\n{script}\n")
        program.chmod(0o755)
        one.start()
        await one.ask("prepare", "lease 0")
        yield one
        await one.ask("down")
        assert leftovers(place) == []


def alone(agent: Agent) -> Member:
    return Member("lease 0", str(agent.machine.address), ADDRESSES[0], "ab" * 16, UNTIL)


async def test_a_device_that_ends_is_not_waited_for_and_its_last_word_is_told() -> None:
    async with with_device('print("it began")\nsys.exit("no such device")') as one:
        answer = await one.ask("up", alone(one), [])
        assert answer["failed"].endswith("wireguard-go has ended: no such device")


async def test_a_device_whose_socket_does_not_listen_yet_keeps_it() -> None:
    script = f"""
path = f"/var/run/wireguard/{{sys.argv[2]}}.sock"
os.makedirs(os.path.dirname(path), exist_ok=True)
slow = socket.socket(socket.AF_UNIX)
slow.bind(path)
time.sleep(1)
os.path.exists(path) or sys.exit("its socket is gone")
os.unlink(path)
os.execv({shutil.which("wireguard-go")!r}, sys.argv)
"""
    async with with_device(script) as one:
        assert await one.ask("up", alone(one), []) == ADDRESSES[0]


async def test_on_one_machine_there_is_nothing_to_do() -> None:
    overlay = Loopback()
    member = Member(await overlay.prepare("lease"), "node", "127.0.9.1", "", 0)
    assert await overlay.up(member, []) == "127.0.9.1"
    assert overlay.enter == ()
    await overlay.down()

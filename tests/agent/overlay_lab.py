"""Two machines of `netlab` behind NATs, each with an overlay's member as a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
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
from ionet.wallet import write_keypair
from ionet_agent.overlay.base import Member, Peer
from ionet_agent.overlay.tools import Backend
from netlab import PUBLIC, Host, Lab, missing, netlab
from ordinary_user import AS_USER, give, why_no_network
from relay.place import Relay
from relay.test_nat import chain_on

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


def why_no_lab() -> str:
    """Why there can be no overlays between machines of a lab here; empty when there can."""
    for program in ("wg", "wireguard-go", "pasta", "nsenter", "unshare", "setpriv"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return missing()


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


def forward(place: Place) -> str:
    """A port of the first member's NAT leads to it; returns where it can be dialled."""
    router = place.lab.nat_a
    router.run("nft", "add", "chain ip nat pre { type nat hook prerouting priority -100; }")
    router.run("nft", "add rule ip nat pre iifname wan udp dport 51820 dnat to 192.168.1.2")
    router.run("nft", "insert rule ip guard pass iifname wan udp dport 51820 accept")
    return "203.0.113.10:51820"


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

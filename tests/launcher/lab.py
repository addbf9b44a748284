"""Two nodes behind NATs and a relay, machines of `netlab`; chain, database and launcher beside them, all real.

The launcher is on the relay's machine. Each machine reaches chain and indexer at its own loopback, and nothing else
that is not in the lab.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import netlab
from agent.places import TRUSTING
from ionet.wallet import write_keypair
from ionet_agent.relay import splice
from launcher.stack import PORTS_PER_NODE, SESSION, Command, NodeProcess, Stack
from market import Market
from netlab import PUBLIC, Host, Lab
from ordinary_user import AS_USER, give
from relay.place import Relay

FIRST_PORT = 21_000
"""Of a node's Ray processes: each has a network of its own, so all may take the same."""


@dataclass
class LabStack(Stack):
    """relay: through which the nodes are reached, and reach each other."""

    lab: Lab = field(kw_only=True)
    relays: list[Relay] = field(default_factory=list)
    before: frozenset[str] = field(default_factory=frozenset)
    """Sockets of other clusters' networks, as a killed run leaves them."""

    def __post_init__(self) -> None:
        self.before = frozenset(_sockets())

    def host(self, node: NodeProcess) -> Host:
        return (self.lab.a, self.lab.b)[self.nodes.index(node)]

    def way(self, node: NodeProcess) -> tuple[tuple[str, str], tuple[str, str]]:  # noqa: ARG002
        told = ("--agent", f"https://{self.relays[0].at}")
        return told, told

    def processes(self) -> dict[int, str]:
        """Those of clusters' networks on these nodes, with their commands: what an agent starts has its PATH."""
        found, mark = {}, str(self.folder).encode()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if not entry.name.isdecimal():
                    continue
                command = (entry / "cmdline").read_bytes()
                environment = (entry / "environ").read_bytes()
                tagged = b"IONET_PROCESS_TAG=overlay-" in environment and mark in environment
                if tagged or (command.startswith(b"pasta") and mark in command):  # which hides its environment
                    found[int(entry.name)] = command.decode().replace("\0", " ")
        return found

    def leftovers(self) -> list[str]:
        """What there is of a network of a cluster: processes, interfaces, sockets."""
        found = list(self.processes().values())
        for host in (self.lab.a, self.lab.b):
            found += [name for name in host.interfaces() if name not in ("lo", "eth0")]
        return found + [name for name in _sockets() if name not in self.before]


def _sockets() -> list[str]:
    return [path.name for path in Path("/var/run/wireguard").glob("io*")]


@contextlib.asynccontextmanager
async def reached_from(host: Host, url: str) -> AsyncIterator[str]:
    """A server of this machine, on loopback of a machine of the lab."""
    listener = host.call(lambda: socket.create_server(("127.0.0.1", 0)))
    there = urlsplit(url)

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection(there.hostname, there.port)
        except OSError:
            writer.transport.abort()
            return
        await splice((reader, writer), far)

    server = await asyncio.start_server(hand_on, sock=listener)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.close()


@contextlib.asynccontextmanager
async def lab_stack(
    market: Market,
    dsn: str,
    folder: Path,
    *,
    random_ports: bool = False,
    relays: int = 1,
    launcher_options: tuple[str, ...] = (),
    user: tuple[str, ...] = (),
    tools: Path | None = None,
) -> AsyncIterator[LabStack]:
    """Two nodes with agents, an indexer, a launcher and relays on the chain of `market`, all up.

    user: what stands before an agent's command so that it is an ordinary user's; then the folder is one that all may
    look into. tools: a folder of programs that agents find before those of the system.
    """
    async with contextlib.AsyncExitStack() as stack:
        lab = stack.enter_context(netlab.netlab(random_ports=random_ports))
        lab.clears(folder)
        session, agents = folder / "session.json", folder / "agents.json"
        write_keypair(session, SESSION)
        await market.admin.rpc.airdrop(SESSION.pubkey(), 10**10)
        indexer = Command(
            folder / "indexer.log",
            *("--url", market.net.rpc_url, "indexer", "run", "--dsn", dsn, "--port", "0", "--poll", "0.3", "--json"),
        )
        indexer.start()
        stack.push_async_callback(indexer.end, signal.SIGTERM)
        await indexer.ready()
        chain = await stack.enter_async_context(reached_from(lab.r, market.net.rpc_url))
        launcher = Command(
            folder / "launcher.log",
            *("--url", chain, "launcher", "run", "--dsn", dsn, "--session-key", str(session)),
            *("--agents", str(agents), *launcher_options, "--no-close", "--json"),
            prefix=lab.r.command(),
        )
        made = LabStack(market, dsn, folder, indexer, launcher, lab=lab)
        made.renter_prefix, made.renter_url = lab.r.command(), chain
        for number in range(relays):
            port = 7443 + number
            made.relays.append(Relay(chain, port=port, udp_port=port, host=PUBLIC, prefix=tuple(lab.r.command())))
            stack.callback(made.relays[-1].kill)
            await made.relays[-1].start()
        for number, host in enumerate((lab.a, lab.b)):
            urls = [
                await stack.enter_async_context(reached_from(host, url))
                for url in (market.net.rpc_url, indexer.about["api"])
            ]
            path = ":".join([*([str(tools)] if tools else []), os.environ["PATH"], str(folder)])
            # For containers not `ip netns exec`, which hides control groups.
            enter = ["nsenter", f"--net={host.path}"] if tools else host.command()
            node = await _node(made, number, (*enter, *user, "/usr/bin/env", f"PATH={path}"), *urls)
            made.nodes.append(node)
            stack.push_async_callback(node.agent.end, signal.SIGTERM)
        for node in made.nodes:
            await node.agent.ready()
        at = [f"https://{relay.at}" for relay in made.relays]
        agents.write_text(json.dumps({str(node.machine.address): at[0] for node in made.nodes}))
        launcher.start()
        stack.push_async_callback(launcher.end, signal.SIGTERM)
        await launcher.ready()
        yield made


async def _node(made: LabStack, number: int, prefix: tuple[str, ...], chain: str, indexer: str) -> NodeProcess:
    machine = await made.market.add_machine(f"lab {number}")
    await made.market.admin.rpc.airdrop(machine.device.pubkey(), 10**10)
    base, device = made.folder / f"node{number}", made.folder / f"device{number}.json"
    write_keypair(device, machine.device)
    base.mkdir()
    if AS_USER[-1] in prefix:
        give(base, device)
    agent = Command(
        made.folder / f"agent{number}.log",
        *("--url", chain, "agent", "run", "--device-key", str(device), "--base", str(base)),
        *("--network", "wireguard", "--ports", f"{FIRST_PORT}-{FIRST_PORT + PORTS_PER_NODE - 1}"),
        *(word for relay in made.relays for word in ("--relay", relay.at)),
        # Ray may take minutes to start on a busy machine.
        *("--check-secs", "900", "--listen", "127.0.0.1:7444", "--indexer", indexer, "--poll-secs", "0.3", "--json"),
        "--no-settle",
        *TRUSTING,
        prefix=prefix,
    )
    agent.start()
    return NodeProcess(machine, base, agent)

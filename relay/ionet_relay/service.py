"""Runs a relay until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from ionet.client import Client
from ionet.errors import ConfigError
from ionet.listening import listen, packets, refusal
from prometheus_client import start_http_server

from ionet_relay import metrics
from ionet_relay.keys import NodeKeys
from ionet_relay.limits import Limits
from ionet_relay.link import Link
from ionet_relay.shares import Shares
from ionet_relay.tcp import TcpRelay
from ionet_relay.udp import UdpRelay

_WANTED_FILES, _OTHER_FILES = 65_536, 64
_BACKLOG = 256
_SOCKET_BUFFER = 4 * 1024 * 1024
_log = logging.getLogger(__name__)

Address = tuple[str, int]


@dataclass(frozen=True)
class RelayConfig:
    """names: what agents call this relay, each HOST:PORT; empty: its own addresses. metrics: where they are served."""

    url: str
    listen: Address
    udp: Address | None = None
    names: tuple[str, ...] = ()
    metrics: Address | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Bound:
    """Where it listens."""

    tcp: Address
    udp: Address | None
    metrics: Address | None


async def run(config: RelayConfig, announce: Callable[[Bound], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises CannotListen, and ConfigError for too few files."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    _require_files(config.limits)
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(config.url))
        listener = stack.enter_context(listen(*config.listen, "--listen", backlog=_BACKLOG, only_v6=True))
        udp_socket = stack.enter_context(_bind_udp(config.udp)) if config.udp else None
        bound = Bound(_address(listener), _address(udp_socket) if udp_socket else None, _serve_metrics(config, stack))
        names = config.names or tuple(f"{host}:{port}" for host, port in filter(None, (bound.tcp, bound.udp)))
        shares = Shares(config.limits.mbit * 1_000_000 / 8)
        keys = NodeKeys(client.rpc.accounts)
        tcp = TcpRelay(keys, shares, config.limits, names)
        tasks = [tcp.run(), shares.run(), _count(shares)]
        server = await loop.create_server(lambda: Link(tcp), sock=listener, backlog=_BACKLOG)
        stack.callback(server.close)
        if udp_socket is not None:
            udp = UdpRelay(keys, shares, config.limits, names)
            transport, _ = await loop.create_datagram_endpoint(lambda: udp, sock=udp_socket)
            stack.callback(transport.close)
            tasks.append(udp.run())
        running = [asyncio.create_task(task) for task in tasks]
        waiting = asyncio.create_task(stopping.wait())
        try:
            announce(bound)
            # None of them ends by itself: one that does has failed.
            await asyncio.wait([*running, waiting], return_when=asyncio.FIRST_COMPLETED)
            for task in running:
                if task.done():
                    task.result()
        finally:
            for each in (*running, waiting):
                each.cancel()
            await asyncio.gather(*running, waiting, return_exceptions=True)


async def _count(shares: Shares) -> None:
    while True:
        metrics.ACTIVE.set(shares.active)
        await asyncio.sleep(1)


def _require_files(limits: Limits) -> None:
    """Let this process open as many files as the limits may need. Raises ConfigError where it may not."""
    needed = limits.strangers + limits.nodes + 2 * limits.callers + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(needed, _WANTED_FILES) if hard == resource.RLIM_INFINITY else hard
    if allowed < needed:
        raise ConfigError(f"{needed} files are needed for these limits, and at most {allowed} may be open")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _bind_udp(address: Address) -> socket.socket:
    bound = packets(*address, "--udp")
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
    return bound


def _serve_metrics(config: RelayConfig, stack: contextlib.ExitStack | contextlib.AsyncExitStack) -> Address | None:
    if config.metrics is None:
        return None
    host, port = config.metrics
    try:
        server, thread = start_http_server(port, host)
    except OSError as error:
        raise refusal(host, port, "--metrics", error) from error

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    stack.callback(end)
    return host, int(server.server_port)


def _address(listener: socket.socket) -> Address:
    host, port = listener.getsockname()[:2]
    return str(host), int(port)

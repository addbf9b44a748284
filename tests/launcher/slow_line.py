"""A slow line in a lab: what a host sends to the relay over UDP, and its answers, come later. In user space, because
not every kernel has netem."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

from netlab import GATEWAY, PUBLIC, Host

Address = tuple[str, int]


class _End(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, Address], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, address: Address) -> None:
        self._take(data, address)


@contextlib.asynccontextmanager
async def slow_line(router: Host, *, port: int, secs: float) -> AsyncIterator[None]:
    """router: the NAT of the host. port: of the relay at PUBLIC. secs: that a packet takes longer, each way."""
    loop = asyncio.get_running_loop()
    ways: dict[Address, asyncio.DatagramTransport] = {}

    async def end(at: socket.socket, take: Callable[[bytes, Address], None]) -> asyncio.DatagramTransport:
        transport, _ = await loop.create_datagram_endpoint(lambda: _End(take), sock=at)
        return transport

    def leave(data: bytes, host: Address) -> None:
        if host not in ways:
            outside = router.call(lambda: _socket("0.0.0.0"))
            outside.connect((PUBLIC, port))
            opening.add(loop.create_task(_open(host, outside, data)))
            return
        loop.call_later(secs, ways[host].sendto, data)

    async def _open(host: Address, outside: socket.socket, data: bytes) -> None:
        ways[host] = await end(outside, lambda answer, _: _later(answer, host))
        loop.call_later(secs, ways[host].sendto, data)

    def _later(answer: bytes, host: Address) -> None:
        loop.call_later(secs, inside.sendto, answer, host)

    opening: set[asyncio.Task[None]] = set()
    at = router.call(lambda: _socket(GATEWAY))
    inside = await end(at, leave)
    leads = f"add rule ip nat pre iifname lan udp dport {port} dnat to {GATEWAY}:{at.getsockname()[1]}"
    for rule in ("add chain ip nat pre { type nat hook prerouting priority -100; }", leads):
        router.run("nft", rule)
    try:
        yield
    finally:
        for transport in (inside, *ways.values()):
            transport.close()


def _socket(address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind((address, 0))
    return made

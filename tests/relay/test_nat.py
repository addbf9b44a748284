"""Machines behind two NATs reach each other through a relay between them, each a network namespace of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import market
import pytest
import pytest_asyncio
from ionet.relay_name import sni_of
from ionet.wallet import write_keypair
from ionet_agent.relay import splice
from netlab import GATEWAY, INSIDE, PUBLIC, Host, Lab, missing, netlab
from relay.place import Relay, killed_at_end
from waiting import until

if WHY := missing():
    pytest.skip(WHY, allow_module_level=True)
TESTS = Path(__file__).parents[1]


@dataclass
class Place:
    lab: Lab
    market: market.Market
    url: str
    """The chain, as seen from the public machine."""

    def relay(self, port: int) -> Relay:
        """A relay on the public machine that does not run yet."""
        return Relay(self.url, port=port, udp_port=port, host=PUBLIC, prefix=tuple(self.lab.r.command()))


@contextlib.contextmanager
def process(host: Host, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program of the tests on a machine of the lab, killed at the end."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    command = host.command(sys.executable, *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as started:
        try:
            yield started
        finally:
            started.kill()


@contextlib.asynccontextmanager
async def chain_on(host: Host, url: str) -> AsyncIterator[str]:
    """The local chain's RPC on loopback of a machine of the lab."""
    listener = host.call(lambda: socket.create_server(("127.0.0.1", 0)))

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await splice((reader, writer), await asyncio.open_connection("127.0.0.1", urlsplit(url).port or 80))

    server = await asyncio.start_server(hand_on, sock=listener)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.close()


@pytest_asyncio.fixture(params=[False, True], ids=["plain", "random ports"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    with netlab(random_ports=request.param) as lab:
        async with market.market() as founded, chain_on(lab.r, founded.net.rpc_url) as url:
            yield Place(lab, founded, url)


def ask(host: Host, at: str, node: market.Machine, text: bytes = b"hello") -> bytes | None:
    """One call from a machine of the lab; None where it does not get through."""

    def work() -> bytes | None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        address, _, port = at.rpartition(":")
        try:
            with (
                socket.create_connection((address, int(port)), 5) as plain,
                context.wrap_socket(plain, server_hostname=sni_of(node.address)) as tls,
            ):
                tls.sendall(text)
                return tls.recv(100)
        except OSError:
            return None

    return host.call(work)


async def test_nobody_reaches_a_machine_behind_a_nat(place: Place) -> None:
    lab = place.lab
    for host in (lab.a, lab.b):
        assert host.reaches(PUBLIC, 9)
        assert host.reaches(GATEWAY, 9)
    assert not lab.r.reaches("203.0.113.10", 9, within=1)
    assert not lab.r.reaches(INSIDE, 9, within=1)
    assert not lab.b.reaches("203.0.113.10", 9, within=1)


async def test_an_agent_behind_nat_is_reached_and_again_after_its_relays_were_killed(
    place: Place, tmp_path: Path
) -> None:
    machine = await place.market.add_machine("behind")
    write_keypair(tmp_path / "device.json", machine.device)
    one, two = place.relay(7443), place.relay(7444)
    with killed_at_end(one, two):
        for relay in (one, two):
            await relay.start()
        script = [str(TESTS / "relay/behind_nat.py"), str(tmp_path / "device.json"), str(machine.address)]
        with process(place.lab.a, *script, one.at, two.at) as agent:

            async def answers(relay: Relay) -> bool:
                return await asyncio.to_thread(ask, place.lab.b, relay.at, machine) == b"hello"

            await until(lambda: answers(one), "by the first relay")
            await until(lambda: answers(two), "by the second")
            one.kill()
            began = time.monotonic()
            assert await answers(two)
            assert time.monotonic() - began < 10  # a caller that is refused takes the other at once
            await one.start()
            await until(lambda: answers(one), "the first, which is back", within=30)
            for relay in (one, two):
                relay.kill()
            await one.start()
            await until(lambda: answers(one), "after both were gone", within=30)
            assert agent.poll() is None

"""Members behind two NATs are in one network within seconds, cannot reach their owners' networks, and leave nothing."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agent.overlay_lab import (
    ADDRESSES,
    UNTIL,
    WAYS,
    Agent,
    Place,
    forward,
    join,
    leftovers,
    placed,
    reaches_the_other,
    why_no_lab,
)
from ionet_agent.overlay.base import Member, Peer
from ionet_agent.overlay.loopback import Loopback
from ionet_agent.overlay.tools import Backend
from netlab import GATEWAY, PUBLIC
from waiting import until

if WHY := why_no_lab():
    pytest.skip(WHY, allow_module_level=True)


@pytest_asyncio.fixture(params=WAYS, ids=list(WAYS))
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with placed(*WAYS[request.param]) as made:
        yield made


@pytest.mark.matrix
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


@pytest.mark.drill
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


@pytest.mark.matrix
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
        await join(place, endpoint=forward(place))
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

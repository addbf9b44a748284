"""How fast the way between a node and a relay is: measured by both, bounded whoever is hostile."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from ionet.relay_name import sni_of
from ionet.relay_wire import (
    DATA,
    MEASURE_BYTES,
    Hello,
    Measure,
    Measured,
    Measuring,
    Open,
    Welcome,
    decode,
    encode,
)
from ionet_agent.bandwidth import NotMeasured, measure
from ionet_agent.relay import RelayAddress, Relays
from relay.conftest import Place
from relay.place import to_port
from relay.spoken import Agent, connect, control, hello, last_words
from waiting import until

TOKEN = "0" * 32


async def asked(place: Place, agent: Agent) -> Measuring:
    """What the relay says to a node that wants to measure."""
    said = await agent.log_in(place, place.one.address, place.one.device)
    assert said == Welcome(measures=True)
    agent.writer.write(encode(Measure()))
    answer = await agent.read()
    assert isinstance(answer, Measuring)
    return answer


async def test_an_agent_knows_how_fast_the_way_to_its_relay_is(place: Place) -> None:
    address = RelayAddress.parse(place.relay.at)
    relays = Relays([address], place.one.address, place.one.device, to_port(1), measure_after=0)
    running = asyncio.create_task(relays.run())
    try:
        await until(lambda: relays.bandwidth is not None or running.done(), "it has measured")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    found = relays.bandwidth
    assert found is not None
    assert (found.relay, abs(found.at - time.time()) < 120) == (place.relay.at, True)
    assert min(found.up_mbits, found.down_mbits) > 0
    assert await place.relay.metric('ionet_relay_bytes_total{protocol="tcp"}') > 2 * 64 * 1024


async def test_the_relay_says_what_arrived_and_sends_as_long(place: Place) -> None:
    async with control(place) as agent:
        token = (await asked(place, agent)).token
        reader, writer = await connect(place, DATA + token.encode() + b"\n" + bytes(1000))
        writer.write(bytes(500))
        writer.write_eof()
        said = decode(await asyncio.wait_for(reader.readline(), 30))
        assert said == Measured(1500)
        assert 0 < len(await last_words((reader, writer), 60)) <= MEASURE_BYTES
        again = await connect(place, DATA + token.encode() + b"\n")
        again[1].write_eof()
        assert await last_words(again) == b"", "a token serves once"


async def test_a_node_measures_once_in_a_while(place: Place) -> None:
    async with control(place) as agent:
        await asked(place, agent)
        agent.writer.write(encode(Measure()) * 100)
        await agent.writer.drain()
        # What comes next is for a caller, who comes later.
        caller = await connect(place, hello(sni_of(place.one.address)))
        assert isinstance(await agent.read(), Open)
        caller[1].transport.abort()
    async with control(place) as agent:
        await agent.log_in(place, place.one.address, place.one.device)
        agent.writer.write(encode(Measure()))
        await agent.writer.drain()
        caller = await connect(place, hello(sni_of(place.one.address)))
        assert isinstance(await agent.read(), Open), "also where it has come again"
        caller[1].transport.abort()


async def test_more_than_was_agreed_ends_the_connection(place: Place) -> None:
    async with control(place) as agent:
        token = (await asked(place, agent)).token
        stream = await connect(place, DATA + token.encode() + b"\n")
        piece = bytes(1024 * 1024)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(60):
                for _ in range(MEASURE_BYTES // len(piece) + 16):
                    stream[1].write(piece)
                    await stream[1].drain()
        assert await last_words(stream) == b""


async def test_a_node_that_does_not_come_to_an_end_keeps_no_place(place: Place) -> None:
    async with control(place) as agent:
        token = (await asked(place, agent)).token
        stream = await connect(place, DATA + token.encode() + b"\n" + bytes(1000))
        assert await last_words(stream, 60) == b""


@contextlib.asynccontextmanager
async def relay_that_says(*lines: bytes) -> AsyncIterator[str]:
    """HOST:PORT of something that says these and then waits to be left."""
    served: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        writer.write(b"".join(lines))
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield "{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*(task for task in served if task is not None)), 60)


async def test_an_agent_sends_nothing_that_it_did_not_wish_to(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    lines = (encode(Hello("0" * 64)), encode(Welcome(measures=True)), encode(Measuring(TOKEN)))
    async with relay_that_says(*lines) as at:
        relays = Relays([RelayAddress.parse(at)], place.one.address, place.one.device, to_port(1))
        running = asyncio.create_task(relays.run())
        await until(lambda: "was not asked to measure" in caplog.text, "it leaves")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    "says", [b"", encode(Measured(1)), b"{}\n", b"[" * 900 + b"\n", b"x" * 5000, encode(Welcome())], ids=range(6)
)
async def test_what_cannot_be_so_is_no_measurement(says: bytes) -> None:
    async with relay_that_says(says) as at:
        host, _, port = at.rpartition(":")
        with pytest.raises(NotMeasured):
            await measure(host, int(port), TOKEN)

"""Callers reach an agent through a relay that sees no plain text; a relay that ends costs the outage and no more."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from hashlib import sha256

import pytest
from ionet_agent.relay import RelayAddress, Relays
from relay.conftest import Place
from relay.place import Stream, agent, api, ask, call, echo, killed_at_end, say, to_port
from waiting import until

SECRET = b"nobody on the way reads this"


async def test_a_caller_reaches_the_agent_and_tls_ends_there(place: Place) -> None:
    async with api() as port, agent(place.one, port, place.relay) as relays:
        assert relays.connected == [place.relay.at]
        stream = await call(place.relay, place.one.address)
        served = stream[1].get_extra_info("ssl_object").getpeercert(binary_form=True)
        direct = await asyncio.open_connection("127.0.0.1", port, ssl=_anyone())
        assert served == direct[1].get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert await say(stream, SECRET) == SECRET
        for each in (stream, direct):
            each[1].close()
    assert await place.relay.metric('ionet_relay_calls_total{outcome="joined"}') == 1


async def test_the_relay_passes_on_nothing_but_ciphertext(place: Place) -> None:
    seen = bytearray()

    async def tap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Between agent and relay, keeping what the relay sends and gets."""
        there = await asyncio.open_connection("127.0.0.1", place.relay.port)

        async def way(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    seen.extend(data)
                    target.write(data)
            target.close()

        await asyncio.gather(way(reader, there[1]), way(there[0], writer))

    relay = place.another()
    async with api() as port:
        server = await asyncio.start_server(tap, "127.0.0.1", 0)
        at = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        relay.options = ("--name", at)
        with killed_at_end(relay):
            place.relay.kill()
            relay.port = place.relay.port
            await relay.start()
            made = Relays([RelayAddress.parse(at)], place.one.address, place.one.device, to_port(port))
            running = asyncio.create_task(made.run())
            await until(lambda: made.connected, "the agent is there")
            assert await ask(relay, place.one.address, SECRET) == SECRET
            running.cancel()
            server.close()
    assert b"ionet-relay:control:1" in seen
    assert SECRET not in seen


async def test_megabytes_go_both_ways_whole_and_a_slow_reader_costs_the_relay_no_memory(place: Place) -> None:
    sent = bytes(range(256)) * 4096  # 1 MiB
    async with api() as port, agent(place.one, port, place.relay):
        stream = await call(place.relay, place.one.address)
        before, hashed = place.relay.memory(), sha256()
        writing = asyncio.create_task(_write(stream, sent, 64))
        await asyncio.sleep(1)  # nobody reads yet
        assert not writing.done()
        assert place.relay.memory() - before < 8 * 2**20
        for _ in range(64):
            hashed.update(await stream[0].readexactly(len(sent)))
        await writing
        assert hashed.hexdigest() == sha256(sent * 64).hexdigest()
        stream[1].transport.abort()


async def test_an_end_that_has_said_all_still_hears_the_other(place: Place) -> None:
    """TLS has no half-close, so this speaks through the pair without it: what follows the hello is anyone's."""

    async def answers_at_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read()
        writer.write(b"%d bytes" % len(said))
        writer.close()

    server = await asyncio.start_server(answers_at_the_end, "127.0.0.1", 0)
    async with agent(place.one, server.sockets[0].getsockname()[1], place.relay):
        hello = _hello_for(place)
        reader, writer = await asyncio.open_connection("127.0.0.1", place.relay.port)
        writer.write(hello + b"x" * 1000)
        writer.write_eof()
        async with asyncio.timeout(30):
            assert await reader.read() == b"%d bytes" % (len(hello) + 1000)
        writer.close()
    server.close()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
async def test_after_a_relay_ended_in_a_transfer_calls_work_again_once_it_is_back(
    place: Place, end: signal.Signals
) -> None:
    async with api() as port, agent(place.one, port, place.relay) as relays:
        stream = await call(place.relay, place.one.address)
        writing = asyncio.create_task(_write(stream, b"x" * 2**20, 10_000))
        await stream[0].readexactly(2**20)
        code = await asyncio.to_thread(place.relay.kill, end)
        assert code == (0 if end == signal.SIGTERM else -end)
        with contextlib.suppress(OSError, ssl.SSLError):
            async with asyncio.timeout(30):
                while await stream[0].read(2**16):
                    pass
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        stream[1].transport.abort()
        await until(lambda: not relays.connected, "the agent notices")
        await place.relay.start()
        await until(lambda: relays.connected, "the agent is back by itself")
        assert await ask(place.relay, place.one.address) == b"hello"


async def test_an_agent_keeps_two_relays_and_takes_a_third_when_one_is_gone(place: Place) -> None:
    second, third = place.another(), place.another()
    with killed_at_end(second, third):
        for each in (second, third):
            await each.start()
        async with api() as port, agent(place.one, port, place.relay, second, third) as relays:
            await until(lambda: relays.connected == [place.relay.at, second.at], "the first two")
            for each in (place.relay, second):
                assert await ask(each, place.one.address) == b"hello"
            place.relay.kill()
            await until(lambda: relays.connected == [second.at, third.at], "the third in its place")
            for each in (second, third):
                assert await ask(each, place.one.address) == b"hello"
            third.kill()
            await place.relay.start()
            await until(lambda: relays.connected == [place.relay.at, second.at], "the first is tried again")
            assert await ask(place.relay, place.one.address) == b"hello"


async def test_of_two_agents_of_one_node_the_last_one_is_called(place: Place) -> None:
    """A machine whose network has changed logs in again while the old connection still seems to live."""

    async def second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5)
        writer.write(b"two..")
        await echo(reader, writer)

    async with api() as port, api(second) as other_port:
        first = Relays([RelayAddress.parse(place.relay.at)], place.one.address, place.one.device, to_port(port))
        running = asyncio.create_task(first.run())
        await until(lambda: first.connected, "the first")
        async with agent(place.one, other_port, place.relay):
            running.cancel()
            assert await ask(place.relay, place.one.address) == b"two.."


async def _write(stream: Stream, data: bytes, times: int) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        for _ in range(times):
            stream[1].write(data)
            await stream[1].drain()


def _anyone() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _hello_for(place: Place) -> bytes:
    from ionet.relay_name import sni_of

    said = ssl.MemoryBIO()
    tls = _anyone().wrap_bio(ssl.MemoryBIO(), said, server_hostname=sni_of(place.one.address))
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return said.read()

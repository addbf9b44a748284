"""What strangers, callers and agents that mean harm can do to a relay and to those who use it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import time
from collections.abc import AsyncIterator

import market
import pytest
from ionet.relay_name import sni_of
from ionet.relay_wire import (
    CONTROL,
    DATA,
    Hello,
    Login,
    Message,
    Open,
    Ping,
    Refused,
    Welcome,
    decode,
    encode,
    login_message,
)
from ionet.wallet import KeypairSigner
from ionet_relay.link import Link
from relay.conftest import Place
from relay.place import Stream, agent, api, ask, call, killed_at_end, say
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from waiting import until

ALERT = b"\x15\x03\x03\x00\x02\x02"
UNKNOWN_NAME, INTERNAL_ERROR = ALERT + bytes([112]), ALERT + bytes([80])


def hello(name: str) -> bytes:
    """What a TLS client sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    said = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), said, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return said.read()


async def connect(place: Place, sent: bytes = b"") -> Stream:
    stream = await asyncio.open_connection("127.0.0.1", place.relay.port)
    stream[1].write(sent)
    return stream


async def last_words(stream: Stream, within: float = 30) -> bytes:
    """All that comes until the other end closes. Raises TimeoutError."""
    said = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(within):
            while data := await stream[0].read(65536):
                said += data
    stream[1].transport.abort()
    return said


class Agent:
    """An agent's control connection, spoken by hand."""

    def __init__(self, stream: Stream) -> None:
        self.reader, self.writer = stream

    async def read(self) -> Message:
        async with asyncio.timeout(30):
            while isinstance(message := decode(await self.reader.readline()), Ping):
                pass
        return message

    async def log_in(
        self, place: Place, node: Pubkey, key: Keypair, *, names: Pubkey | None = None, at: str | None = None
    ) -> Message:
        """names: whom it says the key is, if not who it is. at: for which relay it signs, if not for this one."""
        said = await self.read()
        assert isinstance(said, Hello)
        signature = key.sign_message(login_message(at or place.relay.at, bytes.fromhex(said.nonce), node))
        self.writer.write(encode(Login(str(node), str(names or key.pubkey()), bytes(signature).hex())))
        return await self.read()


@contextlib.asynccontextmanager
async def control(place: Place) -> AsyncIterator[Agent]:
    stream = await connect(place, CONTROL)
    try:
        yield Agent(stream)
    finally:
        stream[1].transport.abort()


# -- strangers


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 100,
        b"\x16\x03\x01\x00\x05hello",
        CONTROL[:-1] + b"x",
        DATA + b"0" * 33,
        DATA + b"0" * 32 + b"\n",
        DATA + b"\xff" * 32 + b"\n",
        CONTROL + b"{}\n",
        CONTROL + b"x" * 2000,
        CONTROL + b"[" * 1000 + b"\n",
        CONTROL + encode(Ping()),
        CONTROL + encode(Open("0" * 32, "")),
        CONTROL + encode(Login("", "", "")),
        CONTROL + encode(Login("1" * 32, "1" * 32, "00" * 64)),
    ],
)
async def test_what_makes_no_sense_is_hung_up_on(place: Place, first: bytes) -> None:
    began = time.monotonic()
    said = await last_words(await connect(place, first))
    assert time.monotonic() - began < 4  # before the deadline for those who say nothing
    assert not said or said.startswith(b'{"type":"hello"')


async def test_half_a_hello_has_five_seconds(place: Place) -> None:
    began = time.monotonic()
    whole = hello(sni_of(place.one.address))
    streams = [await connect(place, whole[:cut]) for cut in (0, 1, 5, 50, len(whole) - 1)]
    assert await asyncio.gather(*map(last_words, streams)) == [b""] * 5
    assert 4 < time.monotonic() - began < 25


async def test_a_hello_without_end_is_cut_off(place: Place) -> None:
    """A handshake message may be 16 MiB long, in records of 16 KiB: only so much of it is taken."""
    record = b"\x16\x03\x01\x40\x00"
    first = record + b"\x01\xff\xff\xff" + b"\x03\x03" + os.urandom(0x4000 - 6)
    stream, sent = await connect(place, first), len(first)
    with contextlib.suppress(ConnectionError):
        for _ in range(4096):
            stream[1].write(record + b"\0" * 0x4000)
            await stream[1].drain()
            sent += 0x4005
            if stream[0].at_eof():
                break
    assert await last_words(stream) == b""
    assert sent < 16 * 2**20


@pytest.mark.parametrize("name", ["example.org", "ionet", f"{'a' * 51}.ionet", f"{'b' * 52}.ionet", "x" * 60])
async def test_a_name_that_is_not_a_nodes_is_told_so(place: Place, name: str) -> None:
    assert await last_words(await connect(place, hello(name))) == UNKNOWN_NAME


async def test_a_caller_of_a_node_that_is_not_here_is_told_so(place: Place) -> None:
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        await call(place.relay, place.one.address)


async def test_tls_without_a_name_is_hung_up_on(place: Place) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", place.relay.port, ssl=context)


async def test_a_thousand_half_open_connections_keep_nobody_out(place: Place) -> None:
    async with api() as port, agent(place.one, port, place.relay):
        before = place.relay.memory()
        cut = hello(sni_of(place.one.address))[:100]
        streams = [await connect(place, cut) for _ in range(1000)]
        try:
            began = time.monotonic()
            for _ in range(5):
                assert await ask(place.relay, place.one.address) == b"hello"
            assert time.monotonic() - began < 10
            assert await place.relay.metric("ionet_relay_evicted_total") >= 1000 - 128 - 5
            assert place.relay.memory() - before < 64 * 2**20
        finally:
            for stream in streams:
                stream[1].transport.abort()


# -- who claims to be an agent


async def test_a_key_that_is_not_the_nodes_on_the_chain_is_refused(place: Place) -> None:
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, Keypair()) == Refused("unknown_key")
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.two.device) == Refused("unknown_key")


async def test_a_node_that_the_chain_does_not_know_is_refused(place: Place) -> None:
    async with control(place) as spoken:
        assert await spoken.log_in(place, Keypair().pubkey(), Keypair()) == Refused("unknown_key")
    async with control(place) as spoken:  # an account of the program that is of another kind
        network = place.market.admin.network.address
        assert await spoken.log_in(place, network, Keypair()) == Refused("unknown_key")


async def test_a_key_is_not_believed_without_its_signature(place: Place) -> None:
    async with control(place) as spoken:
        names = place.one.device.pubkey()
        assert await spoken.log_in(place, place.one.address, Keypair(), names=names) == Refused("bad_login")


async def test_a_login_for_another_relay_is_refused(place: Place) -> None:
    """A hostile relay may hand the challenge of another one on to an agent; what the agent signs names the first."""
    async with control(place) as spoken:
        answer = await spoken.log_in(place, place.one.address, place.one.device, at="relay.example:7443")
        assert answer == Refused("bad_login")


async def test_a_login_counts_once(place: Place) -> None:
    async with control(place) as spoken, control(place) as another:
        challenge = await spoken.read()
        assert isinstance(challenge, Hello)
        message = login_message(place.relay.at, bytes.fromhex(challenge.nonce), place.one.address)
        signature = bytes(place.one.device.sign_message(message)).hex()
        login = encode(Login(str(place.one.address), str(place.one.device.pubkey()), signature))
        spoken.writer.write(login)
        assert await spoken.read() == Welcome()
        await another.read()
        another.writer.write(login)  # overheard
        assert await another.read() == Refused("bad_login")


async def test_an_agent_that_says_it_is_another_after_login_is_hung_up_on(place: Place) -> None:
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.one.device) == Welcome()
        spoken.writer.write(encode(Login(str(place.two.address), str(place.two.device.pubkey()), "00" * 64)))
        assert await spoken.reader.read() == b""


async def test_a_rotated_key_is_refused_and_its_successor_welcome(place: Place) -> None:
    fresh = market.key("another device")
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.one.device) == Welcome()
    await place.market.admin.node.rotate_device_key(place.one.address, KeypairSigner(fresh))

    async def welcome() -> bool:  # what the relay read within the last second it does not read again
        async with control(place) as spoken:
            return await spoken.log_in(place, place.one.address, fresh) == Welcome()

    await until(welcome, "the relay knows the new key", within=10)
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.one.device) == Refused("unknown_key")


async def test_without_the_chain_known_agents_are_welcome_and_others_wait(place: Place) -> None:
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.one.device) == Welcome()
    await place.market.net.__aexit__(None, None, None)
    async with control(place) as spoken:
        assert await spoken.log_in(place, place.one.address, place.one.device) == Welcome()
    async with control(place) as spoken:
        answer = asyncio.create_task(spoken.log_in(place, place.two.address, place.two.device))
        async with asyncio.timeout(60):
            assert await answer == Refused("chain_silent")


# -- agents and callers that mean harm


async def test_a_token_serves_once_and_only_here(place: Place) -> None:
    async with control(place) as spoken:
        await spoken.log_in(place, place.one.address, place.one.device)
        caller = await connect(place, hello(sni_of(place.one.address)))
        opened = await spoken.read()
        assert isinstance(opened, Open)
        first = await connect(place, DATA + opened.token.encode() + b"\n")
        assert (await first[0].readexactly(5))[0] == 0x16  # the hello, as it came
        assert await last_words(await connect(place, DATA + opened.token.encode() + b"\n")) == b""
        first[1].write(b"still there")
        assert await caller[0].readexactly(11) == b"still there"
        for stream in (first, caller):
            stream[1].transport.abort()


async def test_an_agent_that_does_not_dial_back_costs_the_caller_ten_seconds(place: Place) -> None:
    async with control(place) as spoken:
        await spoken.log_in(place, place.one.address, place.one.device)
        began = time.monotonic()
        assert await last_words(await connect(place, hello(sni_of(place.one.address)))) == INTERNAL_ERROR
        assert 9 < time.monotonic() - began < 25


async def test_callers_of_one_node_or_address_are_limited_and_others_are_not_kept_out(place: Place) -> None:
    """All callers here have one address, so its limit for one node is what they reach."""
    async with api() as port, agent(place.one, port, place.relay), agent(place.two, port, place.relay):
        held = [await call(place.relay, place.one.address) for _ in range(16)]
        with pytest.raises(ssl.SSLError, match="INTERNAL_ERROR"):
            await call(place.relay, place.one.address)
        assert await ask(place.relay, place.two.address) == b"hello"
        gone = held.pop()
        gone[1].close()

        async def again() -> bool:
            with contextlib.suppress(ssl.SSLError):
                return await ask(place.relay, place.one.address) == b"hello"
            return False

        await until(again, "there is room for another")
        for stream in held:
            stream[1].transport.abort()


async def test_an_address_that_holds_many_callers_of_a_node_makes_room_for_others(place: Place) -> None:
    relay = place.another("--callers-of-node", "4")
    with killed_at_end(relay):
        await relay.start()
        async with api() as port, agent(place.one, port, relay):
            held = [await call(relay, place.one.address) for _ in range(4)]
            others = [await call(relay, place.one.address, "127.0.0.2") for _ in range(2)]
            with pytest.raises(ssl.SSLError, match="INTERNAL_ERROR"):  # each has two now
                await call(relay, place.one.address, "127.0.0.2")
            for stream in held[:2]:  # the oldest
                assert await last_words(stream) == b""
            for stream in (*held[2:], *others):
                assert await say(stream, b"still there") == b"still there"
                stream[1].transport.abort()


async def test_half_a_pair_is_closed_soon(place: Place) -> None:
    async with control(place) as spoken:
        await spoken.log_in(place, place.one.address, place.one.device)
        caller = await connect(place, hello(sni_of(place.one.address)))
        opened = await spoken.read()
        assert isinstance(opened, Open)
        dialled = await connect(place, DATA + opened.token.encode() + b"\n")
        assert (await dialled[0].readexactly(5))[0] == 0x16
        caller[1].write_eof()
        assert await last_words(caller, within=25) == b""  # the other end says nothing
        dialled[1].transport.abort()


def test_an_ipv6_customer_is_one_address() -> None:
    class Arriving(asyncio.Transport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
            pass

        def abort(self) -> None:
            pass

    class Owner:
        def arrived(self, _: Link) -> bool:
            return True

    hosts = set()
    for host in ("2001:db8:1:2::3", "2001:db8:1:2:4::5"):
        link = Link(Owner())  # type: ignore[arg-type]
        link.connection_made(Arriving({"peername": (host, 1, 0, 0)}))
        hosts.add(link.host)
    assert hosts == {"2001:db8:1:2::"}


async def test_callers_that_come_and_go_do_not_have_an_agent_dial_for_ever(place: Place) -> None:
    async with control(place) as spoken:
        await spoken.log_in(place, place.one.address, place.one.device)
        for _ in range(50):
            stream = await connect(place, hello(sni_of(place.one.address)))
            await asyncio.sleep(0.01)
            stream[1].transport.abort()
        opened = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                while json.loads(await spoken.reader.readline())["type"] == "open":
                    opened += 1
        assert opened == 16


async def test_a_node_that_floods_leaves_the_others_their_share(place: Place) -> None:
    """Eight connections of one node that carry all they can, beside one of another node, at 80 Mbit/s in all."""
    relay = place.another("--mbit", "80")
    with killed_at_end(relay):
        await relay.start()
        async with api() as port, agent(place.one, port, relay), agent(place.two, port, relay):
            floods = [await call(relay, place.one.address) for _ in range(8)]
            tasks = [asyncio.create_task(_flood(stream)) for stream in floods]
            quiet = await call(relay, place.two.address)
            await asyncio.sleep(1)
            began, piece = time.monotonic(), b"x" * 100_000
            for _ in range(20):  # 4 MB there and back: 0.4 s of the relay, 0.8 s of half of it
                assert await say(quiet, piece) == piece
            took = time.monotonic() - began
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in (*floods, quiet):
                stream[1].transport.abort()
            # An eighth or ninth of the relay, which is what it would get without shares, takes 3.2 s.
            assert took < 2.4
            carried = await relay.metric('ionet_relay_bytes_total{protocol="tcp"}')
            assert carried < 1.3 * (took + 3) * 10_000_000


async def _flood(stream: Stream) -> None:
    async def read() -> None:
        while await stream[0].read(2**16):
            pass

    reading = asyncio.create_task(read())
    try:
        while True:
            stream[1].write(b"x" * 2**16)
            await stream[1].drain()
    finally:
        reading.cancel()


async def test_a_connection_that_carries_nothing_is_closed(place: Place) -> None:
    relay = place.another("--idle-secs", "2")
    with killed_at_end(relay):
        await relay.start()
        async with api() as port, agent(place.one, port, relay) as relays:
            stream = await call(relay, place.one.address)
            for _ in range(4):
                await asyncio.sleep(1)
                assert await say(stream, b"busy") == b"busy"
            async with asyncio.timeout(30):
                assert await stream[0].read() == b""
            stream[1].close()
            assert relays.connected == [relay.at]


def test_limits_that_the_system_does_not_allow_end_with_one_line() -> None:
    import subprocess
    import sys

    command = [sys.executable, "-m", "ionet", "relay", "run", "--listen", "127.0.0.1:0", "--callers", "10000000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "files are needed for these limits" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    refused = subprocess.run([*command[:5], "--listen", "nowhere"], capture_output=True, text=True, timeout=60)
    assert (refused.returncode, "'nowhere' is not HOST:PORT" in refused.stderr) == (1, True)
